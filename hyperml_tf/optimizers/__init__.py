"""Optimizers for embedding tables: lazy moments, and rows kept in their space."""

from hyperml_tf.optimizers.lazy import LazyAdam
from hyperml_tf.optimizers.poincare import PoincareOptimizer
from hyperml_tf.optimizers.riemannian_adam import RiemannianAdam
from hyperml_tf.optimizers.unit_ball import UnitBallOptimizer

__all__ = ["LazyAdam", "PoincareOptimizer", "RiemannianAdam", "UnitBallOptimizer"]
