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
from hyperml_tf.models.base import Recommender

# Users scored at a time: [256, 101, 64] floats are 7 MB; the block of the full
# catalogue is sized to hold [users, I] float64 in 64 MB.
_SAMPLED_BLOCK = 256
_FULL_BLOCK_BYTES = 64 * 2**20


class Ranking(NamedTuple):
    """Ranks of held-out items; both [U], NaN and 0 for users without one."""

    ranks: np.ndarray
    candidates: np.ndarray

    def summary(self) -> dict[str, float]:
        """Mean metrics, see `metrics.summary`."""
        return metrics.summary(self.ranks, self.candidates)


def sampled(model: Recommender, interactions: Interactions, split: str) -> Ranking:
    """Ranks each held-out item among the user's stored negatives.

    Args:
        model: the model to score with.
        interactions: the prepared dataset.
        split: "valid" or "test".
    """
    held_out, negatives = _split(interactions, split)
    users = np.flatnonzero(held_out >= 0)
    result = _empty(interactions)
    score = _traced(model).score
    for start in range(0, len(users), _SAMPLED_BLOCK):
        block = users[start : start + _SAMPLED_BLOCK]
        items = np.concatenate([held_out[block, np.newaxis], negatives[block]], axis=1)
        eligible = items >= 0
        scores = score(block.astype(np.int32), np.maximum(items, 0)).numpy()
        result.ranks[block] = metrics.ranks(scores, eligible)
        result.candidates[block] = eligible.sum(axis=1)
    return result


def full(model: Recommender, interactions: Interactions, split: str) -> Ranking:
    """Ranks each held-out item in the catalogue, without the items already known.

    Args:
        model: the model to score with.
        interactions: the prepared dataset.
        split: "valid" (training items left out) or "test" (the validation item too).
    """
    held_out, _ = _split(interactions, split)
    users = np.flatnonzero(held_out >= 0)
    result = _empty(interactions)
    splits = interactions.row_splits
    block_size = max(1, _FULL_BLOCK_BYTES // (8 * interactions.num_items))
    compare = _traced(model).compare
    for start in range(0, len(users), block_size):
        block = users[start : start + block_size]
        lengths = splits[block + 1] - splits[block]
        known_row = np.repeat(np.arange(len(block)), lengths)
        offset = np.arange(len(known_row)) - np.repeat(
            np.cumsum(lengths) - lengths, lengths
        )
        known_item = interactions.train_item[splits[block][known_row] + offset]
        if split == "test":
            known_row = np.concatenate([known_row, np.arange(len(block))])
            known_item = np.concatenate([known_item, interactions.valid_item[block]])
        arguments = block, held_out[block], known_row, known_item
        better, tied, is_nan = compare(*(np.int32(a) for a in arguments))
        known = np.bincount(known_row, minlength=len(block))
        candidates = interactions.num_items - known
        rank = 1 + better.numpy() + tied.numpy() / 2
        result.ranks[block] = np.where(is_nan.numpy(), candidates, rank)
        result.candidates[block] = candidates
    return result


_RANKINGS = {False: sampled, True: full}


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
        Fractions by name, as of `metrics.summary`: hr10, ndcg10, mrr, auc and others.

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
    return _RANKINGS[full](model, interactions, split).summary()


class _Traced(NamedTuple):
    """What TensorFlow compiles of a model to rank by it."""

    score: Callable[..., tf.Tensor]
    compare: Callable[..., tuple[tf.Tensor, ...]]


# A validation every epoch would trace them anew.
_TRACED: MutableMapping[Recommender, _Traced] = weakref.WeakKeyDictionary()


def _traced(model: Recommender) -> _Traced:
    if model not in _TRACED:
        mine = weakref.proxy(model)  # else the entry would keep its own key
        users = tf.TensorSpec([None], tf.int32)
        items = tf.TensorSpec([None, None], tf.int32)
        _TRACED[model] = _Traced(
            tf.function(
                lambda user, item: mine.score(user[:, tf.newaxis], item),
                input_signature=[users, items],
                autograph=False,
            ),
            tf.function(
                lambda *block: _compare(mine, *block),
                input_signature=[users] * 4,
                autograph=False,
            ),
        )
    return _TRACED[model]


def _compare(model, users, targets, known_row, known_item):
    """Items better than and tied with the target, known items taken off again."""
    scores = model.score_all(users)
    target = tf.gather(scores, targets, batch_dims=1)
    known = tf.gather_nd(scores, tf.stack([known_row, known_item], axis=1))
    known_target = tf.gather(target, known_row)
    count = tf.math.unsorted_segment_sum

    def eligible(compare):
        everywhere = tf.reduce_sum(
            tf.cast(compare(scores, target[:, tf.newaxis]), tf.int32), axis=1
        )
        among_known = tf.cast(compare(known, known_target), tf.int32)
        return everywhere - count(among_known, known_row, tf.size(users))

    better, tied = eligible(tf.greater), eligible(tf.equal)
    return better, tied - 1, tf.math.is_nan(target)  # the target ties with itself


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
