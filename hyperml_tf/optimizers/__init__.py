"""Optimizers for embedding tables: lazy moments, and rows kept in their space."""

from hyperml_tf.optimizers.lazy import LazyAdam
from hyperml_tf.optimizers.poincare import PoincareOptimizer
from hyperml_tf.optimizers.riemannian_adam import RiemannianAdam

__all__ = ["LazyAdam", "PoincareOptimizer", "RiemannianAdam"]
