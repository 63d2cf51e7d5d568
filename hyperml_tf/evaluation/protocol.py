"""Ranks held-out items: among stored negatives, or in the full catalogue.

Sampled metrics are the paper's protocol. They can order models wrongly (Krichene &
Rendle 2020), so the full catalogue stands beside them: every item but the user's
training items and, at test time, the validation item.
"""

import weakref
from collections.abc import Callable, MutableMapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.evaluation import metrics
from hyperml_tf.evaluation.screened import Screen
from hyperml_tf.models.base import Recommender

# Users scored at a time: [256, 101, 64] floats are 7 MB; the block of the full
# catalogue is sized to hold [users, I] float64 in 64 MB.
_SAMPLED_BLOCK = 256
_FULL_BLOCK_BYTES = 64 * 2**20
# Users known by their items alone: [64, 2,000, 64] float64 points are 66 MB.
_HISTORIES_BLOCK = 64
_IDS = tf.TensorSpec([None], tf.int32)
_SCORES = tf.TensorSpec([None, None], tf.float64)


class Ranking(NamedTuple):
    """Ranks of held-out items.

    Attributes:
        ranks: [U] of each user's first; NaN for users without one.
        candidates: [U] how many items it was ranked among, itself too; 0 likewise.
        more_users: [M] users of further held-out items, of a split by time.
        more_ranks: [M] ranks of these.
        shown: [S, k] the best items of each user with a held-out item, -1 where there
            are fewer; None if they were not asked for.
    """

    ranks: np.ndarray
    candidates: np.ndarray
    more_users: np.ndarray = np.zeros(0, np.int64)
    more_ranks: np.ndarray = np.zeros(0)
    shown: np.ndarray | None = None

    def summary(self) -> dict[str, float]:
        """Mean metrics, see `metrics.summary` and `metrics.summary_of_sets`."""
        if not len(self.more_users):
            return metrics.summary(self.ranks, self.candidates)
        users, ranks = self._pairs()
        return metrics.summary_of_sets(users, ranks, self.candidates)

    def of_sets(self) -> dict[str, float]:
        """Recall, precision and mean average precision, see `metrics.of_sets`."""
        return metrics.of_sets(*self._pairs())

    def _pairs(self):
        users = np.flatnonzero(~np.isnan(self.ranks))
        return (
            np.concatenate([users, self.more_users]),
            np.concatenate([self.ranks[users], self.more_ranks]),
        )


def sampled(model: Recommender, interactions: Interactions, split: str) -> Ranking:
    """Ranks each user's first held-out item among the user's stored negatives.

    Args:
        model: the model to score with.
        interactions: the prepared dataset.
        split: "valid" or "test".
    """
    held_out, negatives = _split(interactions, split)
    users = np.flatnonzero(held_out >= 0)
    result = _empty(interactions)
    traced = _traced(model)
    folded = len(interactions.history_user) > 0
    block_size = _HISTORIES_BLOCK if folded else _SAMPLED_BLOCK
    for start in range(0, len(users), block_size):
        block = users[start : start + block_size]
        items = np.concatenate([held_out[block, np.newaxis], negatives[block]], axis=1)
        eligible = items >= 0
        items = np.maximum(items, 0)
        if folded:
            everything = traced.score_histories(_histories(interactions, block))
            scores = np.take_along_axis(everything.numpy(), items, axis=1)
        else:
            scores = traced.score(block.astype(np.int32), items).numpy()
        result.ranks[block] = metrics.ranks(scores, eligible)
        result.candidates[block] = eligible.sum(axis=1)
    return result


def full(
    model: Recommender, interactions: Interactions, split: str, show: int = 0
) -> Ranking:
    """Ranks each held-out item in the catalogue, without the items already known.

    Args:
        model: the model to score with.
        interactions: the prepared dataset.
        split: "valid" (training items left out) or "test" (validation items too).
        show: k, how many of the best items to return of each user.
    """
    users, items = interactions.held_out(split)
    first = int((_split(interactions, split)[0] >= 0).sum())
    known = _Known(interactions, split)
    result = _empty(interactions)
    ranks, candidates = np.zeros(len(users)), np.zeros(len(users), np.int64)
    shown = np.full((first if show else 0, show), -1)
    block_size = max(1, _FULL_BLOCK_BYTES // (8 * interactions.num_items))
    if len(interactions.history_user):
        block_size = min(block_size, _HISTORIES_BLOCK)
    traced = _traced(model)

    def scores_of(block: np.ndarray) -> tf.Tensor:
        if len(interactions.history_user):
            return traced.score_histories(_histories(interactions, block))
        return traced.score_all(np.int32(block))

    screen = None if show else _screen(model, interactions)
    for start in range(0, len(users), block_size):
        block = users[start : start + block_size]
        mine = items[start : start + block_size]
        known_row, known_item = (each.astype(np.int32) for each in known.of(block))
        left = interactions.num_items - np.bincount(known_row, minlength=len(block))
        if screen:
            better, unsure = screen.count(block, mine, known_row, known_item)
            rank = 1.0 + better
            if unsure.any():
                again = block[unsure]
                rank[unsure] = _ranks(
                    scores_of(again), mine[unsure], known.of(again), left[unsure]
                )
        else:
            scores = scores_of(block)
            rank = _ranks(scores, mine, (known_row, known_item), left)
        ranks[start : start + block_size] = rank
        candidates[start : start + block_size] = left
        if show and start < first:
            best = _best(scores, known_row, known_item, np.int32(show)).numpy()
            best[np.arange(best.shape[1]) >= left[:, np.newaxis]] = -1
            lines = shown[start : start + block_size]
            lines[:, : best.shape[1]] = best[: len(lines)]
    result.ranks[users[:first]] = ranks[:first]
    result.candidates[users[:first]] = candidates[:first]
    return result._replace(
        more_users=users[first:],
        more_ranks=ranks[first:],
        shown=shown if show else None,
    )


def _screen(model: Recommender, interactions: Interactions) -> Screen | None:
    """What counts in float32; None where scores are no products of vectors."""
    if len(interactions.history_user):
        return None
    points = model.retrieval_points()
    return Screen(points) if points and points.measure.is_product else None


def _ranks(
    scores: tf.Tensor,
    targets: np.ndarray,
    known: tuple[np.ndarray, np.ndarray],
    left: np.ndarray,
) -> np.ndarray:
    """Ranks [B] of the targets by scores [B, I]; last, of those left, where NaN."""
    pairs = (each.astype(np.int32) for each in (targets, *known))
    better, tied, is_nan = _compare(scores, *pairs)
    return np.where(is_nan.numpy(), left, 1 + better.numpy() + tied.numpy() / 2)


class _Known:
    """What users have when a split is ranked: these items are left out."""

    def __init__(self, interactions: Interactions, split: str):
        parts = [
            (interactions.train_user, interactions.train_item),
            (interactions.history_user, interactions.history_item),
        ]
        if split == "test":
            parts.append(interactions.held_out("valid"))
        users, items = (np.concatenate(side) for side in zip(*parts, strict=True))
        order = np.argsort(users, kind="stable")
        self._items = items[order]
        self._splits = np.searchsorted(
            users[order], np.arange(interactions.num_users + 1)
        )

    def of(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places [N] among users [B], and what these have, [N]."""
        lengths = self._splits[users + 1] - self._splits[users]
        place = np.repeat(np.arange(len(users)), lengths)
        offset = np.arange(len(place)) - np.repeat(
            np.cumsum(lengths) - lengths, lengths
        )
        return place, self._items[self._splits[users][place] + offset]


def _histories(interactions: Interactions, users: np.ndarray) -> np.ndarray:
    """[B, n] int32: what users who are not trained on are ranked by, padded with I."""
    whose = interactions.history_user
    first = np.searchsorted(whose, users)
    last = np.searchsorted(whose, users, side="right")
    place = np.arange(max(1, int((last - first).max(initial=0))))
    inside = place < (last - first)[:, np.newaxis]
    at = np.minimum(first[:, np.newaxis] + place, len(whose) - 1)
    items = interactions.history_item[at]
    return np.where(inside, items, interactions.num_items).astype(np.int32)


_RANKINGS: dict[bool, Callable[..., Ranking]] = {False: sampled, True: full}


def evaluate(
    model: Recommender,
    interactions: Interactions,
    split: str = "test",
    full: bool = False,
) -> dict[str, float]:
    """Metrics of a model on the held-out items of a dataset.

    Args:
        model: a trained model.
        interactions: the dataset.
        split: "valid" or "test".
        full: rank in the full catalogue, instead of among the sampled negatives.

    Returns:
        Fractions by name, as of `metrics.summary`: hr10, ndcg10, mrr, auc and others;
        in the full catalogue also recall10, precision10, map10, recall20 ….

    Raises:
        InputError: the dataset has no held-out items or is of another size than the
            model, or the model has weights that are not finite.
    """
    model.check_sizes(interactions)
    model.check_finite()
    held_out, _ = _split(interactions, split)
    if not (held_out >= 0).any():
        raise InputError(
            f"{interactions.name} has no held-out items to evaluate on; make it with "
            "hold_out=True"
        )
    ranking = _RANKINGS[full](model, interactions, split)
    return ranking.summary() | (ranking.of_sets() if full else {})


class _Traced(NamedTuple):
    """What TensorFlow compiles of a model to rank by it."""

    score: Callable[..., tf.Tensor]
    score_all: Callable[..., tf.Tensor]
    score_histories: Callable[..., tf.Tensor]


# A validation every epoch would trace them anew.
_TRACED: MutableMapping[Recommender, _Traced] = weakref.WeakKeyDictionary()


def _traced(model: Recommender) -> _Traced:
    if model not in _TRACED:
        mine = weakref.proxy(model)  # else the entry would keep its own key
        lists = tf.TensorSpec([None, None], tf.int32)

        def traced(function: Callable, *signature: tf.TensorSpec) -> Callable:
            return tf.function(function, input_signature=signature, autograph=False)

        _TRACED[model] = _Traced(
            traced(lambda u, items: mine.score(u[:, tf.newaxis], items), _IDS, lists),
            traced(lambda users: _as_float64(mine.score_all(users)), _IDS),
            traced(lambda items: _as_float64(mine.score_histories(items)), lists),
        )
    return _TRACED[model]


def _as_float64(scores):
    return tf.cast(scores, tf.float64)


@tf.function(input_signature=[_SCORES, _IDS, _IDS, _IDS], autograph=False)
def _compare(scores, targets, known_row, known_item):
    """Items better than and tied with the target, known items taken off again."""
    target = tf.gather(scores, targets, batch_dims=1)
    known = tf.gather_nd(scores, tf.stack([known_row, known_item], axis=1))
    known_target = tf.gather(target, known_row)
    count = tf.math.unsorted_segment_sum

    def eligible(compare):
        everywhere = tf.reduce_sum(
            tf.cast(compare(scores, target[:, tf.newaxis]), tf.int32), axis=1
        )
        among_known = tf.cast(compare(known, known_target), tf.int32)
        return everywhere - count(among_known, known_row, tf.size(targets))

    better, tied = eligible(tf.greater), eligible(tf.equal)
    return better, tied - 1, tf.math.is_nan(target)  # the target ties with itself


@tf.function(
    input_signature=[_SCORES, _IDS, _IDS, tf.TensorSpec([], tf.int32)], autograph=False
)
def _best(scores, known_row, known_item, k):
    """[B, k] the k best items, or as many as there are, of those that are not known."""
    index = tf.stack([known_row, known_item], axis=1)
    lowest = tf.fill([tf.size(known_row)], tf.constant(-np.inf, scores.dtype))
    left = tf.tensor_scatter_nd_update(scores, index, lowest)
    return tf.math.top_k(left, tf.minimum(k, tf.shape(scores)[1])).indices


def _split(interactions: Interactions, split: str):
    if split not in ("valid", "test"):
        raise ValueError(f"split must be valid or test, got {split!r}")
    return (
        getattr(interactions, f"{split}_item"),
        getattr(interactions, f"{split}_negatives"),
    )


def _empty(interactions: Interactions) -> Ranking:
    users = interactions.num_users
    return Ranking(np.full(users, np.nan), np.zeros(users, np.int64))
