"""Groups of users, by hand; the report of one's own table."""

import numpy as np
import pandas as pd

from hyperml_tf.reproduction.reporting import strata


def test_groups_hold_every_user_once_by_rising_count():
    counts = np.array([1, 1, 2, 2, 3, 3, 50, 60, 70])
    values = np.array([0.0] * 8 + [np.nan])  # the last user has no held-out item
    found = list(strata._quarters(counts, values))
    assert [label for label, _ in found] == ["1", "2", "3", "50–60"]
    assert sorted(np.concatenate([users for _, users in found])) == list(range(8))


def test_new_groups_take_the_place_of_the_same_datasets_alone():
    columns = ["dataset", "seeds", "users"]
    recorded = pd.DataFrame([["games", 1, 1], ["ml1m", 5, 2]], columns=columns)
    for new, expected in (
        (["games", 1, 3], [3, 2]),  # the newer one
        (["ml1m", 4, 3], [1, 2]),  # of fewer seeds
        (["meetup", 1, 3], [1, 2, 3]),
    ):
        found = strata.merged(recorded, pd.DataFrame([new], columns=columns))
        assert found.sort_values("users")["users"].tolist() == sorted(expected)
