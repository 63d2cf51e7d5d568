"""The compiled draw of negatives against the TensorFlow path's."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.kernels import build


@pytest.mark.parametrize("negatives", [1, 4])
def test_draws_are_those_of_the_tensorflow_path(negatives, make_interactions, rng):
    num_items = 40
    # None, one, some, all but one; the last user has none at all.
    sizes = [3, 1, 25, 39, 7, 12, 2, 0]
    train = [sorted(rng.choice(num_items, size, replace=False)) for size in sizes]
    data = make_interactions(train, num_items)
    reference = TripletSampler(data, 7, negatives)
    sampler = TripletSampler(data, 7, negatives, build.library())
    positions = tf.range(sampler.epoch_size, dtype=tf.int64)
    for epoch in range(20):
        expected = reference.draw(tf.constant(epoch, tf.int64), positions)
        for ours, theirs in zip(
            sampler.draw(tf.constant(epoch, tf.int64), positions), expected, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_a_user_outside_the_rows_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="user id 2 is not"):
        build.library().hyperml_negatives(
            keys=tf.constant([0, 5], tf.int64),
            row_starts=tf.constant([0, 1], tf.int64),
            eligible=tf.constant([4.0, 4.0], tf.float64),
            user=[2],
            fraction=tf.constant([0.5], tf.float64),
            num_items=5,
        )
