"""Weighted matrix factorisation by alternating least squares (Hu et al. 2008)."""

import tensorflow as tf
import threadpoolctl

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.layers import RowEmbedding
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import Recommender
from hyperml_tf.models.item_item import check_sizes, matrix


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
        seed: of the initial factors.
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
        seed: int = 0,
        **kwargs,
    ):
        if alpha < 1:
            raise ValueError(
                f"alpha must be >= 1, got {alpha}: below it an interaction would count "
                "for less than its absence"
            )
        super().__init__(num_users, num_items, **kwargs)
        self.dim, self.l2, self.alpha = dim, l2, alpha
        self.iterations, self.seed = iterations, seed
        self.user_table = RowEmbedding(num_users, dim, 0.0, name="users")
        self.item_table = RowEmbedding(num_items, dim, 0.0, name="items")

    def adapt(self, interactions: Interactions) -> None:
        """Finds the factors. One thread: the same bits on every run of a machine."""
        check_sizes(self, interactions)
        with threadpoolctl.threadpool_limits(1):  # before implicit looks, and warns
            # Slow to load, and needed by nobody who only scores.
            from implicit.cpu.als import AlternatingLeastSquares

            solver = AlternatingLeastSquares(
                factors=self.dim,
                regularization=self.l2,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=self.seed,
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

    def get_config(self):
        """The arguments of the constructor."""
        return {
            "num_users": self.num_users,
            "num_items": self.num_items,
            "dim": self.dim,
            "l2": self.l2,
            "alpha": self.alpha,
            "iterations": self.iterations,
            "seed": self.seed,
        }
