"""Streams (user, positive item, negative item) triplets with tf.data.

One epoch visits every training interaction once, in an order that is a function of
(seed, epoch); each gets a negative uniform over the items outside the user's
*training* items. Held-out items can be drawn: rejecting them would leak. The stream
is a pure function of (seed, epoch, position), so it can start at any epoch, and
parallel workers do not change it. Memory does not grow with the epoch's length.

The draw never rejects. With the user's training items sorted, s_0 < s_1 < …, of I
items, and r uniform on 0 … I-n-1, the r-th eligible item is r + #{j : s_j - j <= r}.
The keys user·I + s_j - j ascend over the whole training set, so that count is one
binary search for user·I + r.

Negatives by popularity are drawn likewise: an item then stands for as many places as
it has training interactions, one place after the other, and r is one of the places
that are left.
"""

import copy
from types import ModuleType
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.data.operations import TENSORFLOW, Operations

#: Batches drawn at a time: enough to make the cost of graph execution vanish, small
#: enough (64 x 512 triplets) to stay in cache.
BATCHES_PER_CHUNK = 64


class Share(NamedTuple):
    """What part of a batch a replica has.

    Attributes:
        start: positives of the batch before its first.
        positives: how many it has; at least 1, see `TripletSampler.shares`.
        batch: positives of the whole batch.
        weight: share of the batch's mean, positives / batch; 0 for a part that only
            repeats what another replica has.
    """

    start: tf.Tensor
    positives: tf.Tensor
    batch: tf.Tensor
    weight: tf.Tensor


class Known(NamedTuple):
    """What a draw reads: the training set, arranged for `TripletSampler.draw`.

    Attributes:
        pairs: users and positives of the triplets of an epoch, [N, 2] int32.
        keys: [all interactions] int64, see this module's docstring.
        row_splits: [U+1] int64, where each user's keys begin and end.
        taken: [all interactions + 1] int64, places of the items before each key; empty
            where every item has one place.
        item_at: [places] int32, whose each place is; likewise.
    """

    pairs: tf.Tensor
    keys: tf.Tensor
    row_splits: tf.Tensor
    taken: tf.Tensor
    item_at: tf.Tensor


class TripletSampler:
    """Draws the triplets of one dataset.

    Args:
        interactions: the prepared dataset.
        seed: root of the order and of the negatives.
        negatives: n, drawn for each positive, with replacement.
        compiled: the library of `kernels.compiler`, for the same draws in less time.
        by_popularity: draw negatives in proportion to their training interactions.

    Attributes:
        epoch_size: triplets in one epoch. A user who has every item in training has
            no negative, hence no triplet; all other interactions count.
        known: what a draw reads; a process elsewhere passes its own copy.
    """

    def __init__(
        self,
        interactions: Interactions,
        seed: int,
        negatives: int = 1,
        compiled: ModuleType | None = None,
        by_popularity: bool = False,
    ):
        pairs = np.stack([interactions.train_user, interactions.train_item], axis=1)
        users, items = pairs.T.astype(np.int64)
        ascending = items[np.lexsort((items, users))]  # each user's
        splits = interactions.row_splits
        counts = np.bincount(items, minlength=interactions.num_items)
        places = counts if by_popularity else np.ones_like(counts)
        first_place = np.cumsum(places) - places
        taken = np.concatenate([[0], np.cumsum(places[ascending])])
        total = int(places.sum())
        keys = (np.arange(interactions.num_users) * total + taken[splits[:-1]])[users]
        keys += first_place[ascending]
        keys -= taken[:-1]
        has_negative = np.diff(taken[splits])[users] < total

        self.epoch_size = int(has_negative.sum())
        if not self.epoch_size:
            raise ValueError(
                f"{interactions.name}: every user has every item in training, so "
                "there is no negative to draw; such data cannot be trained on"
            )
        self._seed = seed
        self._places, self._negatives = total, negatives
        self._operations = TENSORFLOW
        self._compiled, self._by_popularity = compiled, by_popularity
        whose = np.repeat(np.arange(len(places)), places)
        # Eager tensors captured by the map function: never copied into the graph.
        self.known = Known(
            pairs=tf.constant(pairs[has_negative], tf.int32),
            keys=tf.constant(keys),
            row_splits=tf.constant(splits),
            taken=tf.constant(taken if by_popularity else [], tf.int64),
            item_at=tf.constant(whose if by_popularity else [], tf.int32),
        )

    def using(self, operations: Operations) -> "TripletSampler":
        """This sampler, whose draws are made by other operations."""
        other = copy.copy(self)
        other._operations, other._compiled = operations, None
        return other

    def draw(self, epoch: tf.Tensor, positions: tf.Tensor, known: Known | None = None):
        """Users, positive and negative items at `positions` [B] of the epoch.

        The negatives depend on where the positions start, see `chunk`.

        Args:
            epoch: int64.
            positions: [B] int64, consecutive.
            known: `self.known`, where a caller has it at hand; None for our own.

        Returns:
            (users [B], pos_items [B], neg_items [B] or, for n > 1, [B, n]) int32.
        """
        known = known or self.known
        key = tf.stack([tf.constant(self._seed, tf.int64), epoch])
        rows = self._shuffled(positions, key)
        # Chunks start at distinct positions, so each has a stream of its own.
        count = tf.size(positions) * self._negatives
        fraction = self._operations.fractions(key, positions[0], count)
        if self._compiled and not self._by_popularity:
            users, pos_items, negatives = self._compiled.hyperml_triplets(
                pairs=known.pairs,
                keys=known.keys,
                row_splits=known.row_splits,
                row=rows,
                fraction=fraction,
                num_items=self._places,
            )
        else:
            users, pos_items = self._operations.look_up(known.pairs, rows)
            repeated = tf.repeat(users, self._negatives)
            negatives = self._draw_negatives(repeated, fraction, known)
        if self._negatives > 1:
            negatives = tf.reshape(negatives, [-1, self._negatives])
        return users, pos_items, negatives

    def _shuffled(self, positions: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        last = self.epoch_size - 1
        # TensorFlow's cipher has blocks of log2(last) bits, rounded up to an even
        # number of at least 16. At last = 4^k the last position is outside its block
        # and another would come twice, so there it stays in its place.
        if last >= 1 << 16 and last & (last - 1) == 0 and last.bit_length() % 2:
            inner = self._permuted(tf.minimum(positions, last - 1), key, last - 1)
            return tf.where(positions == last, positions, inner)
        return self._permuted(positions, key, last)

    def _permuted(self, positions: tf.Tensor, key: tf.Tensor, last: int) -> tf.Tensor:
        if self._compiled:
            # As `index_shuffle` pads a key of two for its op.
            padded = tf.pad(key, [[1, 0]], constant_values=498247692)
            return self._compiled.hyperml_shuffle(
                index=positions, key=padded, max_index=last
            )
        return self._operations.shuffle(positions, key, last)

    def _draw_negatives(
        self, users: tf.Tensor, fraction: tf.Tensor, known: Known
    ) -> tf.Tensor:
        def places(first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
            """Of the items of keys first … last-1."""
            if self._by_popularity:
                return tf.gather(known.taken, last) - tf.gather(known.taken, first)
            return last - first

        first, last = (tf.gather(known.row_splits, users + k) for k in (0, 1))
        eligible = tf.cast(self._places - places(first, last), tf.float64)
        drawn = tf.cast(fraction * eligible, tf.int64)
        sought = tf.cast(users, tf.int64) * self._places + drawn
        found = self._operations.search(known.keys, sought, first, last)
        place = drawn + places(first, found)
        if self._by_popularity:
            place = tf.gather(known.item_at, place)
        return tf.cast(place, tf.int32)

    def chunk_starts(self, batch_size: int) -> range:
        """First positions of the chunks in which an epoch is drawn."""
        return range(0, self.epoch_size, batch_size * BATCHES_PER_CHUNK)

    def chunk(
        self,
        epoch: tf.Tensor,
        start: tf.Tensor,
        batch_size: int,
        known: Known | None = None,
    ):
        """`draw` of the chunk that begins at `start`, one of `chunk_starts`."""
        stop = tf.minimum(start + batch_size * BATCHES_PER_CHUNK, self.epoch_size)
        return self.draw(epoch, tf.range(start, stop), known)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Batches in one epoch; the last may be smaller."""
        return -(-self.epoch_size // batch_size)

    def dataset(
        self, batch_size: int, first_epoch: int = 0, whole_chunks: bool = False
    ) -> tf.data.Dataset:
        """Batches of triplets from `first_epoch` on, epoch after epoch, endlessly.

        Args:
            batch_size: B.
            first_epoch: where to start.
            whole_chunks: give `BATCHES_PER_CHUNK` batches in one, for a kernel that
                does many steps in a call; the last of an epoch is shorter.

        Returns:
            A dataset of what `draw` returns.
        """
        epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
        batches = epochs.flat_map(
            lambda epoch: self._one_epoch(epoch, batch_size, whole_chunks)
        )
        return batches.prefetch(1 if whole_chunks else BATCHES_PER_CHUNK)

    def passes(self, batch_size: int) -> tf.data.Dataset:
        """Batches of one epoch: the next epoch each time that it is iterated over.

        Keras iterates once over a dataset of known size in each epoch of `fit`, so
        `fit` needs no `steps_per_epoch`, and sees what `dataset` gives.
        """
        with tf.device("/CPU:0"):
            epoch = tf.Variable(-1, dtype=tf.int64, trainable=False)
        batches = (
            tf.data.Dataset.range(1)
            .map(lambda _: epoch.assign_add(1))
            .flat_map(lambda epoch: self._one_epoch(epoch, batch_size))
        )
        size = tf.data.experimental.assert_cardinality(self.steps_per_epoch(batch_size))
        return batches.apply(size).prefetch(BATCHES_PER_CHUNK)

    @tf.autograph.experimental.do_not_convert
    def _one_epoch(
        self, epoch: tf.Tensor, batch_size: int, whole_chunks: bool = False
    ) -> tf.data.Dataset:
        starts = self.chunk_starts(batch_size)
        drawn = tf.data.Dataset.range(starts.start, starts.stop, starts.step).map(
            lambda start: self.chunk(epoch, start, batch_size),
            num_parallel_calls=2,
            deterministic=True,
        )
        return drawn if whole_chunks else drawn.rebatch(batch_size)

    def shares(
        self, batch_size: int, first_epoch: int, replicas: range, of: int
    ) -> tf.data.Dataset:
        """The parts that some replicas have of the batches of `dataset`.

        Batches are cut in `of` parts, the first ones one larger where it does not
        come out even. Where a batch has fewer positives than there are replicas, the
        others repeat its first one at weight 0: a mean over nothing would be NaN.

        Args:
            batch_size: B, of all replicas together.
            first_epoch: where to start.
            replicas: those of this process.
            of: number of replicas, in all processes.

        Returns:
            (users, pos_items, neg_items, `Share`), replica after replica, batch after
            batch. Each process draws whole batches.
        """

        def cut(*triplets):
            batch = tf.size(triplets[0])
            replica = tf.range(replicas.start, replicas.stop)
            base, larger = batch // of, batch % of
            start = replica * base + tf.minimum(replica, larger)
            size = base + tf.cast(replica < larger, tf.int32)
            parts = tf.data.Dataset.from_tensor_slices((start, size))
            return parts.map(lambda start, size: part(triplets, batch, start, size))

        def part(triplets, batch, start, size):
            start, positives = tf.where(size > 0, start, 0), tf.maximum(size, 1)
            rows = tuple(array[start : start + positives] for array in triplets)
            count = [tf.cast(n, tf.int64) for n in (start, positives, batch)]
            return *rows, Share(*count, tf.cast(size / batch, tf.float32))

        parts = self.dataset(batch_size, first_epoch).flat_map(cut)
        # Else each replica asks all others, each step, whether they have one more.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return parts.apply(endless).prefetch(BATCHES_PER_CHUNK)
