"""The items of a model as points, with the exact order around any query.

Keys (see `geometry.retrieval`) are computed in float64 from the points themselves.
Equal keys are ordered by row, on every path.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hyperml_tf.geometry.retrieval import Measure

# Rows of a direct scan at a time: [2^15, 128] float64 differences are 32 MB.
_SCAN_ROWS = 1 << 15


class Catalogue(tf.Module):
    """I items and how they are compared.

    Args:
        measure: the model's.
        points: [I, D] float64.
    """

    def __init__(self, measure: Measure, points: tf.Tensor):
        super().__init__()
        self.measure = measure
        self.points = compact(points)
        self.weights = tf.Variable(measure.weights(points), trainable=False)

    @property
    def size(self) -> int:
        """I."""
        return self.points.shape[0]

    def rows(self, items: tf.Tensor) -> tf.Tensor:
        """Points [..., D] float64 of items [...]."""
        return tf.cast(tf.gather(self.points, items), tf.float64)

    def keys(self, u: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Keys [...] of queries [..., D] and items [...]."""
        return self.measure.keys(u, self.rows(items), tf.gather(self.weights, items))

    def best(
        self, u: tf.Tensor, items: tf.Tensor, excluded: tf.Tensor, k: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The k best of given items, without those excluded.

        Args:
            u: [B, D] queries.
            items: [B, C] int32 candidates, in any order; below 0 for none.
            excluded: [B, E] int32, E >= 1, ascending, padded with I.
            k: scalar.

        Returns:
            Items [B, K] int32 and keys [B, K], K = min(k, C), best first; -1 and
            infinity where fewer are left.
        """
        items = tf.sort(items, axis=1)
        keys = self.keys(u[:, tf.newaxis], tf.maximum(items, 0))
        place = tf.searchsorted(excluded, items)
        place = tf.minimum(place, tf.shape(excluded)[1] - 1)
        out = tf.equal(tf.gather(excluded, place, batch_dims=1), items) | (items < 0)
        return _first(items, tf.where(out, _never([]), keys), k)

    def scan(
        self,
        u: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
        mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The k best of all items: arguments and returns as of `best`, B >= 1.

        `mask` [B, I] says which items are to be had; None: all.
        """

        def one(arguments):
            query, out, *wanted = arguments

            def block(start, stop):
                v = tf.cast(self.points[start:stop], tf.float64)
                return self.measure.keys(query, v, self.weights[start:stop])

            keys = in_blocks(block, self.size, _SCAN_ROWS)
            if wanted:
                keys = tf.where(wanted[0], keys, _never([]))
            # One place more than items, for the padding of `excluded`.
            keys = tf.concat([keys, _never([1])], axis=0)
            keys = tf.tensor_scatter_nd_update(
                keys, out[:, tf.newaxis], _never(tf.shape(out))
            )
            found = _first(tf.range(self.size)[tf.newaxis], keys[tf.newaxis, :-1], k)
            return tuple(tensor[0] for tensor in found)

        return tf.map_fn(
            one,
            (u, excluded) if mask is None else (u, excluded, mask),
            fn_output_signature=(tf.int32, tf.float64),
            parallel_iterations=1,  # one scan uses all cores and enough memory
        )

    def scan_unless(
        self,
        done: tf.Tensor,
        u: tf.Tensor,
        excluded: tf.Tensor,
        items: tf.Tensor,
        keys: tf.Tensor,
        mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Items and keys [B, K], by a scan in the rows where `done` [B] is false."""

        def scan():
            rows = tf.where(~done)
            queries = tf.gather_nd(u, rows), tf.gather_nd(excluded, rows)
            wanted = mask
            if mask is not None:
                every_row = tf.broadcast_to(mask, [tf.shape(u)[0], self.size])
                wanted = tf.gather_nd(every_row, rows)
            found = self.scan(*queries, tf.shape(items)[1], wanted)
            update = tf.tensor_scatter_nd_update
            return update(items, rows, found[0]), update(keys, rows, found[1])

        return tf.cond(tf.reduce_all(done), lambda: (items, keys), scan)


def _never(shape) -> tf.Tensor:
    """Keys of items that are not to be had."""
    return tf.fill(shape, tf.constant(np.inf, tf.float64))


def _first(items, keys, k):
    """The k smallest keys and their items; of equal keys the first."""
    negated, place = tf.math.top_k(-keys, k=tf.minimum(k, tf.shape(keys)[1]))
    items = tf.gather(items, place, batch_dims=1)
    return tf.where(tf.math.is_inf(negated), -1, items), -negated


def compact(values: tf.Tensor) -> tf.Variable:
    """A variable of float64 values, in float32 where that loses nothing."""
    single = tf.cast(values, tf.float32)
    lossless = tf.reduce_all(tf.equal(tf.cast(single, tf.float64), values))
    return tf.Variable(single if lossless else values, trainable=False)


def in_blocks(function: Callable, count, size):
    """Results of `function(start, stop)` over 0 … count by `size`, joined on axis 0.

    Bounds memory whatever the count. What fits one block never enters the loop.

    Args:
        function: returns a structure of tensors with `stop - start` rows.
        count: scalar, may be 0.
        size: scalar, at least 1.
    """
    done = function(0, tf.minimum(size, count))

    def step(start, done):
        more = function(start, tf.minimum(start + size, count))
        joined = tf.nest.map_structure(lambda *t: tf.concat(t, axis=0), done, more)
        return start + size, joined

    _, done = tf.while_loop(
        lambda start, _: start < count,
        step,
        (tf.convert_to_tensor(size), done),
        shape_invariants=(
            tf.TensorShape([]),
            tf.nest.map_structure(
                lambda t: tf.TensorShape([None]).concatenate(t.shape[1:]), done
            ),
        ),
        parallel_iterations=1,
    )
    return done
