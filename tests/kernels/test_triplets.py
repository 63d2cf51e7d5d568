"""The compiled draw of triplets against the TensorFlow path's."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.kernels import compiler


@pytest.mark.parametrize("negatives", [1, 4])
def test_draws_are_those_of_the_tensorflow_path(negatives, make_interactions, rng):
    num_items = 40
    # None, one, some, all but one; the last user has none at all.
    sizes = [3, 1, 25, 39, 7, 12, 2, 0]
    train = [sorted(rng.choice(num_items, size, replace=False)) for size in sizes]
    data = make_interactions(train, num_items)
    reference = TripletSampler(data, 7, negatives)
    sampler = TripletSampler(data, 7, negatives, compiler.library())
    positions = tf.range(sampler.epoch_size, dtype=tf.int64)
    for epoch in range(20):
        expected = reference.draw(tf.constant(epoch, tf.int64), positions)
        for ours, theirs in zip(
            sampler.draw(tf.constant(epoch, tf.int64), positions), expected, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def drawn(**changes):
    arguments = {
        "pairs": tf.constant([[0, 3], [1, 4]]),
        "keys": tf.constant([3, 9], tf.int64),
        "row_splits": tf.constant([0, 1, 2], tf.int64),
        "row": tf.constant([1, 0], tf.int64),
        "fraction": tf.constant([0.5, 0.99, 0.0, 0.75], tf.float64),
        "num_items": 5,
    }
    return compiler.library().hyperml_triplets(**arguments | changes)


def test_a_draw_by_hand():
    # User 1 has item 4 and draws places 2 and 3 of 0 1 2 3; user 0 has item 3 and
    # draws places 0 and 3 of 0 1 2 4.
    users, pos_items, negatives = drawn()
    assert users.numpy().tolist() == [1, 0]
    assert pos_items.numpy().tolist() == [4, 3]
    assert negatives.numpy().tolist() == [2, 3, 0, 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row": tf.constant([0, 2], tf.int64)}, r"row 2 is not in \[0, 2\)"),
        ({"row": tf.constant([-1, 0], tf.int64)}, "row -1 is not"),
        ({"pairs": tf.constant([[0, 3], [2, 4]])}, r"user id 2 is not in \[0, 2\)"),
        ({"pairs": tf.constant([[0, 3], [-1, 4]])}, "user id -1 is not"),
        ({"pairs": tf.constant([0, 1])}, r"pairs must be \[N, 2\]"),
        ({"fraction": tf.constant([0.5] * 3, tf.float64)}, "a multiple of row"),
    ],
)
def test_what_lies_outside_the_tables_is_refused(changes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        drawn(**changes)
