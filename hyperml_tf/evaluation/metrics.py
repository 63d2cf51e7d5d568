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


#: Cutoffs of recall, precision and mean average precision.
SET_CUTOFFS = (10, 20)


def summary_of_sets(
    users: np.ndarray, ranks: np.ndarray, candidates: np.ndarray
) -> dict[str, float]:
    """`summary` where users have several relevant items: means over users.

        nDCG@k = Σ_{r_j <= k} 1/log₂(r_j + 1)  /  Σ_{i <= min(n, k)} 1/log₂(i + 1)

    over the ranks r_1 < … < r_n of a user's items (Järvelin & Kekäläinen 2002); where
    these share a place, the ranks that they have one after the other. HR@k
    is 1 if one of them is among the k best, the reciprocal rank that of the best one,
    and AUC the share of the other candidates below an item, averaged over the items.

    Args:
        users: [P] of each relevant item.
        ranks: [P].
        candidates: [U] number of candidates ranked, relevant ones included.
    """
    who, place, relevant, ranks, users = _by_user(users, ranks)
    mean = _mean_over(len(users))
    result: dict[str, float] = {"users": len(users)}
    best = ranks[place == 1]
    for k in CUTOFFS:
        gain = np.where(ranks <= k, 1 / np.log2(ranks + 1), 0.0)
        ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))[np.minimum(relevant, k) - 1]
        result[f"hr{k}"] = float(hit_ratio(best, k).mean())
        result[f"ndcg{k}"] = mean(gain / ideal[who])
    result["mrr"] = float(reciprocal_rank(best).mean())
    others = np.maximum(candidates[users] - relevant, 1)
    result["auc"] = mean((1 - (ranks - place) / others[who]) / relevant[who])
    return result


def of_sets(users: np.ndarray, ranks: np.ndarray) -> dict[str, float]:
    """Recall@k, precision@k and mean average precision MAP@k, means over users.

        recall@k = h/n,   precision@k = h/k,   AP@k = Σ_{r_j <= k} (j/r_j) / min(n, k)

    with h of a user's n relevant items among the k best, at ranks r_1 < … < r_h.

    Args:
        users: [P] of each relevant item.
        ranks: [P].
    """
    who, place, relevant, ranks, users = _by_user(users, ranks)
    mean = _mean_over(len(users))
    result = {}
    for k in SET_CUTOFFS:
        hit = (ranks <= k).astype(float)
        result[f"recall{k}"] = mean(hit / relevant[who])
        result[f"precision{k}"] = mean(hit / k)
        result[f"map{k}"] = mean(hit * place / ranks / np.minimum(relevant, k)[who])
    return result


def _by_user(users, ranks):
    """Pairs by user, then rank: who [P], its place [P] from 1, n [U'], ranks, users."""
    order = np.lexsort((ranks, users))
    users, who, relevant = np.unique(
        users[order], return_inverse=True, return_counts=True
    )
    begin = np.cumsum(relevant) - relevant
    place = np.arange(len(who)) - begin[who] + 1
    ranks = ranks[order]
    # Relevant items that are tied share a mean rank: k places would hold more than k.
    new = np.ones(len(who), bool)
    new[1:] = (who[1:] != who[:-1]) | (ranks[1:] != ranks[:-1])
    tie = np.cumsum(new) - 1
    first, size = np.flatnonzero(new)[tie], np.bincount(tie)[tie]
    ranks = ranks + (np.arange(len(who)) - first + 1) - (size + 1) / 2
    return who, place, relevant, ranks, users


def _mean_over(users):
    return lambda values: float(np.sum(values) / max(users, 1))


def coverage(shown: np.ndarray, num_items: int) -> float:
    """Share of the catalogue that somebody is shown, of lists [S, k] padded with -1."""
    return len(np.unique(shown[shown >= 0])) / num_items


def novelty(shown: np.ndarray, train_item: np.ndarray, num_users: int) -> float:
    """Mean surprise of what is shown, in bits: -log₂ of the share of users with it.

    An item without training interactions counts as one that a single user has
    (Zhou et al. 2010).

    Args:
        shown: [S, k] items, padded with -1.
        train_item: [N] training interactions.
        num_users: U.
    """
    items = shown[shown >= 0]
    counts = np.bincount(train_item, minlength=int(items.max(initial=0)) + 1)
    share = np.maximum(counts, 1) / num_users
    return float(-np.log2(share)[items].mean())
