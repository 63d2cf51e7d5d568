"""What users have in training: as a part of their rows, and among the candidates."""

import numpy as np
import tensorflow as tf


class KnownItems(tf.Module):
    """The training items of each user.

    Args:
        num_items: I.
        train_item: [N], users in order.
        row_splits: [U+1], where each user's begin and end.
    """

    def __init__(self, num_items: int, train_item: np.ndarray, row_splits: np.ndarray):
        super().__init__()
        self.num_items = num_items
        self.items = tf.constant(train_item, tf.int32)
        self.splits = tf.constant(row_splits, tf.int64)

    def of(self, users: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Items [T] of users [B], and for each the place [T] of its user among them."""
        first = tf.gather(self.splits, users)
        last = tf.gather(self.splits, tf.cast(users, tf.int64) + 1)
        each = tf.ragged.range(first, last)
        return tf.gather(self.items, each.flat_values), each.value_rowids()

    def counts(self, users: tf.Tensor) -> tf.Tensor:
        """How many items [B] int64 users [B] have."""
        last = tf.gather(self.splits, tf.cast(users, tf.int64) + 1)
        return last - tf.gather(self.splits, users)

    def among(self, users: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """[B, n] bool: which candidates [n], which may repeat, users [B] have."""
        # A candidate that comes several times keeps one of its places.
        place_of = tf.tensor_scatter_nd_update(
            tf.fill([self.num_items], -1),
            candidates[:, tf.newaxis],
            tf.range(tf.size(candidates)),
        )
        items, rows = self.of(users)
        place = tf.gather(place_of, items)
        pairs = tf.stack([rows, tf.cast(place, tf.int64)], axis=1)
        pairs = tf.boolean_mask(pairs, place >= 0)
        shape = tf.stack([tf.size(users), tf.size(candidates)])
        hits = tf.scatter_nd(
            pairs, tf.ones_like(pairs[:, 0], tf.int32), tf.cast(shape, tf.int64)
        )
        return tf.gather(hits, tf.gather(place_of, candidates), axis=1) > 0


class History:
    """The part of a user's row that the items of the user give.

        z_u + (w/√n) Σ z_i    over the n training items i of u

    as in SVD++ (Koren 2008), with the items' own rows. In training the pair's positive
    is not among them, or the sum would tell that it is one, and of the others each is
    kept with probability q = min(1 - ρ, m/n) and weighs 1/q as much. What is kept is a
    function of (seed, step, user, item) alone.

    Args:
        weight: w.
        rate: ρ in [0, 1).
        most: m, how many of a user's items a step reads on average, at most.
        seed: root of what is kept.
    """

    def __init__(self, weight: float, rate: float, most: int, seed: int):
        self.weight, self.rate, self.most, self.seed = weight, rate, most, seed

    def kept(
        self, known: KnownItems, users: tf.Tensor, pos_items: tf.Tensor, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What enters a training step.

        Args:
            known: the items of all users.
            users: [B].
            pos_items: [B], each left out of its user's.
            step: number of the step.

        Returns:
            Items [K], for each the place [K] of its user, and weights [B].
        """
        items, rows = known.of(users)
        others = tf.maximum(known.counts(users) - 1, 1)
        keep = self._keep(tf.cast(others, tf.float64))
        bits = _bits(self.seed, step, tf.gather(users, rows), items)
        stays = tf.cast(bits, tf.float64) < tf.gather(keep, rows) * 2.0**32
        stays &= tf.not_equal(items, tf.gather(pos_items, rows))
        weights = self.weight / (keep * tf.sqrt(tf.cast(others, tf.float64)))
        return (
            tf.boolean_mask(items, stays),
            tf.boolean_mask(rows, stays),
            tf.cast(weights, tf.float32),
        )

    def _keep(self, others):
        rate = tf.constant(self.rate, tf.float32)  # which is what the kernel has
        return tf.minimum(1 - tf.cast(rate, tf.float64), self.most / others)

    def total(
        self, known: KnownItems, users: tf.Tensor, item_rows: tf.Tensor
    ) -> tf.Tensor:
        """(w/√n) Σ z_i, [B, D], of users [B] from all items' rows [I, D]."""
        items, rows = known.of(users)
        count = tf.maximum(known.counts(users), 1)
        weight = self.weight / tf.sqrt(tf.cast(count, item_rows.dtype))
        shape = tf.stack([tf.size(users, tf.int64), tf.shape(item_rows, tf.int64)[0]])
        indices = tf.stack([rows, tf.cast(items, tf.int64)], axis=1)
        matrix = tf.SparseTensor(indices, tf.gather(weight, rows), shape)
        return tf.sparse.sparse_dense_matmul(matrix, item_rows)


def _bits(seed: int, step: tf.Tensor, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """32 random bits [T], in int64, of a step, users [T] and items [T].

    The kernel has the same (kernels/softmax_history.h).
    """
    of_step = _mixed(tf.cast(step, tf.int64) + _mixed(tf.constant(seed, tf.int64)))
    of_user = _mixed(tf.cast(users, tf.int64) + of_step)
    return _mixed(tf.cast(items, tf.int64) + of_user)


def _mixed(x):
    """Wellons' lowbias32 of the lowest 32 bits; int64 as GPUs have no uint32 ops."""
    word = tf.constant(0xFFFFFFFF, tf.int64)
    x = tf.bitwise.bitwise_and(x, word)
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(16, tf.int64)))
    x = tf.bitwise.bitwise_and(x * 0x7FEB352D, word)
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(15, tf.int64)))
    x = tf.bitwise.bitwise_and(x * 0x846CA68B, word)
    return tf.bitwise.bitwise_xor(
        x, tf.bitwise.right_shift(x, tf.constant(16, tf.int64))
    )
