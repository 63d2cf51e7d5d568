"""The served model: raw string ids in, raw ids with scores and distances out.

Everything is a function of variables and tables, so the SavedModel loads with
TensorFlow alone. Placement is the CPU's: on a GPU float32 products may run in TF32,
which voids the bound that `exact` proves its order with.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.serving.catalogue import in_blocks
from hyperml_tf.serving.filters import Filter
from hyperml_tf.serving.rankers import PointRanker, ScoreRanker

# A block of users is as large as this much memory allows.
_BLOCK_BYTES = 1 << 28

#: Where a request does not say.
DEFAULT_K = 10


class Known(NamedTuple):
    """What users are known to have touched, held-out items included.

    Attributes:
        items: [N] int32, ascending within each user.
        splits: [U+1] int64: user u's are items[splits[u]:splits[u+1]].
    """

    items: np.ndarray
    splits: np.ndarray


def known_items(interactions: Interactions) -> Known:
    """Training, validation and test items of every user."""
    everything = interactions.unsplit()
    users, items = everything.train_user, everything.train_item
    order = np.lexsort((items, users))
    splits = np.searchsorted(users[order], np.arange(interactions.num_users + 1))
    return Known(items[order].astype(np.int32), splits.astype(np.int64))


def popularity_order(interactions: Interactions) -> np.ndarray:
    """[I] int32 items by training interactions, most first, as `models.Popularity`."""
    counts = np.bincount(interactions.train_item, minlength=interactions.num_items)
    return np.argsort(-counts, kind="stable").astype(np.int32)


class Service(tf.Module):
    """One trained model behind raw ids.

    Args:
        interactions: the dataset it was trained on: ids, known items, popularity.
        ranker: answers by rows.
        folds_in: whether the model can answer for users known by items alone.
    """

    def __init__(
        self,
        interactions: Interactions,
        ranker: PointRanker | ScoreRanker,
        folds_in: bool,
    ):
        super().__init__()
        self._ranker, self._folds_in = ranker, folds_in
        self._num_items = interactions.num_items
        self._users = _lookup(interactions.user_ids)
        self._items = _lookup(interactions.item_ids)
        self._item_ids = tf.Variable(interactions.item_ids, trainable=False)
        known = known_items(interactions)
        self._known_items = tf.Variable(known.items, trainable=False)
        self._known_splits = tf.Variable(known.splits, trainable=False)
        self._popular = tf.Variable(popularity_order(interactions), trainable=False)

    def signatures(self) -> dict[str, Callable]:
        """The functions that a SavedModel of this module serves, by name.

        Requests may leave out `k` and `exclude_seen` where the server honours the
        defaults of a signature.
        """
        ids, lists = (tf.TensorSpec([None] * n, tf.string) for n in (1, 2))
        integer, boolean = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.bool)
        default_k = tf.constant(DEFAULT_K)

        @tf.function(input_signature=[ids, integer, boolean], autograph=False)
        def recommend(user_ids, k=default_k, exclude_seen=tf.constant(True)):  # noqa: B008
            return self.recommend(user_ids, k, exclude_seen)

        histories = tf.TensorSpec([None, None], tf.string)

        @tf.function(input_signature=[histories, integer, boolean], autograph=False)
        def recommend_for_items(
            item_ids,
            k=default_k,
            exclude_seen=tf.constant(True),  # noqa: B008
        ):
            return self.recommend_for_items(item_ids, k, exclude_seen)

        @tf.function(
            input_signature=[ids, integer, boolean, lists, lists], autograph=False
        )
        def recommend_filtered(
            user_ids,
            k=default_k,
            exclude_seen=tf.constant(True),  # noqa: B008
            exclude_items=tf.constant([[""]]),  # noqa: B008
            allowed_items=tf.constant([[""]]),  # noqa: B008
        ):
            only = Filter.of(self._items, exclude_items, allowed_items)
            return self.recommend(user_ids, k, exclude_seen, only)

        @tf.function(input_signature=[ids, ids], autograph=False)
        def score(user_ids, item_ids):
            return self.score(user_ids, item_ids)

        @tf.function(input_signature=[ids, integer], autograph=False)
        def similar_items(item_ids, k=default_k):
            return self.similar_items(item_ids, k)

        signatures = {
            "serving_default": recommend,
            "recommend": recommend,
            "recommend_filtered": recommend_filtered,
            "score": score,
        }
        if isinstance(self._ranker, PointRanker):
            signatures["similar_items"] = similar_items
        if self._folds_in:
            signatures["recommend_for_items"] = recommend_for_items
        return signatures

    def recommend(
        self,
        user_ids: tf.Tensor,
        k: tf.Tensor,
        exclude_seen: tf.Tensor,
        only: Filter | None = None,
    ) -> dict[str, tf.Tensor]:
        """The k best items of users.

        Args:
            user_ids: [B] strings.
            k: scalar >= 1.
            exclude_seen: scalar; leave out all that the user is known to have touched.
            only: what else is left out, and what is allowed.

        Returns:
            "item_ids" [B, K], K = min(k, I), "" where fewer are left; "scores" and,
            if the model measures distance, "distances", [B, K] float64, NaN where
            there is no item; "known_users" [B]. An unknown user gets the most popular
            items, as the filter has them, with NaN for values.
        """
        users, k = self._users.lookup(user_ids), self._at_most_all(k)
        if only is not None:
            with tf.control_dependencies(only.check(users)):
                users = tf.identity(users)

        def answer(start, stop):
            known = users[start:stop] >= 0
            rows = tf.maximum(users[start:stop], 0)
            excluded = self._excluded(rows, exclude_seen)
            part = None if only is None else only.part(start, stop)
            found = self._ranker.recommend(rows, excluded, k, part)
            return self._or_popular(*found, known, part)

        more = 0 if only is None else self._ranker.filter_bytes(only)
        return self._by_blocks(answer, tf.size(users), k + self._most_seen(), more)

    def recommend_for_items(
        self, item_ids: tf.Tensor, k: tf.Tensor, exclude_seen: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The k best items of users who were not in training, known by items alone.

        Args:
            item_ids: [B, n] strings, each row the items of a user in any order, padded
                with "". An item that comes twice counts once; one that is not of the
                catalogue is left out and counted.
            k: scalar >= 1.
            exclude_seen: scalar; leave out these items.

        Returns:
            As of `recommend`, with "unknown_items" [B] int32, how many were left out.
            Where that leaves none, "known_users" is false and the items are the most
            popular ones.
        """
        k, padding = self._at_most_all(k), self._num_items
        rows = self._items.lookup(item_ids)
        unknown = tf.math.count_nonzero(
            (rows < 0) & tf.not_equal(item_ids, ""), axis=1, dtype=tf.int32
        )
        rows = tf.sort(tf.where(rows < 0, padding, rows), axis=1)
        again = tf.equal(rows[:, 1:], rows[:, :-1])
        again = tf.pad(again, [[0, 0], [1, 0]])[:, : tf.shape(rows)[1]]
        # One column of padding at least, as of `_excluded`.
        rows = tf.sort(tf.where(again, padding, rows), axis=1)
        rows = tf.pad(rows, [[0, 0], [0, 1]], constant_values=padding)

        def answer(start, stop):
            mine = rows[start:stop]
            excluded = tf.where(exclude_seen, mine, padding)
            found = self._ranker.recommend_for(mine, excluded, k)
            shown = self._or_popular(*found, tf.reduce_any(mine < padding, axis=1))
            return shown | {"unknown_items": unknown[start:stop]}

        return self._by_blocks(answer, tf.shape(rows)[0], k + tf.shape(rows)[1])

    def similar_items(self, item_ids: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The k items nearest to items, by the model's own measure.

        Args:
            item_ids: [B] strings.
            k: scalar >= 1.

        Returns:
            As of `recommend`, with "known_items" [B] for "known_users"; an unknown
            item gets "" and NaN.
        """
        wanted, k = self._items.lookup(item_ids), self._at_most_all(k)

        def answer(start, stop):
            known = wanted[start:stop] >= 0
            items, values = self._ranker.similar(tf.maximum(wanted[start:stop], 0), k)
            items = tf.where(known[:, tf.newaxis], items, -1)
            return self._shown(items, values, known[:, tf.newaxis]) | {
                "known_items": known
            }

        return self._by_blocks(answer, tf.size(wanted), k + self._most_seen())

    def score(self, user_ids: tf.Tensor, item_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores of pairs.

        Args:
            user_ids: [B] strings.
            item_ids: [B] strings, all of the catalogue.

        Returns:
            "scores" and, if the model measures distance, "distances", [B] float64,
            NaN for unknown users; "known_users" [B].

        Raises:
            InvalidArgumentError: an item is unknown, or lengths differ.
        """
        # What is scored waits for the checks: else its own error could come first.
        one_length = tf.debugging.Assert(
            tf.equal(tf.size(user_ids), tf.size(item_ids)),
            ["user_ids and item_ids must be of one length"],
        )
        with tf.control_dependencies([one_length]):
            users, items = self._users.lookup(user_ids), self._items.lookup(item_ids)
            unknown = tf.boolean_mask(item_ids, items < 0)
        in_catalogue = tf.debugging.Assert(
            tf.equal(tf.size(unknown), 0),
            ["item_ids not in the catalogue:", unknown],
        )
        with tf.control_dependencies([in_catalogue]):
            users, items = tf.identity(users), tf.identity(items)
        values = self._ranker.score(tf.maximum(users, 0), tf.maximum(items, 0))
        known = users >= 0
        shown = {name: tf.where(known, value, np.nan) for name, value in values.items()}
        return shown | {"known_users": known}

    def _excluded(self, users, exclude_seen):
        """[B, E] int32, ascending, padded with I: what users are known to have touched.

        E >= 1, since the padding is one column at least.
        """
        first = tf.gather(self._known_splits, users)
        last = tf.where(exclude_seen, tf.gather(self._known_splits, users + 1), first)
        places = tf.ragged.range(first, last)
        seen = tf.gather(self._known_items, places).to_tensor(self._num_items)
        return tf.pad(seen, [[0, 0], [0, 1]], constant_values=self._num_items)

    def _most_popular(self, k, known, only):
        """[A, K] the most popular items, as the filter has them; -1 where none is.

        Without a filter where all users are known, since nobody asks for it.
        """
        first = self._popular[tf.newaxis, :k]
        if only is None:
            return first

        def filtered():
            wanted = tf.gather(only.mask(self._num_items), self._popular, axis=1)
            places = tf.where(wanted, tf.range(self._num_items), self._num_items)
            places = -tf.math.top_k(-places, k).values
            items = tf.gather(self._popular, tf.minimum(places, self._num_items - 1))
            return tf.where(places < self._num_items, items, -1)

        return tf.cond(tf.reduce_all(known), lambda: first, filtered)

    def _at_most_all(self, k):
        """min(k, I), so that sums with it fit 32 bits."""
        positive = tf.debugging.Assert(k > 0, ["k must be >= 1:", k])
        with tf.control_dependencies([positive]):
            return tf.minimum(k, self._num_items)

    def _or_popular(self, items, values, known, only=None):
        """What is shown of items [B, K]; the most popular ones where not known [B]."""
        popular = self._most_popular(tf.shape(items)[1], known, only)
        popular = tf.broadcast_to(popular, tf.shape(items))
        items = tf.where(known[:, tf.newaxis], items, popular)
        shown = self._shown(items, values, known[:, tf.newaxis])
        return shown | {"known_users": known}

    def _shown(self, items, values, known):
        """Raw ids and values of items [B, K]; values only of what is known."""
        exists = items >= 0
        ids = tf.gather(self._item_ids, tf.maximum(items, 0))
        shown = {"item_ids": tf.where(exists, ids, "")}
        for name, value in values.items():
            shown[name] = tf.where(exists & known, value, np.nan)
        return shown

    def _most_seen(self):
        splits = self._known_splits
        return tf.cast(tf.reduce_max(splits[1:] - splits[:-1]), tf.int32)

    def _by_blocks(self, answer, count, candidates, more_bytes=0):
        """Answers of `count` rows, each of which re-scores so many candidates."""
        per_query = tf.cast(candidates, tf.int64) * self._ranker.bytes_per_candidate
        per_query += self._ranker.bytes_per_query + more_bytes
        size = _BLOCK_BYTES // per_query
        size = tf.cast(tf.maximum(size, 1), tf.int32)
        return in_blocks(answer, count, size)


def _lookup(ids: Sequence[str]) -> tf.lookup.StaticHashTable:
    """Raw ids to rows, -1 for unknown ones."""
    rows = tf.range(len(ids), dtype=tf.int32)
    entries = tf.lookup.KeyValueTensorInitializer(tf.constant(list(ids)), rows)
    return tf.lookup.StaticHashTable(entries, default_value=-1)
