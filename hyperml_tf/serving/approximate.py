"""Approximate top-k through TFRS `ScaNN`, re-scored exactly.

A hyperbolic ball is a Euclidean ball around a shifted centre (`geometry.lift`). So the
k items nearest to a user are the k Euclidean neighbours of the shifted centre, if the
radius is the distance of the k-th; a guess of it, kept with the index, is enough to
find candidates. More of them are fetched than asked for, and their order is decided
by exact keys: what ScaNN misses is missing, what it finds is in its true order.
"""

import numpy as np
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.serving.catalogue import Catalogue
from hyperml_tf.serving.filters import Filter
from hyperml_tf.serving.tfrs import ScaNN

#: ScaNN's quantiser learns 16 centres a block; fewer items than this train it badly.
FEWEST_ITEMS = 1000
# Leaves per root of I, and how many candidates are ranked by their coordinates after
# ScaNN's codes picked them. The share of leaves searched is the measure's. On
# `measure.clustered_points`, a million of them by distance, 2 %, 4 % and 8 % of the
# leaves give a recall of 0.957, 0.969 and 0.971; at 4 %, 500 candidates for 300 give
# 0.979. By the product, 4 %, 6 %, 10 % and 20 % give 0.878, 0.937, 0.976 and 0.987.
_LEAVES = 2
_CANDIDATES = 300
# Items re-scored beyond those asked for and excluded. With the guess of the radius,
# 10 neighbours were all among the 15 that are nearest to the shifted centre.
_OVERFETCH = 20
# Users whose neighbours give the guess of the radius.
_SAMPLE = 32


class ScannIndex(tf.Module):
    """TFRS `ScaNN` around shifted centres.

    Args:
        catalogue: the items.
        queries: [U, D] float64 points like those that will be asked about.
        excluded: how many items a query usually excludes.
        k: the number of neighbours whose radius is guessed.

    Raises:
        InputError: too few items for an index.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        queries: tf.Tensor,
        excluded: int = 0,
        k: int = 10,
    ):
        super().__init__()
        if catalogue.size < FEWEST_ITEMS:
            raise InputError(
                f"{catalogue.size} items are too few for ScaNN, which needs "
                f"{FEWEST_ITEMS}; choose --index=exact, which is faster there"
            )
        self.catalogue = catalogue
        leaves = round(_LEAVES * catalogue.size**0.5)
        share, fewest = catalogue.measure.scann_leaves
        scann = ScaNN(
            distance_measure=catalogue.measure.scann_measure,
            num_leaves=leaves,
            num_leaves_to_search=max(fewest, round(share * leaves)),
            num_reordering_candidates=_CANDIDATES + excluded,
        )
        points = tf.cast(catalogue.points, tf.float64)
        searched = catalogue.measure.search_items(points)
        scann.index(tf.cast(searched, tf.float32))
        self._search = lambda queries, k: scann(queries, k=k)[1]
        # Its state alone: a SavedModel of Keras objects would need Keras to load.
        self._state = scann._serialized_searcher
        self._reach = tf.Variable(self._guess(queries, k), trainable=False)

    def top(
        self,
        u: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
        only: Filter | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `exact.ExactIndex.top`, of the items that ScaNN finds.

        Queries for which it finds fewer than k, for instance since they exclude more
        than it has candidates, are answered by a scan. Where a filter allows some
        items alone, these are all compared: exactly, without ScaNN.
        """
        k = tf.minimum(k, self.catalogue.size)
        if only is None:
            return self._search_or_scan(u, excluded, k)
        users = tf.shape(u)[0]
        excluded = self._with_excluded(excluded, only)
        allowed = tf.broadcast_to(only.allowed, [users, tf.shape(only.allowed)[1]])
        some = self.catalogue.best(u, _distinct(allowed), excluded, k)
        missing = [[0, 0], [0, k - tf.shape(some[0])[1]]]
        items = tf.pad(some[0], missing, constant_values=-1)
        keys = tf.pad(some[1], missing, constant_values=np.inf)
        restricted = tf.broadcast_to(only.restricted, [users])[:, tf.newaxis]

        def both():
            free = self._search_or_scan(u, excluded, k)
            return (
                tf.where(restricted, items, free[0]),
                tf.where(restricted, keys, free[1]),
            )

        return tf.cond(tf.reduce_all(restricted), lambda: (items, keys), both)

    def filter_bytes(self, only: Filter) -> tf.Tensor:
        """Memory of a query's filter: rows of float64, as of re-scored candidates."""
        row = 16 * self.catalogue.points.shape[1]
        return row * tf.cast(only.listed, tf.int64)

    def _with_excluded(self, excluded, only):
        """[B, E + M], ascending, padded with I: what is excluded in all."""
        more = tf.where(only.excluded < 0, self.catalogue.size, only.excluded)
        more = tf.broadcast_to(more, [tf.shape(excluded)[0], tf.shape(more)[1]])
        return tf.sort(tf.concat([excluded, more], axis=1), axis=1)

    def _search_or_scan(self, u, excluded, k):
        fetched = k + tf.shape(excluded)[1] + _OVERFETCH
        fetched = tf.minimum(fetched, self.catalogue.size)
        items, keys = self._around(u, excluded, k, fetched)
        # The last is missing if any is.
        return self.catalogue.scan_unless(items[:, -1] >= 0, u, excluded, items, keys)

    def _around(self, u, excluded, k, fetched):
        centre = self.catalogue.measure.centre(u, tf.convert_to_tensor(self._reach))
        items = self._search(tf.cast(centre, tf.float32), fetched)
        # ScaNN's number of columns is at most that of its candidates.
        missing = tf.maximum(k - tf.shape(items)[1], 0)
        items = tf.pad(items, [[0, 0], [0, missing]], constant_values=-1)
        return self.catalogue.best(u, items, excluded, k)

    def _guess(self, queries: tf.Tensor, k: int) -> tf.Tensor:
        """The median reach of the k-th neighbour, over some queries."""
        if not self.catalogue.measure.centre_moves:
            return tf.constant(0.0, tf.float64)
        sample = queries[:: -(-queries.shape[0] // _SAMPLE)]
        nothing = tf.fill([sample.shape[0], 1], self.catalogue.size)
        items = self.catalogue.scan(sample, nothing, tf.constant(k))[0][:, -1]
        reach = self.catalogue.measure.reach(sample, self.catalogue.rows(items))
        return tf.sort(reach)[..., sample.shape[0] // 2]


def _distinct(items: tf.Tensor) -> tf.Tensor:
    """[B, N] items, each once in its row; -1 in the place of the others."""
    items = tf.sort(items, axis=1)
    again = tf.equal(items[:, 1:], items[:, :-1])
    return tf.where(tf.pad(again, [[0, 0], [1, 0]]), -1, items)
