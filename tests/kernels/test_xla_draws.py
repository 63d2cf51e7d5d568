"""Triplets drawn by programs of XLA against the stream of `tf.data`."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.kernels import xla_draws
from hyperml_tf.kernels.xla_draws import XlaDraws


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """In place of the one beside: these tests need no C++ compiler."""


@pytest.mark.parametrize(
    # Less than a chunk, chunks of which the last is smaller, and whole chunks alone.
    ("batch", "options"),
    [(8, {}), (3, {"negatives": 3}), (2, {"by_popularity": True})],
)
def test_chunks_are_those_of_the_host(batch, options, make_interactions, rng):
    # One user has all items, and so no triplet, and one has none.
    sizes = [39, 30, 40, 0, 7, 1, *rng.integers(1, 9, 20)]
    sizes += [1] * ((40 - sum(sizes)) % 128)
    train = [sorted(rng.choice(40, size, replace=False)) for size in sizes]
    data = make_interactions(train, 40)
    sampler = TripletSampler(data, 7, **options)
    assert sampler.epoch_size == 256
    draws = XlaDraws(sampler, batch)
    chunks = len(sampler.chunk_starts(batch))
    theirs = sampler.dataset(batch, 3, whole_chunks=True).take(3 * chunks)
    ours = (draws(*place) for place in draws.places(first_epoch=3))
    for one, other in zip(itertools.islice(ours, 3 * chunks), theirs, strict=True):
        for column, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(column, expected)


@pytest.mark.parametrize("size", [1, 2, 500, 65_536, 65_537, 988_129, 2**40 + 7])
def test_the_permutation_is_tensorflows(size, rng):
    positions = np.unique(np.append(rng.integers(0, size, 500), [0, size - 1]))
    shuffle = tf.function(xla_draws._shuffle, jit_compile=True)
    for seed, epoch in [(7, 3), (2**31 - 1, 599)]:
        key = tf.constant([seed, epoch], tf.int64)
        last = size - 1 - (size == 65_537)  # see `TripletSampler._shuffled`
        inside = tf.constant(positions[positions <= last])
        expected = tf.random.experimental.index_shuffle(inside, key, last)
        np.testing.assert_array_equal(shuffle(inside, key, last), expected)
