"""Exact top-k by one float32 matrix product, proven query by query.

The index holds lifted items, so that scores are inner products x·y of ψ(u) and φ(v).
In float32 a product of N terms is off by at most β‖x‖‖y‖, β = (N+4) 2⁻²⁴, rounding of
the inputs included (Higham 2002, §3.1, and Cauchy-Schwarz), which near the rim is
more than what separates items. So each vector carries one coordinate more,

    x' = [x/‖x‖, β],   y' = [y, ‖y‖],   fl(x'·y') ≥ x·y/‖x‖,

and the products are upper bounds of the scores, tight where they can be. Items are
fetched by upper bound and ordered by their exact keys in float64. If the k-th exact
score beats the bound of the last item fetched, no item left out can enter: the order
is proven. Where it does not, the catalogue is scanned in float64.

Where the order is that of o - g(-x·y) with offsets o and a growing g, as of the models
of `geometry.offsets`, the measure bounds that by the bounds of products.

Coordinates of x and y are stretched against each other, which leaves the products as
they are, so that none dominates a norm, and Cauchy-Schwarz is not wasteful.
"""

import numpy as np
import tensorflow as tf

from hyperml_tf.serving.catalogue import Catalogue
from hyperml_tf.serving.filters import Filter
from hyperml_tf.serving.tfrs import BruteForce

# Items fetched beyond those asked for and excluded. More of them decide more queries
# without a scan, and each costs a row of float64: 32 are 2 % of a query at 100,000.
_OVERFETCH = 32
# Items at a time whose bounds are no products: with 100 queries, 3 MB each of what is
# computed on the way.
_BLOCK = 1 << 13
# Unit roundoff of float32.
_ROUNDOFF = 2.0**-24


class ExactIndex(tf.Module):
    """TFRS `BruteForce` over lifted items, or bounds by blocks, with proof or scan.

    Args:
        catalogue: the items.
        queries: [U, D] float64 points like those that will be asked about; they only
            set how coordinates are stretched.
    """

    def __init__(self, catalogue: Catalogue, queries: tf.Tensor):
        super().__init__()
        self.catalogue = catalogue
        items = catalogue.measure.lift_item(tf.cast(catalogue.points, tf.float64))
        self._stretch = tf.Variable(
            _stretch(items, catalogue.measure.lift_query(queries)), trainable=False
        )
        items = items / self._stretch
        norms = tf.norm(items, axis=1, keepdims=True)
        # The largest norm becomes 1, far from float32's limits.
        self._unit = tf.Variable(tf.reduce_max(norms), trainable=False)
        bounded = tf.math.divide_no_nan(tf.concat([items, norms], 1), self._unit)
        self._beta = (bounded.shape[1] + 4) * _ROUNDOFF
        bounded = tf.cast(bounded, tf.float32)
        if not catalogue.measure.is_product:
            self._index_blocks(bounded)
            return
        brute_force = BruteForce()
        brute_force.index(bounded)
        self._search = lambda queries, norm, k: brute_force(queries, k=k)
        # Its variables alone: a SavedModel of Keras objects would need Keras to load.
        self._variables = brute_force.variables
        self._bounded = brute_force._candidates

    def _index_blocks(self, bounded):
        """Blocks of one size; what fills the last has an offset of -infinity."""
        size = self.catalogue.size
        self._blocks = -(-size // _BLOCK)
        self._block = -(-size // self._blocks)
        filling = self._blocks * self._block - size
        points = tf.cast(self.catalogue.points, tf.float64)
        offsets = self.catalogue.measure.upper_offsets(points)
        offsets = tf.pad(offsets, [[0, filling]], constant_values=-np.inf)
        bounded = tf.pad(bounded, [[0, filling], [0, 0]])
        self._bounded = tf.Variable(bounded, trainable=False)
        self._offsets = tf.Variable(offsets, trainable=False)
        self._search = self._search_blocks

    def top(
        self,
        u: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
        only: Filter | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The k best items of each query, in their true order.

        Args:
            u: [B, D] float64 queries.
            excluded: [B, E] int32, E >= 1, ascending, padded with I.
            k: scalar >= 1.
            only: what else is excluded, and what is allowed.

        Returns:
            Items [B, K] int32 and keys [B, K] float64, K = min(k, I), best first; -1
            and infinity where fewer are left.
        """
        mask = None if only is None else only.mask(self.catalogue.size)
        items, keys, proven = self.attempt(u, excluded, k, mask)
        return self.catalogue.scan_unless(proven, u, excluded, items, keys, mask)

    def filter_bytes(self, only: Filter) -> tf.Tensor:
        """Memory of a query's filter: masks, and the products under them."""
        del only
        each = 8 if self.catalogue.measure.is_product else 24
        return tf.constant(each * self.catalogue.size, tf.int64)

    def attempt(
        self,
        u: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
        mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Items and keys as of `top`, but unscanned, and where they are proven, [B]."""
        fetched = k + tf.shape(excluded)[1] + _OVERFETCH
        fetched = tf.minimum(fetched, self.catalogue.size)
        query = self.catalogue.measure.lift_query(u) * self._stretch
        norm = tf.norm(query, axis=1, keepdims=True)
        query = tf.math.divide_no_nan(query, norm)
        query = tf.concat([query, self._beta * tf.ones_like(norm)], axis=1)
        query = tf.cast(query, tf.float32)
        if mask is None:
            bounds, items = self._search(query, norm, fetched)
        else:
            bounds, items = self._search_masked(query, norm, fetched, mask)
        items, keys = self.catalogue.best(u, items, excluded, k)
        score = -keys[:, -1]
        if self.catalogue.measure.is_product:
            # A zero query scores NaN here, which proves nothing.
            score /= norm[:, 0] * self._unit
        proven = score > tf.cast(bounds[:, -1], tf.float64)
        # Everything that is to be had was fetched.
        whole = tf.equal(fetched, self.catalogue.size) | tf.math.is_inf(bounds[:, -1])
        return items, keys, proven | whole

    def _search_blocks(self, query, norm, fetched):
        """The largest bounds [B, fetched] and their items, -1 where there is none."""
        each = tf.minimum(fetched, self._block)

        def best_of_block(start):
            stop = start + self._block
            bounds = self._bounds(query, norm, start, stop)
            bounds, items = tf.math.top_k(bounds, each)
            return bounds, start + items

        found = tf.map_fn(
            best_of_block,
            tf.range(self._blocks) * self._block,
            fn_output_signature=(tf.float32, tf.int32),
            parallel_iterations=1,  # one block uses the cores, and what memory there is
        )
        users = tf.shape(query)[0]
        bounds, items = (
            tf.reshape(tf.transpose(part, [1, 0, 2]), [users, self._blocks * each])
            for part in found
        )
        bounds, place = tf.math.top_k(bounds, fetched)
        items = tf.gather(items, place, batch_dims=1)
        return bounds, tf.where(tf.math.is_inf(bounds), -1, items)

    def _search_masked(self, query, norm, fetched, mask):
        """As `_search`, of the items that `mask` lets pass; -1 where there is none."""
        bounds = self._bounds(query, norm, 0, self.catalogue.size)
        bounds = tf.where(mask, bounds, tf.constant(-np.inf))
        bounds, items = tf.math.top_k(bounds, fetched)
        return bounds, tf.where(tf.math.is_inf(bounds), -1, items)

    def _bounds(self, query, norm, start, stop):
        """Upper bounds [B, stop - start] of the scores of items."""
        products = tf.matmul(query, self._bounded[start:stop], transpose_b=True)
        measure = self.catalogue.measure
        if measure.is_product:  # in units that are a query's own
            return products
        products *= tf.cast(norm * self._unit, tf.float32)
        return measure.upper_bounds(products, self._offsets[start:stop])


def _stretch(items: tf.Tensor, queries: tf.Tensor) -> tf.Tensor:
    """[N]: each coordinate's largest item to its largest query, under a root."""
    items = tf.reduce_max(tf.abs(items), axis=0)
    queries = tf.reduce_max(tf.abs(queries), axis=0)
    either = (items > 0) & (queries > 0)
    return tf.sqrt(tf.where(either, items / tf.where(either, queries, 1), 1))
