"""Weighted matrix factorisation by alternating least squares (Hu et al. 2008)."""

import functools

import tensorflow as tf
import threadpoolctl

from hyperml_tf.geometry.retrieval import InnerProduct, Points
from hyperml_tf.layers import RowEmbedding
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import Recommender, spawn_seeds
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.item_item import matrix
from hyperml_tf.models.options import DIM, FITTED, L2, Option, ours


@SERIALIZABLE
class IALS(Recommender):
    """Score u·v of the factors that the library `implicit` finds.

        Σ_{u,i} C_ui (x_ui - u·v)² + l2 (Σ‖u‖² + Σ‖v‖²),  C = α where x = 1, else 1

    Trained by `adapt`, not by gradient. Each half step solves for every row by three
    steps of conjugate gradients (Takács et al. 2011), the library's default.

    Args:
        num_users: U.
        num_items: I.
        dim: D.
        l2: weight of the squared factors.
        alpha: α >= 1, confidence in an interaction.
        iterations: of both half steps.
        **options: see `Recommender`; the seed is that of the initial factors.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        dim: int = 64,
        l2: float = 0.1,
        alpha: float = 10.0,
        iterations: int = 15,
        **options,
    ):
        if alpha < 1:
            raise ValueError(
                f"alpha must be >= 1, got {alpha}: below it an interaction would count "
                "for less than its absence"
            )
        super().__init__(num_users, num_items, **options)
        self.dim, self.l2, self.alpha = dim, l2, alpha
        self.iterations = iterations
        fitted = functools.partial(RowEmbedding, dim=dim, init_scale=0.0)
        self.user_table = fitted(num_users, name="users", trainable=False)
        self.item_table = fitted(num_items, name="items", trainable=False)

    folds_in_by = "the least squares that training solves for a user"

    def adapt(self, interactions):
        """Finds the factors. One thread: the same bits on every run of a machine."""
        self.check_sizes(interactions)
        with threadpoolctl.threadpool_limits(1):  # before implicit looks, and warns
            # Slow to load, and needed by nobody who only scores.
            from implicit.cpu.als import AlternatingLeastSquares

            solver = AlternatingLeastSquares(
                factors=self.dim,
                regularization=self.l2,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=spawn_seeds(self.seed, 1)[0],
                num_threads=1,
            )
            solver.fit(matrix(interactions), show_progress=False)
        self.user_table.table.assign(solver.user_factors)
        self.item_table.table.assign(solver.item_factors)

    def score(self, users, items):
        """u·v."""
        return tf.reduce_sum(self.user_table(users) * self.item_table(items), axis=-1)

    def score_all(self, users):
        """[B, I] float64."""
        queries = tf.cast(self.user_table(users), tf.float64)
        return tf.matmul(
            queries, tf.cast(self.item_table.table, tf.float64), transpose_b=True
        )

    def retrieval_points(self):
        """The factors, by their inner product."""
        tables = self.user_table.table, self.item_table.table
        users, items = (tf.cast(table, tf.float64) for table in tables)
        return Points(InnerProduct(), users, items, self.fold_in)

    def score_histories(self, items):
        """Products of the factors that `fold_in` gives."""
        factors = tf.cast(self.item_table.table, tf.float64)
        rows = tf.gather(factors, tf.minimum(items, self.num_items - 1))
        weights = tf.cast(items < self.num_items, tf.float64)
        return tf.matmul(self.fold_in(rows, weights), factors, transpose_b=True)

    def fold_in(self, rows, weights):
        """Users' factors [B, D] given their items' [B, n, D], exactly.

            u = (VᵀV + (α-1) Σ_i v_i v_iᵀ + l2 Id)⁻¹ α Σ_i v_i     Hu et al. 2008, Eq. 4

        with C of the class; `weights` [B, n] are 1 where there is an item, else 0. One
        user at a time: a matrix is 2 MB for D = 512.
        """
        with tf.init_scope():  # I x D² products, once for whatever is traced now
            factors = tf.cast(self.item_table.table, tf.float64)
            ridge = tf.matmul(factors, factors, transpose_a=True)
            ridge += self.l2 * tf.eye(self.dim, dtype=tf.float64)

        def solved(arguments):
            own, weight = arguments
            own *= weight[:, tf.newaxis]
            system = ridge + (self.alpha - 1) * tf.matmul(own, own, transpose_a=True)
            total = self.alpha * tf.reduce_sum(own, axis=0)
            factor = tf.linalg.cholesky(system)
            return tf.linalg.cholesky_solve(factor, total[:, tf.newaxis])[:, 0]

        spec = tf.TensorSpec([self.dim], tf.float64)
        return tf.map_fn(solved, (rows, weights), fn_output_signature=spec)


DEFINITIONS = (
    Definition(
        "ials",
        "iALS",
        IALS,
        options=(
            *FITTED,
            DIM.having(grid=ours(64, 128, 256, 512)),
            L2.having(
                help="The weight of the squared factors.",
                grid=ours(1.0, 10.0, 30.0, 100.0),
            ),
            Option(
                "alpha",
                "The weight of an interaction, where that of its absence is 1.",
                range=(1.0, 1e6),
                grid=ours(10.0, 30.0, 100.0),
            ),
            Option(
                "iterations",
                "How often the factors of users, then those of items, are solved for.",
                range=(1, 10_000),
            ),
        ),
        reference=True,
    ),
)
