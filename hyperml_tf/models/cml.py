"""Collaborative metric learning (Hsieh et al. 2017), with one uniform negative."""

import tensorflow as tf

from hyperml_tf.geometry.offsets import OffsetBall
from hyperml_tf.geometry.spaces import UnitBall
from hyperml_tf.layers import PullPushLoss, UnitBallEmbedding
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import FusedStep, as_matrix
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import (
    ITEM_BIAS,
    NEGATIVES,
    PULL_PUSH,
    TRAINING,
    TRIPLETS,
    Option,
)
from hyperml_tf.models.table_model import TableRecommender


def squared_euclidean(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """‖x - y‖², [...] of x, y [..., D]."""
    return tf.reduce_sum(tf.math.squared_difference(x, y), axis=-1)


def _flat_distortion(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    squares = tf.reduce_sum(tf.square(x) + tf.square(y), axis=-1)
    return squares - squared_euclidean(x, y) / 3


@SERIALIZABLE
class CML(TableRecommender):
    """Score -‖u-v‖², loss [m + ‖u-v_j‖² - ‖u-v_k‖²]₊, rows kept in the unit ball.

    A norm penalty λ adds λ (p(u, v_j) + p(u, v_k)),

        p(u, v) = ‖u‖² + ‖v‖² - ‖u-v‖²/3,

    twice the mean of ‖·‖² over the segment from u to v. HyperML's distortion is
    1 + p + O(‖·‖⁴) at c = 1: this is the shrinking that it does, without the hyperbolic
    distance. With item biases, -‖u-v‖² + b takes the place of -‖u-v‖² throughout.

    Args:
        num_users: U.
        num_items: I.
        margin: m.
        loss: "hinge" or "softplus".
        norm_penalty: λ; the CML paper's model has 0.
        **options: see `TableRecommender`.
    """

    measure = UnitBall()
    offset_measure = OffsetBall(0.0, scale=0.25)  # d_0² is 4‖u-v‖²
    folds_in_by = "the mean of the items, at the users' median norm"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        margin: float = 0.5,
        loss: str = "hinge",
        norm_penalty: float = 0.0,
        **options,
    ):
        super().__init__(num_users, num_items, embedding=UnitBallEmbedding, **options)
        self.pull_push = PullPushLoss(margin, loss)
        self.norm_penalty = norm_penalty

    def score(self, users, items):
        """-‖u-v‖² + b."""
        squared = squared_euclidean(self.user_table(users), self.item_table(items))
        return self.biases(items) - squared

    def train_loss(self, users, pos_items, neg_items, step=None):
        """The hinge and the penalty, mean over the batch."""
        user, pos_item, neg_item = self.triplet_rows(users, pos_items, neg_items, step)
        loss = self.pull_push(
            squared_euclidean(user, pos_item) - self.biases(pos_items),
            squared_euclidean(user, neg_item) - self.biases(neg_items),
        )
        if self.norm_penalty:
            loss += self.norm_penalty * _flat_distortion(user, pos_item)
            loss += self.norm_penalty * _flat_distortion(user, neg_item)
        return {"total": tf.reduce_mean(loss)}

    def fused_step(self):
        """By the kernel's "cml"."""
        return self._fused("cml")

    def _fused(self, model: str) -> FusedStep:
        settings = {
            "margin": self.pull_push.margin,
            "loss": self.pull_push.loss,
            "norm_penalty": self.norm_penalty,
        }
        return FusedStep(model, self.tables, settings)


@SERIALIZABLE
class CMLWarp(CML):
    """CML with the rank weight of its paper (Hsieh et al. 2017).

        log(1 + rank) [m + ‖u-v_j‖² - ‖u-v_k‖²]₊,  rank ≈ ⌊I · impostors / n⌋

    k is the nearest of the n negatives drawn, impostors those among the n that are
    within the margin. The weight is a constant of the step: no gradient flows
    through it.
    """

    def arrange(self, users, pos_items, neg_items, chosen_later=False):
        """All n negatives go to `train_loss`."""
        return users, pos_items, as_matrix(neg_items)

    def train_loss(self, users, pos_items, neg_items, step=None):
        """The weighted hinge, mean over the batch; neg_items is [B, n]."""
        near = -self.score(users[:, tf.newaxis], neg_items)
        chosen = tf.gather(neg_items, tf.argmin(near, axis=1), batch_dims=1)
        bound = self.pull_push.margin - self.score(users, pos_items)
        impostors = tf.reduce_sum(tf.cast(near < bound[:, tf.newaxis], tf.float32), 1)
        drawn = tf.cast(tf.shape(neg_items)[1], tf.float32)
        weight = tf.math.log1p(tf.floor(self.num_items * impostors / drawn))

        user, pos_item, neg_item = self.triplet_rows(users, pos_items, chosen, step)
        hinge = self.pull_push(
            squared_euclidean(user, pos_item) - self.biases(pos_items),
            squared_euclidean(user, neg_item) - self.biases(chosen),
        )
        return {"total": tf.reduce_mean(tf.stop_gradient(weight) * hinge)}

    def fused_step(self):
        """By the kernel's "cml_warp"."""
        return self._fused("cml_warp")


DEFINITIONS = (
    Definition(
        "cml",
        "CML",
        CML,
        options=(
            *TRAINING,
            *PULL_PUSH,
            Option(
                "norm_penalty",
                "The weight of the flat part of the distortion; a control.",
                range=(0.0, 1e6),
                off=0.0,
            ),
            *TRIPLETS,
        ),
        table=2,
    ),
    Definition(
        "cml_warp",
        "CML (WARP)",
        CMLWarp,
        options=(
            *TRAINING,
            *PULL_PUSH,
            NEGATIVES.having(default=20),  # as in its own paper
            ITEM_BIAS,
        ),
        column="cml",
    ),
)
