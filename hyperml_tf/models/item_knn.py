"""Item neighbours by cosine (Sarwar et al. 2001), a reference beyond the paper's."""

import numpy as np
import scipy.sparse
import tensorflow as tf

from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.item_item import ItemItemRecommender, growing, matrix
from hyperml_tf.models.options import FITTED, Option, ours

#: W is kept as a dense matrix where at least one entry in so many is not 0: a product
#: of matrices then costs less than a look at every neighbour (ML-1M: a third are not).
_DENSE_FROM = 20


@SERIALIZABLE
class ItemKNN(ItemItemRecommender):
    """Score Σ_{i ∈ train(u) ∩ N_k(j)} W_ij, with W_ij = n_ij / (√(n_i n_j) + s).

    n_i is the number of users of item i, n_ij of both; s the shrinkage. N_k(j) are the
    k items most similar to j, itself left out; of equally similar ones those of the
    lower row. Deterministic.

    Args:
        num_users: U.
        num_items: I.
        shrinkage: s >= 0; it discounts similarities that few users support.
        neighbours: k >= 1; 0: all items that share a user.
        **options: see `Recommender`.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        shrinkage: float = 10.0,
        neighbours: int = 0,
        **options,
    ):
        if not shrinkage >= 0 or neighbours < 0:
            raise ValueError(
                "shrinkage and neighbours must be >= 0, got "
                f"{shrinkage} and {neighbours}; neighbours=0 takes all"
            )
        super().__init__(num_users, num_items, **options)
        self.shrinkage, self.neighbours = shrinkage, neighbours
        self._targets = growing([], tf.int32, "targets")
        self._splits = growing([0] * (num_items + 1), tf.int64, "splits")
        self._values = growing([], tf.float32, "values")
        self._dense = growing([], tf.float32, "dense", rank=2)

    def fit_weights(self, interactions):
        """W, by row i: the targets j it speaks for, and W_ij."""
        weights = similarities(matrix(interactions), self.shrinkage)
        if self.neighbours:
            weights = strongest(weights, self.neighbours)
        weights = weights.T.tocsr()  # of the neighbours of j to what i speaks for
        if weights.nnz * _DENSE_FROM >= self.num_items**2:
            self._dense.assign(weights.toarray())
            return
        self._targets.assign(weights.indices)
        self._splits.assign(weights.indptr)
        self._values.assign(weights.data)

    def products(self, histories):
        """[B, I] float64."""
        return tf.cond(
            tf.size(self._dense) > 0,
            lambda: self._by_dense(histories, self._dense),
            lambda: self._sums(histories),
        )

    def _sums(self, histories):
        """One user at a time: the neighbours of a block of them might not fit."""

        def sum_over(items):
            first = tf.gather(self._splits, items)
            last = tf.gather(self._splits, items + 1)
            places = tf.ragged.range(first, last).flat_values
            return tf.math.unsorted_segment_sum(
                tf.cast(tf.gather(self._values, places), tf.float64),
                tf.gather(self._targets, places),
                self.num_items,
            )

        spec = tf.TensorSpec([self.num_items], tf.float64)
        return tf.map_fn(sum_over, histories, fn_output_signature=spec)


def similarities(
    interactions: scipy.sparse.csr_matrix, shrinkage: float
) -> scipy.sparse.csr_matrix:
    """W [I, I] of X [U, I]: n_ij / (√(n_i n_j) + s), 0 on the diagonal."""
    together = (interactions.T @ interactions).tocoo()
    apart = together.row != together.col
    row, column = together.row[apart], together.col[apart]
    users = np.asarray(interactions.sum(axis=0)).ravel()
    # One root of the product: √n_i √n_j would not be the same for (i, j) and (j, i).
    values = together.data[apart] / (np.sqrt(users[row] * users[column]) + shrinkage)
    return scipy.sparse.csr_matrix((values, (row, column)), shape=together.shape)


def strongest(weights: scipy.sparse.csr_matrix, count: int) -> scipy.sparse.csr_matrix:
    """The `count` largest weights of each row; of equals those of lower columns."""
    weights = weights.tocoo()
    order = np.lexsort((weights.col, -weights.data, weights.row))
    row = weights.row[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)  # within its row
    kept = order[place < count]
    entries = weights.data[kept], (weights.row[kept], weights.col[kept])
    return scipy.sparse.csr_matrix(entries, shape=weights.shape)


DEFINITIONS = (
    Definition(
        "itemknn",
        "ItemKNN",
        ItemKNN,
        options=(
            *FITTED,
            Option(
                "shrinkage",
                "What is added to the norms under a cosine, against chance meetings.",
                range=(0.0, 1e6),
                grid=ours(0.0, 5.0, 10.0, 20.0, 50.0, 100.0),
            ),
            Option(
                "neighbours",
                "The items most similar to an item that speak for it; 0: all.",
                range=(0, 1_000_000),
                grid=ours(0, 20, 100, 200),
            ),
        ),
        reference=True,
    ),
)
