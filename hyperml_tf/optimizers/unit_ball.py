"""Keeps the rows of CML and LRML in the Euclidean unit ball, by projection."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.row_space import UnitBall
from hyperml_tf.optimizers.rows import RowOptimizer


@keras.saving.register_keras_serializable("hyperml_tf")
class UnitBallOptimizer(RowOptimizer):
    """θ ← θ' / max(1, ‖θ'‖) after each inner step θ'.

    The norm bound of CML (Hsieh et al. 2017).

    Args:
        inner: the optimizer of the Euclidean step.
    """

    space_type = UnitBall

    def retract(self, space, old, new):
        """Rows of norm at most 1, [R, D]."""
        return tf.clip_by_norm(new, 1.0, axes=-1)
