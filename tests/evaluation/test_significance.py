"""The comparison, recomputed the slow way: loops, and one user drawn at a time."""

import math

import numpy as np
import pytest
from scipy import stats

from hyperml_tf.evaluation import significance


def slow_ndcg(rank):
    return 1 / math.log(rank + 1, 2) if rank <= 10 else 0.0


def slow_wilcoxon(differences):
    """Normal approximation of the signed-rank test, from the textbook."""
    kept = [d for d in differences if d != 0]
    size = [abs(d) for d in kept]
    ranks = [
        1 + sum(s < mine for s in size) + (sum(s == mine for s in size) - 1) / 2
        for mine in size
    ]
    above = sum(r for r, d in zip(ranks, kept, strict=True) if d > 0)
    n = len(kept)
    ties = sum(size.count(s) ** 3 - size.count(s) for s in set(size))
    variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48
    z = (above - n * (n + 1) / 4) / math.sqrt(variance)
    return 2 * stats.norm.sf(abs(z))


@pytest.fixture
def two_models(rng):
    """Three seeds of each of two models, 400 users, one of them without a rank."""
    ranks = rng.geometric(0.15, size=(3, 400)).astype(float)
    others = rng.geometric(0.12, size=(3, 400)).astype(float)
    ranks[:, 7] = others[:, 7] = np.nan
    return ranks, others


def test_a_comparison_equals_the_slow_one(two_models):
    ranks, others = two_models
    found = significance.compare(ranks, others, "ndcg10")
    differences = [
        round(
            sum(map(slow_ndcg, ranks[:, user])) / 3
            - sum(map(slow_ndcg, others[:, user])) / 3,
            12,
        )
        for user in range(400)
        if user != 7
    ]
    assert found.users == 399
    assert found.difference == pytest.approx(sum(differences) / 399, abs=1e-12)
    assert found.p == pytest.approx(slow_wilcoxon(differences), rel=1e-6)
    rng = np.random.default_rng(1)
    means = [rng.choice(differences, 399).mean() for _ in range(10_000)]
    # Two bootstraps of 10,000 differ in their quantiles by about 1 % of the width.
    tolerance = 0.04 * (found.high - found.low)
    assert found.low == pytest.approx(np.quantile(means, 0.025), abs=tolerance)
    assert found.high == pytest.approx(np.quantile(means, 0.975), abs=tolerance)


def test_the_metric_is_averaged_over_seeds_not_the_ranks():
    # A hit in one of two seeds each, though the mean ranks, 9 and 11, say otherwise.
    found = significance.compare([[1.0], [17.0]], [[2.0], [20.0]], "hr10")
    assert found.difference == 0.0


def test_a_model_does_not_differ_from_itself(two_models):
    ranks, _ = two_models
    found = significance.compare(ranks, ranks, "hr10")
    assert found == (0.0, 0.0, 0.0, 1.0, 399)


def test_the_interval_covers_the_true_mean_as_often_as_it_says(rng):
    inside = 0
    for trial in range(200):
        low, high = significance.bootstrap_interval(
            rng.choice([-1.0, 0.0, 1.0], 300, p=[0.2, 0.5, 0.3]), 1000, seed=trial
        )
        inside += low <= 0.1 <= high
    # 190 expected; the binomial's standard deviation is 3.
    assert 180 <= inside <= 199


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, made monotone.
    assert significance.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx(
        [0.06, 0.04, 0.06, 0.06]
    )
    assert significance.holm([0.7, 0.6]) == [1.0, 1.0]
    assert significance.holm([0.2]) == [0.2]
    assert significance.holm([]) == []
