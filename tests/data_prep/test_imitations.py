"""Archives that imitate the publishers' go the whole path."""

import numpy as np
import pytest

from tests.data_prep import imitations


@pytest.mark.parametrize(("least", "least_users"), [(1, 1), (5, 6)])
def test_pairs_differ_and_nobody_is_left_out(least, least_users):
    rng = np.random.default_rng(3)
    user, item = imitations.long_tailed(300, 200, 6_000, rng, least, least_users)
    assert len(np.unique(user * 200 + item)) == len(user) == 6_000
    assert np.bincount(user, minlength=300).min() >= least
    of_items = np.bincount(item, minlength=200)
    assert of_items.min() >= max(1, least_users - 1)
    # A long tail: the first tenth of the items has far more than its share.
    assert np.sort(of_items)[-20:].sum() > 0.2 * len(item)


def test_the_smallest_of_them_has_the_publishers_counts(command, tmp_path):
    imitations.write_automotive(tmp_path / "raw")
    result = command("--dataset=automotive", f"--raw_dir={tmp_path / 'raw'}")
    assert result.code == 0 and "warning" not in result.err, result.err
    assert "20,473 interactions (N + 2U = 26,329) of 2,928 users" in result.out
