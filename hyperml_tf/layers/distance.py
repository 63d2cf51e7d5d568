"""The gyrovector distance as a Keras layer."""

import tensorflow as tf

from hyperml_tf.geometry import poincare
from hyperml_tf.layers.layer import SERIALIZABLE, Layer


@SERIALIZABLE
class GyrovectorDistance(Layer):
    """d_c(x, y) of Eq. 10, or its square.

    Args:
        c: scalar >= 0, absolute curvature.
        squared: return d². The pull-push loss needs it, and it is smooth at x = y.
    """

    def __init__(self, c: float = 1.0, squared: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.c, self.squared = c, squared

    def call(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Distances [...] of points x, y [..., D], broadcast over leading axes."""
        measure = poincare.squared_distance if self.squared else poincare.distance
        return measure(x, y, self.c)

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"c": self.c, "squared": self.squared}
