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
"""

from types import ModuleType

import numpy as np
import tensorflow as tf

from hyperml_tf.data.interactions import Interactions

#: Batches drawn at a time: enough to make the cost of graph execution vanish, small
#: enough (64 x 512 triplets) to stay in cache.
BATCHES_PER_CHUNK = 64


class TripletSampler:
    """Draws the triplets of one dataset.

    Args:
        interactions: the prepared dataset.
        seed: root of the order and of the negatives.
        negatives: n, drawn for each positive, with replacement.
        compiled: the library of `kernels.build`, for the same draws in less time.

    Attributes:
        epoch_size: triplets in one epoch. A user who has every item in training has
            no negative, hence no triplet; all other interactions count.
    """

    def __init__(
        self,
        interactions: Interactions,
        seed: int,
        negatives: int = 1,
        compiled: ModuleType | None = None,
    ):
        users = np.asarray(interactions.train_user, np.int64)
        items = np.asarray(interactions.train_item, np.int64)
        order = np.lexsort((items, users))
        splits = interactions.row_splits
        place = np.arange(len(users)) - splits[users]  # j within the user
        num_items = interactions.num_items
        eligible = num_items - np.diff(splits)
        has_negative = eligible[users] > 0

        self.epoch_size = int(has_negative.sum())
        if not self.epoch_size:
            raise ValueError(
                f"{interactions.name}: every user has every item in training, so "
                "there is no negative to draw; such data cannot be trained on"
            )
        self._seed = tf.constant(seed, tf.int64)
        self._num_items, self._negatives = num_items, negatives
        self._compiled = compiled
        # Eager tensors captured by the map function: never copied into the graph.
        self._users = tf.constant(users[has_negative], tf.int32)
        self._items = tf.constant(items[has_negative], tf.int32)
        self._keys = tf.constant(users * num_items + items[order] - place)
        self._row_starts = tf.constant(splits[:-1])
        self._eligible = tf.constant(eligible, tf.float64)

    def draw(self, epoch: tf.Tensor, positions: tf.Tensor):
        """Users, positive and negative items at `positions` [B] of the epoch.

        Returns:
            (users [B], pos_items [B], neg_items [B] or, for n > 1, [B, n]) int32.
        """
        key = tf.stack([self._seed, epoch])
        rows = tf.random.experimental.index_shuffle(
            positions, key, tf.constant(self.epoch_size - 1, tf.int64)
        )
        users = tf.gather(self._users, rows)
        # Chunks start at distinct positions, so each has a stream of its own.
        key = tf.random.experimental.stateless_fold_in(key, positions[0])
        negatives = self._draw_negatives(tf.repeat(users, self._negatives), key)
        if self._negatives > 1:
            negatives = tf.reshape(negatives, [-1, self._negatives])
        return users, tf.gather(self._items, rows), negatives

    def _draw_negatives(self, users: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        fraction = tf.random.stateless_uniform(tf.shape(users), key, dtype=tf.float64)
        if self._compiled:
            return self._compiled.hyperml_negatives(
                keys=self._keys,
                row_starts=self._row_starts,
                eligible=self._eligible,
                user=users,
                fraction=fraction,
                num_items=self._num_items,
            )
        drawn = tf.cast(fraction * tf.gather(self._eligible, users), tf.int64)
        sought = tf.cast(users, tf.int64) * self._num_items + drawn
        found = tf.searchsorted(self._keys, sought, side="right", out_type=tf.int64)
        negatives = drawn + found - tf.gather(self._row_starts, users)
        return tf.cast(negatives, tf.int32)

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
        chunk = batch_size * BATCHES_PER_CHUNK

        def one_epoch(epoch):
            def draw_chunk(start):
                stop = tf.minimum(start + chunk, self.epoch_size)
                return self.draw(epoch, tf.range(start, stop))

            starts = tf.data.Dataset.range(0, self.epoch_size, chunk)
            drawn = starts.map(draw_chunk, num_parallel_calls=2, deterministic=True)
            return drawn if whole_chunks else drawn.rebatch(batch_size)

        epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
        ahead = 1 if whole_chunks else BATCHES_PER_CHUNK
        return epochs.flat_map(one_epoch).prefetch(ahead)
