"""What the paper reads off its pictures, measured: norms, spheres, genres.

Each number carries a 95 % bootstrap interval over users or items of one run. It says
how sure the number is for this run, not how it would vary from seed to seed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hyperml_tf.reproduction.reporting.embeddings import Embedding

NEIGHBOURS = 10
_RESAMPLES = 1000
_PERMUTATIONS = 100
# Rows whose distances to all items are held at a time.
_BLOCK = 512


class Measured(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


class Purity(NamedTuple):
    """How alike nearest items are in genre.

    Attributes:
        observed: share of an item's nearest items that share a genre with it.
        permuted: the same with genres shuffled at random; its 95 % range.
    """

    observed: Measured
    permuted: Measured


def measured(statistic: Callable[..., float], *samples: np.ndarray) -> Measured:
    """A statistic of independent samples [N] with its percentile bootstrap interval."""
    rng = np.random.default_rng(0)

    def resampled() -> list[np.ndarray]:
        return [s[rng.integers(0, len(s), size=len(s))] for s in samples]

    values = [statistic(*resampled()) for _ in range(_RESAMPLES)]
    low, high = np.quantile(values, [0.025, 0.975])
    return Measured(float(statistic(*samples)), float(low), float(high))


def mean_norm(points: np.ndarray) -> Measured:
    """Mean norm of points [N, D], in radii of the ball."""
    return measured(np.mean, np.linalg.norm(points, axis=1))


def norm_ratio(points: np.ndarray, others: np.ndarray) -> Measured:
    """Mean norm of points [N, D] over that of others [M, D]."""
    norms = (np.linalg.norm(x, axis=1) for x in (points, others))
    return measured(lambda one, other: float(one.mean() / other.mean()), *norms)


def norm_spread(points: np.ndarray) -> Measured:
    """Standard deviation of the norms over their mean: 0 on a sphere around 0."""
    norms = np.linalg.norm(points, axis=1)
    return measured(lambda sample: float(sample.std() / sample.mean()), norms)


def nearest(embedding: Embedding, items: np.ndarray) -> np.ndarray:
    """Positions [N, 10] in `items` [N] of each one's nearest others, nearest first."""
    points = embedding.items[items]
    rows = []
    for start in range(0, len(items), _BLOCK):
        distances = embedding.distances(points[start : start + _BLOCK], points)
        own = np.arange(start, start + len(distances))
        distances[np.arange(len(distances)), own] = np.inf
        count = min(NEIGHBOURS, len(items) - 1)
        rows.append(np.argsort(distances, axis=1, kind="stable")[:, :count])
    return np.concatenate(rows)


def purity(neighbours: np.ndarray, indicators: np.ndarray) -> Purity:
    """Genre purity of nearest neighbours against permuted genres.

    Args:
        neighbours: [N, K] positions.
        indicators: [N, G] bool, genres of each item.
    """

    def shares(genres: np.ndarray) -> np.ndarray:
        return (genres[neighbours] & genres[:, None]).any(axis=2).mean(axis=1)

    rng = np.random.default_rng(0)
    permuted = [
        float(shares(indicators[rng.permutation(len(indicators))]).mean())
        for _ in range(_PERMUTATIONS)
    ]
    low, high = np.quantile(permuted, [0.025, 0.975])
    null = Measured(float(np.mean(permuted)), float(low), float(high))
    return Purity(measured(np.mean, shares(indicators)), null)
