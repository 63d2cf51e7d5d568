"""Which optimizer keeps the rows of tables in the spaces that they declare."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.row_space import PoincareBall, row_space
from hyperml_tf.optimizers.poincare import PoincareOptimizer
from hyperml_tf.optimizers.unit_ball import UnitBallOptimizer


def in_their_spaces(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[tf.Variable], **options
) -> keras.optimizers.Optimizer:
    """`optimizer` within what keeps rows in the space that their table declares.

    Args:
        optimizer: of the Euclidean step.
        variables: what it is to train.
        **options: of `PoincareOptimizer`.
    """
    keeper = keeper_of(variables)
    if keeper is PoincareOptimizer:
        spaces = map(row_space, variables)
        options["c"] = next(s.c for s in spaces if isinstance(s, PoincareBall))
    return keeper(optimizer, **options) if keeper else optimizer


def keeper_of(variables: Sequence[tf.Variable]) -> type | None:
    """The optimizer that keeps rows in the spaces that tables declare; None if free."""
    spaces = {row_space(variable) for variable in variables} - {None}
    if any(isinstance(space, PoincareBall) for space in spaces):
        return PoincareOptimizer
    return UnitBallOptimizer if spaces else None
