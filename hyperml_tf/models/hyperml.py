"""HyperML and HyperTS, the two variants of the paper (§2.3, §3.4)."""

import functools

import tensorflow as tf

from hyperml_tf.geometry import lift, poincare
from hyperml_tf.layers import (
    DistortionLoss,
    GyrovectorDistance,
    PoincareEmbedding,
    PullPushLoss,
)
from hyperml_tf.models.base import TableRecommender


class _HyperbolicRecommender(TableRecommender):
    """What both variants share: L = L_P + γ L_D (Eqs 11-13) on points of the ball.

    Args:
        num_users: U.
        num_items: I.
        c: absolute curvature of the ball.
        margin: m of the pull-push loss.
        loss: "hinge", the paper's, or "softplus".
        distortion_weight: γ.
        **options: see `TableRecommender`.
    """

    terms = ("total", "pull_push", "distortion")

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        c: float,
        margin: float,
        distortion_weight: float,
        loss: str = "hinge",
        **options,
    ):
        super().__init__(num_users, num_items, **options)
        self.c, self.distortion_weight = c, distortion_weight
        self.distance = GyrovectorDistance(c)
        self.squared_distance = GyrovectorDistance(c, squared=True)
        self.pull_push = PullPushLoss(margin, loss)
        self.distortion = DistortionLoss(c)

    def points(self, rows: tf.Tensor) -> tf.Tensor:
        """Points of the ball [..., D] from rows of a table, masked or not."""
        raise NotImplementedError

    def score(self, users, items):
        """-d_c(u, v); with item biases -d_c(u, v)² + b, the loss's score."""
        user = self.points(self.user_table(users))
        item = self.points(self.item_table(items))
        if self.item_biases is None:
            return -self.distance(user, item)
        return self.biases(items) - self.squared_distance(user, item)

    def train_loss(self, users, pos_items, neg_items, step=None):
        """Eq. 13, means over the batch."""
        rows = self.triplet_rows(users, pos_items, neg_items, step)
        user, pos_item, neg_item = (self.points(row) for row in rows)
        pull_push = tf.reduce_mean(
            self.pull_push(
                self.squared_distance(user, pos_item) - self.biases(pos_items),
                self.squared_distance(user, neg_item) - self.biases(neg_items),
            )
        )
        distortion = tf.reduce_mean(self.distortion(user, pos_item, neg_item))
        total = pull_push + self.distortion_weight * distortion
        return {"total": total, "pull_push": pull_push, "distortion": distortion}

    def score_all(self, users):
        """Inner products; with biases -d² + b, which no inner product orders."""
        if self.item_biases is None:
            return super().score_all(users)
        user = self._queries(users)[:, tf.newaxis]
        distance = lift.lifted_to_distance(self._products(users), user, self.c)
        return self._all_biases() - tf.square(distance)

    def query_vectors(self, users):
        """ψ(u) of `geometry.lift`."""
        return lift.lift_query(self._queries(users))

    def item_vectors(self):
        """φ(v) of `geometry.lift`."""
        return lift.lift_item(self.points(self._exact(self.item_table)), self.c)

    def _queries(self, users):
        return self.points(tf.cast(self.user_table(users), tf.float64))


class HyperML(_HyperbolicRecommender):
    """Rows are points of the ball, moved by `PoincareOptimizer`."""

    def __init__(self, num_users: int, num_items: int, *, c: float, **options):
        table = functools.partial(PoincareEmbedding, c=c)
        super().__init__(num_users, num_items, c=c, embedding=table, **options)

    def points(self, rows):
        """The rows themselves; dropout can scale them out of the ball, so projected."""
        return poincare.project(rows, self.c)


class HyperTS(_HyperbolicRecommender):
    """Rows are tangent vectors at the origin, moved by a Euclidean optimizer."""

    def points(self, rows):
        """exp_0 of the rows; a long vector lands on the rim itself, so projected."""
        return poincare.project(poincare.exp0(rows, self.c), self.c)
