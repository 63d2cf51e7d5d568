"""From ranks to metrics.

A rank is 1-based and can be fractional: tied scores take the mean of the positions
they share, so a model that scores all alike ranks everything in the middle. A NaN
score ranks last. Metrics are fractions.
"""

import numpy as np

CUTOFFS = (1, 5, 10, 20)


def ranks(scores: np.ndarray, eligible: np.ndarray | None = None) -> np.ndarray:
    """Ranks of the first candidate of every row among its row.

    Args:
        scores: [B, C], higher is better; the held-out item in column 0.
        eligible: [B, C] bool, False where a candidate is padding.

    Returns:
        [B] float64 ranks: 1 + better + tied/2, and last place for a NaN target.
    """
    target, others = scores[:, :1], scores[:, 1:]
    counted = np.ones(others.shape, bool) if eligible is None else eligible[:, 1:]
    better = np.sum((others > target) & counted, axis=1)
    tied = np.sum((others == target) & counted, axis=1)
    last = 1.0 + counted.sum(axis=1)
    return np.where(np.isnan(target[:, 0]), last, 1 + better + tied / 2)


def hit_ratio(ranks: np.ndarray, k: int) -> np.ndarray:
    """HR@k per user: 1 where rank <= k, else 0; [U] of ranks [U]."""
    return (ranks <= k).astype(np.float64)


def ndcg(ranks: np.ndarray, k: int) -> np.ndarray:
    """nDCG@k per user with one relevant item: 1/log₂(rank + 1) where rank <= k."""
    return np.where(ranks <= k, 1 / np.log2(ranks + 1), 0.0)


def ndcg_method0(ranks: np.ndarray, k: int) -> np.ndarray:
    """nDCG@k with gains 1, 1, 1/log₂3, 1/log₂4 …: the discount starts at rank 2.

    A formula found in the wild, reported beside the standard one because that does
    not explain the paper's ratio of nDCG@10 to HR@10 on ML-1M (docs/departures.md).
    """
    return np.where(ranks <= k, 1 / np.log2(np.maximum(ranks, 2)), 0.0)


def reciprocal_rank(ranks: np.ndarray) -> np.ndarray:
    """1/rank per user."""
    return 1 / ranks


def auc(ranks: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Share of the other candidates that rank below the held-out item.

    Args:
        ranks: [U].
        candidates: [U] number of candidates ranked, the held-out item included.
    """
    return (candidates - ranks) / np.maximum(candidates - 1, 1)


def summary(ranks: np.ndarray, candidates: np.ndarray) -> dict[str, float]:
    """Means over the users that have a rank.

    Args:
        ranks: [U], NaN for users without a held-out item.
        candidates: [U] number of candidates ranked.

    Returns:
        hr1 … hr20, ndcg1 … ndcg20, ndcg10_method0, mrr, auc as fractions, `users`.
    """
    ranked = ~np.isnan(ranks)
    ranks, candidates = ranks[ranked], candidates[ranked]
    result: dict[str, float] = {"users": int(ranked.sum())}
    if not len(ranks):
        return result
    for k in CUTOFFS:
        result[f"hr{k}"] = float(hit_ratio(ranks, k).mean())
        result[f"ndcg{k}"] = float(ndcg(ranks, k).mean())
    result["ndcg10_method0"] = float(ndcg_method0(ranks, 10).mean())
    result["mrr"] = float(reciprocal_rank(ranks).mean())
    result["auc"] = float(auc(ranks, candidates).mean())
    return result
