"""HyperML and HyperTS, the two variants of the paper (§2.3, §3.4)."""

import functools

import tensorflow as tf

from hyperml_tf.geometry import lift, poincare
from hyperml_tf.geometry.spaces import PoincareBall
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
        score: "distance", the paper's, or "product", see `score`.
        origin_weight: of d_c(0, x)², added for the three points x of each triplet;
            0 in the paper.
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
        score: str = "distance",
        origin_weight: float = 0.0,
        **options,
    ):
        super().__init__(num_users, num_items, **options)
        self.by_product = score == "product"
        self.origin_weight = origin_weight
        self.c, self.distortion_weight = c, distortion_weight
        self.distance = GyrovectorDistance(c)
        self.squared_distance = GyrovectorDistance(c, squared=True)
        self.pull_push = PullPushLoss(margin, loss)
        self.distortion = DistortionLoss(c)

    @property
    def by_distance(self) -> bool:
        """Whether the nearest items score highest: no biases, not by the product."""
        return not self.by_product and self.item_biases is None

    @property
    def measure(self):
        """The ball's; None by the product, which is the order of no inner product."""
        return PoincareBall(self.c) if self.by_distance else None

    def score(self, users, items):
        """-d_c(u, v); with item biases -d_c(u, v)² + b, the loss's score.

        By the product, [d_c(0, v)² - d_c(u, v)²]/2 + b. In flat space the polarisation
        identity ⟨u, v⟩ = [‖u‖² + ‖v‖² - ‖u - v‖²]/2 makes this the score of MF-BPR,
        less ‖u‖²/2, which orders no items; distances alone favour the origin.
        """
        user = self.points(self.user_table(users))
        item = self.points(self.item_table(items))
        if self.by_distance:
            return -self.distance(user, item)
        return self.biases(items) - self._dissimilarity(user, item)

    def _dissimilarity(self, user, item):
        """What Eq. 11 compares, [...]: d_c(u, v)², or that less d_c(0, v)², halved."""
        squared = self.squared_distance(user, item)
        if not self.by_product:
            return squared
        return (squared - self._squared_norm(item)) / 2

    def _squared_norm(self, point):
        """d_c(0, x)² [...] of points x [..., D]."""
        return poincare.squared_distance(tf.zeros_like(point), point, self.c)

    def train_loss(self, users, pos_items, neg_items, step=None):
        """Eq. 13, means over the batch."""
        rows = self.triplet_rows(users, pos_items, neg_items, step)
        user, pos_item, neg_item = (self.points(row) for row in rows)
        pull_push = tf.reduce_mean(
            self.pull_push(
                self._dissimilarity(user, pos_item) - self.biases(pos_items),
                self._dissimilarity(user, neg_item) - self.biases(neg_items),
            )
        )
        distortion = tf.reduce_mean(self.distortion(user, pos_item, neg_item))
        total = pull_push + self.distortion_weight * distortion
        if self.origin_weight:
            norms = sum(map(self._squared_norm, (user, pos_item, neg_item)))
            total += self.origin_weight * tf.reduce_mean(norms)
        return {"total": total, "pull_push": pull_push, "distortion": distortion}

    def score_all(self, users):
        """Inner products; no inner product orders by what is not the distance."""
        if self.by_distance:
            return super().score_all(users)
        user = self._queries(users)[:, tf.newaxis]
        distance = lift.lifted_to_distance(self._products(users), user, self.c)
        dissimilarity = tf.square(distance)
        if self.by_product:
            item = self.points(self._exact(self.item_table))
            dissimilarity = (dissimilarity - self._squared_norm(item)) / 2
        return self._all_biases() - dissimilarity

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
        """exp_0 of the rows; a long vector lands on the rim itself, so projected.

        In float64 too to where float32 puts it: it is one model that is trained and
        ranked.
        """
        margin = poincare.BALL_MARGIN[tf.float32]
        return poincare.project(poincare.exp0(rows, self.c), self.c, margin)
