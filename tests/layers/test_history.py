"""What the items of a user give to the user's row, against sums done the slow way."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.layers.history import History, KnownItems, _bits

TRAIN = [[0, 4], [5, 2, 11], [1], [7, 19], [3], [2], [], [19, 5, 0]]
ITEMS = 20


def known():
    splits = np.cumsum([0, *map(len, TRAIN)])
    return KnownItems(ITEMS, np.concatenate(TRAIN).astype(np.int32), splits)


def lowbias32(x):
    x &= 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def test_a_row_gets_the_sum_of_all_items_over_the_root_of_their_number(rng):
    rows = rng.normal(size=(ITEMS, 3))
    users = [7, 1, 6, 1]
    got = History(0.7, 0.5, 32, 0).total(known(), tf.constant(users), tf.constant(rows))
    expected = [
        0.7 * rows[TRAIN[u]].sum(axis=0) / max(len(TRAIN[u]), 1) ** 0.5 for u in users
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_without_dropout_all_items_but_the_positive_enter_a_step():
    history = History(0.5, 0.0, 32, 3)
    users, positives = tf.constant([1, 7, 0, 2]), tf.constant([2, 19, 9, 1])
    items, place, weights = history.kept(known(), users, positives, 5)
    assert items.numpy().tolist() == [5, 11, 5, 0, 0, 4]
    assert place.numpy().tolist() == [0, 0, 1, 1, 2, 2]
    expected = 0.5 / np.sqrt([2, 2, 1, 1])
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


@pytest.mark.parametrize(("rate", "most", "keep"), [(0.3, 1000, 0.7), (0.0, 40, 0.4)])
def test_items_are_kept_at_the_rate_and_weigh_the_more(rate, most, keep):
    count = 101
    many = KnownItems(count, np.arange(count, dtype=np.int32), np.array([0, count]))
    history = History(1.0, rate, most, 11)
    kept = []
    for step in range(400):
        items, _, weights = history.kept(
            many, tf.constant([0]), tf.constant([50]), step
        )
        kept.append(np.isin(np.arange(count), items))
    kept = np.array(kept)
    assert not kept[:, 50].any()
    share = np.delete(kept, 50, axis=1).mean()
    assert share == pytest.approx(keep, abs=5 * (keep * (1 - keep) / 40_000) ** 0.5)
    # Neither the items of a step nor the steps of an item go together.
    for axis in (0, 1):
        means = np.delete(kept, 50, axis=1).mean(axis=axis)
        size = 400 if axis == 0 else 100
        assert means.std() == pytest.approx((keep * (1 - keep) / size) ** 0.5, rel=0.3)
    assert float(weights[0]) == pytest.approx(1 / (keep * 10), rel=1e-6)


def test_what_is_kept_depends_on_seed_step_user_and_item_alone():
    users, items = np.array([3, 70_000, 3]), np.array([9, 2**31 - 1, 0])
    for seed, step in ((0, 0), (5, 123_456_789), (2**31 - 1, 2**33)):
        of_step = lowbias32(step + lowbias32(seed))
        expected = [
            lowbias32(i + lowbias32(u + of_step))
            for u, i in zip(users.tolist(), items.tolist(), strict=True)
        ]
        got = _bits(seed, tf.constant(step, tf.int64), users, items)
        assert got.numpy().tolist() == expected
