"""Pure hyperbolic geometry: functions of tensors, no state."""

from hyperml_tf.geometry import lift, poincare, spaces

__all__ = ["lift", "poincare", "spaces"]
