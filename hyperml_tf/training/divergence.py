"""Stops a run whose numbers are not finite any more."""

import math

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.errors import RunError
from hyperml_tf.models.base import Recommender


class NonFiniteLoss(RunError):
    """Training left the numbers that can be computed with."""


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops the run by name as soon as an epoch's loss or weights are not finite.

    The weights too, since the last step can spoil them after the last loss.
    """

    def on_epoch_end(self, epoch, logs=None):
        """Raises NonFiniteLoss with the step, the offending term, the largest norm."""
        bad = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        weights = _named_weights(self.model)
        for name, values in weights.items():
            if not tf.reduce_all(tf.math.is_finite(values)):
                bad.append(name)
        if not bad:
            return
        norms = ", ".join(f"{n} {_largest_norm(w):.3g}" for n, w in weights.items())
        raise NonFiniteLoss(
            f"training stopped being finite at step {int(self.model.finite_steps)} "
            f"(epoch {epoch + 1}): {', '.join(sorted(bad))}; largest norms still "
            f"finite: {norms}. Lower config.learning_rate."
        )


def _named_weights(model: Recommender) -> dict[str, tf.Variable]:
    layer_of = {w.ref(): la.name for la in model.layers for w in la.trainable_weights}
    return {
        f"{layer_of.get(w.ref(), model.name)}/{w.name.removesuffix(':0')}": w
        for w in model.trainable_variables
    }


def _largest_norm(weights: tf.Variable) -> float:
    rows = np.atleast_2d(weights.numpy()).astype(np.float64)
    norms = np.linalg.norm(rows, axis=-1)
    return norms[np.isfinite(norms)].max(initial=0.0)
