"""Pure hyperbolic geometry: functions of tensors, no state."""
