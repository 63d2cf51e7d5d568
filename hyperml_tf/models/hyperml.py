"""HyperML and HyperTS, the two variants of the paper (§2.3, §3.4)."""

import functools

import tensorflow as tf

from hyperml_tf.geometry import lift, poincare
from hyperml_tf.geometry.offsets import OffsetBall
from hyperml_tf.geometry.spaces import PoincareBall
from hyperml_tf.layers import (
    DistortionLoss,
    GyrovectorDistance,
    PoincareEmbedding,
    PullPushLoss,
)
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import FusedStep
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import (
    CURVATURE,
    ON_BALL,
    OPTIMIZER,
    PULL_PUSH,
    TRAINING,
    TRIPLETS,
    Option,
    ours,
    paper,
)
from hyperml_tf.models.table_model import TableRecommender


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
    folds_in_by = "the gyromidpoint of the items, at the users' median norm"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        c: float = 1.0,
        margin: float = 0.5,
        loss: str = "hinge",
        distortion_weight: float = 0.1,
        **options,
    ):
        super().__init__(num_users, num_items, **options)
        self.c, self.distortion_weight = c, distortion_weight
        self.distance = GyrovectorDistance(c)
        self.squared_distance = GyrovectorDistance(c, squared=True)
        self.pull_push = PullPushLoss(margin, loss)
        self.distortion = DistortionLoss(c)

    @property
    def measure(self):
        """The ball's."""
        return PoincareBall(self.c)

    @property
    def offset_measure(self):
        """Of -d_c(u, v)² + b."""
        return OffsetBall(self.c, scale=1.0)

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

    def score_points(self, points):
        """Inner products; with item biases -d_c(u, v)² + b, which none of them is."""
        if self.item_biases is None:
            return super().score_points(points)
        distances = lift.distances(points, self.item_points(), self.c)
        return self._all_biases() - tf.square(distances)

    def _fused(self, model: str) -> FusedStep:
        settings = {
            "c": self.c,
            "margin": self.pull_push.margin,
            "loss": self.pull_push.loss,
            "distortion_weight": self.distortion_weight,
        }
        return FusedStep(model, self.tables, settings)


@SERIALIZABLE
class HyperML(_HyperbolicRecommender):
    """Rows are points of the ball, moved by `PoincareOptimizer`."""

    def __init__(self, num_users: int, num_items: int, *, c: float = 1.0, **options):
        table = functools.partial(PoincareEmbedding, c=c)
        super().__init__(num_users, num_items, c=c, embedding=table, **options)

    def points(self, rows):
        """The rows themselves; dropout can scale them out of the ball, so projected."""
        return poincare.project(rows, self.c)

    def fused_step(self):
        """By the kernel's "hyperml"."""
        return self._fused("hyperml")


@SERIALIZABLE
class HyperTS(_HyperbolicRecommender):
    """Rows are tangent vectors at the origin, moved by a Euclidean optimizer."""

    def points(self, rows):
        """exp_0 of the rows, see `points_of_tangents`."""
        return points_of_tangents(rows, self.c)

    def fused_step(self):
        """By the kernel's "hyperts"."""
        return self._fused("hyperts")


def points_of_tangents(rows: tf.Tensor, c: float) -> tf.Tensor:
    """exp_0 of rows [..., D]; a long vector lands on the rim itself, so projected.

    In float64 too to where float32 puts it: it is one model that is trained and
    ranked.
    """
    margin = poincare.BALL_MARGIN[tf.float32]
    return poincare.project(poincare.exp0(rows, c), c, margin)


def _conflict(settings) -> str:
    own = settings["retraction"] != "projection" or not settings["rescale"]
    if settings["optimizer"] == "riemannian_adam" and own:
        return (
            "config.retraction and config.rescale are options of a Euclidean optimizer "
            "on the ball; riemannian_adam has its own, leave them out"
        )
    return ""


_EQ_13 = (
    CURVATURE,
    Option(
        "distortion_weight",
        "The weight gamma of the distortion in Eq. 13.",
        range=(0.0, 1e6),
        grid=paper(0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    ),
    *PULL_PUSH,
    *TRIPLETS,
)
_BALL_OPTIONS = (
    *(option for option in TRAINING if option is not OPTIMIZER),
    *ON_BALL,
    *_EQ_13,
)
DEFINITIONS = (
    Definition(
        "hyperml",
        "HyperML",
        HyperML,
        options=(
            OPTIMIZER.having(choices=(*OPTIMIZER.choices, "riemannian_adam")),
            *_BALL_OPTIONS,
        ),
        hyperbolic=True,
        table=2,
        conflict=_conflict,
    ),
    # Eq. 14 to the letter, where §3.1 searches Adam and AdaGrad. A step of SGD is as
    # long as the gradient, a mean over the batch, so its rates are larger.
    Definition(
        "hyperml_sgd",
        "HyperML (SGD)",
        HyperML,
        options=(
            OPTIMIZER.having(choices=("sgd",), default="sgd", grid=None),
            *(
                option.having(default=1.0, grid=ours(0.25, 0.75, 2.0, 6.0))
                if option.name == "learning_rate"
                else option
                for option in _BALL_OPTIONS
            ),
        ),
        hyperbolic=True,
        alters="hyperml",
    ),
    Definition(
        "hyperts",
        "HyperTS",
        HyperTS,
        options=(*TRAINING, *_EQ_13),
        hyperbolic=True,
        table=3,
    ),
)
