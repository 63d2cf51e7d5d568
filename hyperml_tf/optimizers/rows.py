"""What the optimizers that keep rows in their space have in common."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.row_space import RowSpace, row_space
from hyperml_tf.optimizers.lazy import leaves_other_rows_alone


class RowOptimizer(keras.optimizers.Optimizer):
    """Wraps `inner`: changes the gradient, lets `inner` step, brings rows back.

    Only variables whose declared space (`geometry.row_space`) is of the type
    `self.space_type` are treated so; all others get the inner update alone. For a
    sparse gradient only its rows are read and written, provided `inner` moves no
    others; under dense Adam the whole table is brought back.

    Args:
        inner: a tf_keras optimizer. Its learning rate is this optimizer's.
    """

    space_type: type

    def __init__(
        self, inner: keras.optimizers.Optimizer, name: str | None = None, **kwargs
    ):
        kwargs.setdefault("jit_compile", False)  # tf.unique has no static shape
        # The base class's default, 0, subtracts a zero from the whole table each step.
        kwargs.setdefault("weight_decay", None)
        super().__init__(name=name or type(self).__name__, **kwargs)
        self.inner = inner
        self.inner.iterations = self.iterations

    def tangent(self, space: RowSpace, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """The gradient [R, D] that `inner` is to see at rows x [R, D]."""
        del space, x
        return gradient

    def retract(self, space: RowSpace, old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
        """Rows of the space from rows [R, D] before and after the inner step."""
        raise NotImplementedError

    def build(self, var_list):
        """Creates the inner slots and reads where each variable's rows lie."""
        super().build(var_list)
        if getattr(self, "_built", False):
            return
        self._spaces = [row_space(variable) for variable in var_list]
        self.inner.build(var_list)
        self._built = True

    def update_step(self, gradient, variable):
        """One step for one variable."""
        space = self._spaces[self._index_dict[self._var_key(variable)]]
        if not isinstance(space, self.space_type):
            self.inner.update_step(gradient, variable)
        elif isinstance(gradient, tf.IndexedSlices):
            self._sparse_step(space, gradient, variable)
        else:
            self._step_all(space, self.tangent(space, variable, gradient), variable)

    def _sparse_step(self, space, gradient, variable):
        rows = gradient.indices
        here = tf.gather(variable, rows)
        tangent = self.tangent(space, here, gradient.values)
        tangent = tf.IndexedSlices(tangent, rows, gradient.dense_shape)
        if leaves_other_rows_alone(self.inner):
            self.inner.update_step(tangent, variable)
            back = self.retract(space, here, tf.gather(variable, rows))
            variable.scatter_update(tf.IndexedSlices(back, rows))
        else:
            self._step_all(space, tangent, variable)

    def _step_all(self, space, tangent, variable):
        old = tf.identity(variable)
        self.inner.update_step(tangent, variable)
        variable.assign(self.retract(space, old, tf.identity(variable)))

    @property
    def learning_rate(self):
        """The inner optimizer's learning rate."""
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner.learning_rate = learning_rate

    def _compute_current_learning_rate(self):
        self.inner._compute_current_learning_rate()

    def get_config(self):
        """The arguments of the constructor, `inner` serialised."""
        return super().get_config() | {"inner": keras.optimizers.serialize(self.inner)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The optimizer that `get_config` describes."""
        inner = keras.optimizers.deserialize(config["inner"], custom_objects)
        return cls(**config | {"inner": inner})
