"""The compiled shuffle against tf.random.experimental.index_shuffle."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.kernels import compiler

PADDING = 498247692  # what TensorFlow puts before a key of two


@pytest.mark.parametrize(
    # The least block, its edges, odd numbers of bits, and words of over 16 bits.
    "size",
    [1, 2, 500, 65535, 65536, 65538, 128_773, 988_129, 16_200_000, 2**33, 2**40 + 7],
)
def test_the_permutation_is_tensorflows(size, rng):
    index = np.unique(np.append(rng.integers(0, size, 2000), [0, size - 1]))
    for seed, epoch in [(0, 0), (7, 3), (2**31 - 1, 599)]:
        key = tf.constant([seed, epoch], tf.int64)
        expected = tf.random.experimental.index_shuffle(index, key, size - 1)
        ours = compiler.library().hyperml_shuffle(
            index=index, key=[PADDING, seed, epoch], max_index=size - 1
        )
        np.testing.assert_array_equal(ours, expected)


def test_every_position_is_visited_once():
    shuffled = compiler.library().hyperml_shuffle(
        index=tf.range(100_000, dtype=tf.int64), key=[1, 2, 3], max_index=99_999
    )
    assert sorted(shuffled.numpy()) == list(range(100_000))


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_outside_is_refused(index):
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"index {index} is not"):
        compiler.library().hyperml_shuffle(
            index=tf.constant([index], tf.int64), key=[1, 2, 3], max_index=4
        )
