"""Whether one model's test metric differs from another's: paired over users.

Both models rank the same stored candidates, so a user's two values are a pair. A
user's value is the mean of the metric over seeds, so the users are the only sample:
what is asked is whether the difference would hold for other users of the same kind,
and `difference` is that of two cells of a table. Averaging the ranks instead, and
taking the metric of the averages, compares something else: on Games it made 2.4
points of a difference of .4, for one rank beyond 10 outweighs four before it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from hyperml_tf.evaluation import metrics

RESAMPLES = 10_000
LEVEL = 0.95
# Resamples drawn at a time: bounds the counts in memory to [250, distinct values].
_BLOCK = 250

#: Metrics that are compared, elementwise on ranks.
METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ndcg10": lambda ranks: metrics.ndcg(ranks, 10),
    "hr10": lambda ranks: metrics.hit_ratio(ranks, 10),
}


class Comparison(NamedTuple):
    """One model against another on one metric; the metric is a fraction.

    Attributes:
        difference: mean over users of the first minus the second.
        low: lower end of its bootstrap interval.
        high: upper end.
        p: two-sided p of Wilcoxon's signed-rank test, not corrected.
        users: number of users compared.
    """

    difference: float
    low: float
    high: float
    p: float
    users: int


def compare(
    ranks: Sequence[np.ndarray], other_ranks: Sequence[np.ndarray], metric: str
) -> Comparison:
    """Compares two models that ranked the same candidates.

    Args:
        ranks: one array [U] a seed, NaN for users without a held-out item.
        other_ranks: likewise, of the other model.
        metric: key of `METRICS`.
    """
    first, second = np.asarray(ranks), np.asarray(other_ranks)
    ranked = ~np.isnan(first).any(axis=0) & ~np.isnan(second).any(axis=0)
    value = METRICS[metric]
    differences = value(first[:, ranked]).mean(axis=0)
    differences -= value(second[:, ranked]).mean(axis=0)
    # Equal up to the rounding of the means is equal: ties matter to Wilcoxon's test.
    differences = differences.round(12)
    low, high = bootstrap_interval(differences)
    return Comparison(
        float(differences.mean()), low, high, wilcoxon(differences), len(differences)
    )


def bootstrap_interval(
    values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the mean of `values` [U] over resampled users.

    How often each distinct value is drawn in a resample of U users is multinomial, so
    the counts are drawn rather than the users: the same distribution, and far fewer
    numbers, since most users' difference is one of a few.
    """
    distinct, counts = np.unique(values, return_counts=True)
    rng = np.random.default_rng(seed)
    share = counts / counts.sum()
    means = [
        rng.multinomial(len(values), share, size=min(_BLOCK, resamples - start))
        @ distinct
        / len(values)
        for start in range(0, resamples, _BLOCK)
    ]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided p of the signed-rank test (Wilcoxon 1945); zero differences dropped.

    By the normal approximation with tied ranks corrected for: users are thousands and
    ties the rule. 1 where no difference is left.
    """
    if not np.any(differences):
        return 1.0
    test = stats.wilcoxon(differences, zero_method="wilcox", method="asymptotic")
    return float(test.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down correction, in the order of the input.

    The i-th smallest of n is multiplied by n - i + 1, then made monotone and capped.
    """
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected.tolist()
