"""Parts of a random stream, and what is drawn from them: masks and tables."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.layers import PartOfStep, RowDropout, RowEmbedding, streams

SEED = tf.constant([123456789012, 42], tf.int64)
PARTS = [(0, 1001), (1, 7), (8, 8), (13, 500), (999, 2), (16, 0)]


@pytest.mark.parametrize(("start", "count"), PARTS)
def test_a_part_is_what_tensorflow_draws_there(start, count):
    words = tf.random.stateless_uniform([501], SEED, None, None, tf.int32)
    halves = tf.reshape(tf.bitcast(words, tf.int16), [-1]).numpy()
    floats = tf.random.stateless_uniform([1001], SEED).numpy()
    part = slice(start, start + count)
    np.testing.assert_array_equal(streams.halves(SEED, start, count), halves[part])
    np.testing.assert_array_equal(streams.uniform(SEED, start, count), floats[part])


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("of_positive", [1, 3])
def test_replicas_mask_as_one_process(blocks, of_positive):
    batch, dim = 11, 5
    dropout = RowDropout(0.5, seed=9)
    rows = tf.ones([blocks * batch * of_positive, dim])
    whole = tf.reshape(dropout(rows, tf.constant(3)), [blocks, batch, of_positive, dim])
    for start, positives in [(0, 6), (6, 5)]:
        counts = (tf.constant(n, tf.int64) for n in (3, start, positives, batch))
        here = tf.ones([blocks * positives * of_positive, dim])
        masked = dropout(here, PartOfStep(*counts), blocks)
        expected = tf.reshape(whole[:, start : start + positives], here.shape)
        np.testing.assert_array_equal(masked, expected)


def test_a_part_of_a_table_starts_with_its_rows_of_the_whole():
    whole = RowEmbedding(7, 3, 0.01, seed=5).table
    initializer = RowEmbedding(7, 3, 0.01, seed=5)._initializer()
    assert isinstance(initializer, keras.initializers.RandomUniform)
    for start, rows in [(0, 4), (4, 3)]:
        part = initializer(
            (7, 3), tf.float32, partition_shape=(rows, 3), partition_offset=(start, 0)
        )
        np.testing.assert_array_equal(part, whole[start : start + rows])
