"""The two terms of the HyperML objective as Keras layers, one value per triplet.

The paper sums over triplets (Eqs 11, 12); Keras reduces to the mean over the batch,
and so do the models here. Under Adam the constant factor is immaterial.
"""

import tensorflow as tf

from hyperml_tf.geometry import poincare
from hyperml_tf.layers.layer import SERIALIZABLE, Layer

_POSITIVE_PARTS = {"hinge": tf.nn.relu, "softplus": tf.nn.softplus}


@SERIALIZABLE
class PullPushLoss(Layer):
    """[m + d²(i, j) - d²(i, k)]₊ of Eq. 11, the hinge of all metric models.

    Args:
        margin: m >= 0, in units of squared distance.
        loss: "hinge", [·]₊; or "softplus", log(1 + exp(·)), beyond the paper.

    Raises:
        ValueError: for a negative margin or an unknown loss.
    """

    def __init__(self, margin: float = 0.5, loss: str = "hinge", **kwargs):
        super().__init__(**kwargs)
        if not margin >= 0:
            raise ValueError(f"margin must be >= 0, got {margin}")
        if loss not in _POSITIVE_PARTS:
            raise ValueError(
                f"loss {loss!r} is not known; one of: {', '.join(_POSITIVE_PARTS)}"
            )
        self.margin, self.loss = margin, loss

    def call(
        self, squared_pos_distance: tf.Tensor, squared_neg_distance: tf.Tensor
    ) -> tf.Tensor:
        """Losses [B] from squared distances [B] to the two items of each triplet."""
        gap = self.margin + squared_pos_distance - squared_neg_distance
        return _POSITIVE_PARTS[self.loss](gap)

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"margin": self.margin, "loss": self.loss}


@SERIALIZABLE
class DistortionLoss(Layer):
    """Distortion of the pairs (i, j) and (i, k), summed: Eq. 12 with f = identity.

    Each pair's term is at least 1, since d_D >= 2 d_E, so the positive part that the
    paper prints never acts.

    Args:
        c: scalar >= 0, absolute curvature.
    """

    def __init__(self, c: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.c = c

    def call(self, user: tf.Tensor, pos_item: tf.Tensor, neg_item: tf.Tensor):
        """Losses [B] from the points [B, D] of each triplet."""
        return poincare.distortion(user, pos_item, self.c) + poincare.distortion(
            user, neg_item, self.c
        )

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"c": self.c}
