"""Embedding tables. The layer that owns a table declares where its rows lie."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.spaces import (
    Euclidean,
    PoincareBall,
    Space,
    UnitBall,
    declare,
)
from hyperml_tf.layers import streams
from hyperml_tf.layers.layer import SERIALIZABLE, Layer


class _UniformTable(keras.initializers.RandomUniform):
    """U(minval, maxval); a part of a partitioned table gets its rows of the whole."""

    def __call__(self, shape, dtype=None, **kwargs):
        if self.seed is None or "partition_offset" not in kwargs:
            return super().__call__(shape, dtype, **kwargs)
        rows, dim = kwargs["partition_shape"]
        start = kwargs["partition_offset"][0] * dim
        drawn = streams.uniform(tf.constant([self.seed, 0]), start, rows * dim)
        drawn = drawn * (self.maxval - self.minval) + self.minval
        return tf.reshape(drawn, [rows, dim])


@SERIALIZABLE
class RowEmbedding(Layer):
    """A table of vectors looked up by row, initialised from U(-α, α).

    Args:
        rows: number of rows.
        dim: D, the dimension of a row.
        init_scale: α of the uniform initialiser.
        seed: seed of the initialiser.
    """

    def __init__(
        self,
        rows: int,
        dim: int = 64,
        init_scale: float = 0.01,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, size in (("rows", rows), ("dim", dim)):
            if isinstance(size, bool) or int(size) != size or size < 1:
                raise ValueError(f"{name} must be a whole number >= 1, got {size}")
        self.rows, self.dim = rows, dim
        self.init_scale, self.seed = init_scale, seed
        # Built here, not at the first call: the number of rows is known.
        self.build(None)

    def build(self, input_shape):
        """Creates the table and declares where its rows lie."""
        if self.built:
            return
        space = self._space()
        self.table = self.add_weight(
            name="table",
            shape=(self.rows, self.dim),
            initializer=self._initializer(),
            # For optimizers that know nothing of spaces; ours do without, see
            # `optimizers.rows`.
            constraint=space.project if space.inverse_radius else None,
        )
        declare(self.table, space)
        self.built = True

    def _initializer(self) -> keras.initializers.Initializer:
        return _UniformTable(-self.init_scale, self.init_scale, seed=self.seed)

    def _space(self) -> Space:
        return Euclidean()

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows [..., D] of `ids` [...]."""
        # tf.gather would fetch the whole of a table that is partitioned over servers.
        return tf.nn.embedding_lookup(self.table, ids)

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {
            "rows": self.rows,
            "dim": self.dim,
            "init_scale": self.init_scale,
            "seed": self.seed,
        }


@SERIALIZABLE
class PoincareEmbedding(RowEmbedding):
    """A table of points of the Poincaré ball of curvature -c.

    The table is declared hyperbolic, so `PoincareOptimizer` rescales its gradients
    and retracts its rows. Under any other optimizer a constraint projects the whole
    table after each step. At c = 0 the ball is all of ℝᴰ.
    """

    def __init__(
        self,
        rows: int,
        dim: int = 64,
        init_scale: float = 0.01,
        c: float = 1.0,
        **kwargs,
    ):
        self.c = c
        super().__init__(rows, dim, init_scale, **kwargs)

    def _space(self) -> Space:
        return PoincareBall(self.c)

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"c": self.c}


@SERIALIZABLE
class UnitBallEmbedding(RowEmbedding):
    """A table of Euclidean vectors of norm at most 1, kept there as on the ball."""

    def _space(self) -> Space:
        return UnitBall()
