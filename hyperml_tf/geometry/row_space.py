"""Where the rows of a table lie, declared by the layer that owns the table.

Row-wise optimizers ask the variable; nothing is inferred from names.
"""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class PoincareBall:
    """Rows are points of the Poincaré ball of curvature -c."""

    c: float


@dataclasses.dataclass(frozen=True)
class UnitBall:
    """Rows are Euclidean vectors of norm at most 1 (the ball of CML and LRML)."""


RowSpace = PoincareBall | UnitBall | None  # None: all of ℝᴰ


def declare(variable: tf.Variable, space: RowSpace) -> None:
    """Records on `variable` that its rows lie in `space`."""
    variable._hyperml_row_space = space


def row_space(variable: tf.Variable) -> RowSpace:
    """The space declared for the rows of `variable`; None if none was."""
    return getattr(variable, "_hyperml_row_space", None)
