"""The documented generator of the dropout masks, written again in NumPy."""

import numpy as np
import pytest

from tests.kernels.conftest import make, random_triplets, reference_steps, weights
from tests.kernels.test_fused_steps import BATCH, TABLE, fused

GOLDEN64, GOLDEN32 = np.uint64(0x9E3779B97F4A7C15), np.uint32(0x9E3779B9)


def mix64(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def bits(seed, step, rows, dim):
    """Bits [rows, D] of a step; row 3i + r is that of triplet i, role r."""
    with np.errstate(over="ignore"):
        step_key = mix64(np.uint64(seed) + np.uint64(step) * GOLDEN64)
        key = mix64(step_key + np.arange(rows, dtype=np.uint64)[:, None] * GOLDEN64)
        low, high = key.astype(np.uint32), (key >> np.uint64(32)).astype(np.uint32)
        x = low + np.arange(dim, dtype=np.uint32) * GOLDEN32
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15)) ^ high) * np.uint32(0x846CA68B)
        return x ^ (x >> np.uint32(16))


class Masks:
    """Stands in for a model's dropout layers: the fused kernel's masks."""

    def __init__(self, layer, roles):
        self.rate, self.seed, self.roles = layer.rate, layer.seed, roles

    def __call__(self, rows, step, blocks=1):
        assert blocks == len(self.roles)
        batch, dim = len(rows) // len(self.roles), rows.shape[1]
        drawn = bits(self.seed, int(step), 3 * batch, dim)
        keep = drawn >= np.uint32(round(self.rate * 2**32))
        keep = np.concatenate([keep[role::3] for role in self.roles])
        return rows * (keep / (1 - self.rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
@pytest.mark.parametrize(
    "key", ["hyperml", "hyperts", "hyperbolic_mf", "cml", "lrml", "mf_bpr"]
)
def test_steps_with_dropout_equal_the_reference_with_the_same_masks(key, rate, rng):
    triplets = random_triplets(rng, 90)
    one, other = make(key, "adagrad", dropout=rate), make(key, "adagrad", dropout=rate)
    one.item_dropout = Masks(one.user_dropout, roles=(1, 2))
    one.user_dropout = Masks(one.user_dropout, roles=(0,))
    expected = reference_steps(one, triplets, BATCH)
    np.testing.assert_allclose(fused(other, triplets), expected, rtol=1e-5)
    np.testing.assert_allclose(weights(other), weights(one), atol=TABLE)


def test_masks_are_fair_and_independent_of_their_neighbours():
    drawn = np.stack([bits(5, step, 300, 64) for step in range(50)])
    keep = (drawn >= np.uint32(2**31)).astype(np.float64) - 0.5
    spread = 0.5 / keep.size**0.5  # of the mean of as many fair bits
    assert abs(keep.mean()) < 4 * spread
    for axis in range(3):
        one = np.take(keep, range(keep.shape[axis] - 1), axis)
        next_one = np.take(keep, range(1, keep.shape[axis]), axis)
        assert abs((one * next_one).mean()) < 4 * 0.25 / one.size**0.5


def test_steps_and_seeds_have_masks_of_their_own():
    one = bits(5, 0, 30, 64)
    assert np.mean(one == bits(5, 1, 30, 64)) < 1e-3
    assert np.mean(one == bits(6, 0, 30, 64)) < 1e-3
