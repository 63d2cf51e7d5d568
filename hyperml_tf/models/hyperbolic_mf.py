"""Hyperbolic MF: matrix factorisation with a curvature; not in the paper."""

import tensorflow as tf

from hyperml_tf.geometry import lift, midpoint, poincare
from hyperml_tf.geometry.offsets import OffsetBall
from hyperml_tf.layers import GyrovectorDistance
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import FusedStep
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.hyperml import points_of_tangents
from hyperml_tf.models.options import CURVATURE, TRAINING, TRIPLETS, Option
from hyperml_tf.models.table_model import TableRecommender


@SERIALIZABLE
class HyperbolicMF(TableRecommender):
    """Score s(u, v) = [d_c(0, v)² - d_c(u, v)²]/2 on the ball, with BPR's loss.

        softplus(s(u, v_k) - s(u, v_j)) + w (d_c(0, u)² + d_c(0, v_j)² + d_c(0, v_k)²)

    In flat space the polarisation identity ⟨u, v⟩ = [‖u‖² + ‖v‖² - ‖u - v‖²]/2 makes s
    the score of MF-BPR, less ‖u‖²/2, which orders no items, and w its L2: at c = 0 this
    is MF-BPR on twice the rows. Distances alone favour the origin. Rows are tangent
    vectors at the origin, as HyperTS's. With item biases, s + b takes the place of s.

    Args:
        num_users: U.
        num_items: I.
        c: absolute curvature of the ball.
        origin_weight: w, of the squared distances to the origin.
        **options: see `TableRecommender`.
    """

    terms = ("total", "bpr")
    folds_in_by = "the gyromidpoint of the items, at the users' median norm"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        c: float = 1.0,
        origin_weight: float = 0.01,
        dropout: float = 0.0,
        **options,
    ):
        super().__init__(num_users, num_items, dropout=dropout, **options)
        self.c, self.origin_weight = c, origin_weight
        self.squared_distance = GyrovectorDistance(c, squared=True)

    def points(self, rows: tf.Tensor) -> tf.Tensor:
        """Points of the ball [..., D] from rows of a table, masked or not."""
        return points_of_tangents(rows, self.c)

    def score(self, users, items):
        """s(u, v) + b."""
        user = self.points(self.user_table(users))
        item = self.points(self.item_table(items))
        return self.biases(items) - self._dissimilarity(user, item)

    def _dissimilarity(self, user, item):
        """-s(u, v), [...]."""
        return (self.squared_distance(user, item) - self._squared_norm(item)) / 2

    def _squared_norm(self, point):
        """d_c(0, x)² [...] of points x [..., D]."""
        return poincare.squared_distance(tf.zeros_like(point), point, self.c)

    def train_loss(self, users, pos_items, neg_items, step=None):
        """BPR and the pull to the origin, means over the batch."""
        rows = self.triplet_rows(users, pos_items, neg_items, step)
        user, pos_item, neg_item = points = [self.points(row) for row in rows]
        worse = self._dissimilarity(user, pos_item) - self.biases(pos_items)
        worse -= self._dissimilarity(user, neg_item) - self.biases(neg_items)
        bpr = tf.reduce_mean(tf.nn.softplus(worse))
        norms = sum(map(self._squared_norm, points))
        return {"total": bpr + self.origin_weight * tf.reduce_mean(norms), "bpr": bpr}

    @property
    def offset_measure(self):
        """Of s(u, v) + b."""
        return OffsetBall(self.c, scale=0.5)

    def offsets(self, items, scale):
        """d_c(0, v)² + 2b."""
        return self._squared_norm(items) + super().offsets(items, scale)

    def score_points(self, points):
        """s(u, v) + b by way of distances: no inner product orders items so."""
        items = self.item_points()
        squared = tf.square(lift.distances(points, items, self.c))
        return self._all_biases() - (squared - self._squared_norm(items)) / 2

    def midpoint(self, points, weights):
        """The gyromidpoint."""
        return midpoint.gyromidpoint(points, weights, self.c)

    def fused_step(self):
        """By the kernel's "hyperts" with another score and no distortion."""
        settings = {
            "c": self.c,
            "loss": "softplus",
            "product": True,
            "origin_weight": self.origin_weight,
        }
        return FusedStep("hyperts", self.tables, settings)


DEFINITIONS = (
    Definition(
        "hyperbolic_mf",
        "Hyperbolic MF",
        HyperbolicMF,
        options=(
            *TRAINING,
            CURVATURE,
            Option(
                "origin_weight",
                "The weight of the squared distances to the origin; at c = 0 it is L2.",
                range=(0.0, 1e6),
            ),
            *TRIPLETS,
        ),
        hyperbolic=True,
        alters="hyperts",
    ),
)
