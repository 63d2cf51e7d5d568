"""Optimizers for embedding tables: lazy moments, and rows kept in their space."""

from hyperml_tf.optimizers.lazy import LazyAdam
from hyperml_tf.optimizers.riemannian import PoincareOptimizer, in_their_spaces
from hyperml_tf.optimizers.riemannian_adam import RiemannianAdam

__all__ = ["LazyAdam", "PoincareOptimizer", "RiemannianAdam", "in_their_spaces"]
