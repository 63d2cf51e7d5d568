"""True Riemannian Adam on the Poincaré ball, offered beside the paper's optimizer."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.spaces import space_of
from hyperml_tf.optimizers.lazy import LazyAdam
from hyperml_tf.optimizers.rows import RowKeeper


@keras.saving.register_keras_serializable("hyperml_tf")
class RiemannianAdam(RowKeeper, LazyAdam):
    """Riemannian Adam (Bécigneul & Ganea 2019), each row a point of its own ball.

        g = ∇_R,  m ← β₁m + (1-β₁)g,  v ← β₂v + (1-β₂) λ_x²‖g‖²
        y = exp_x(-η √(1-β₂ᵗ)/(1-β₁ᵗ) · m/(√v + ε)),  m ← P_{x→y}(m),  x ← y

    What `PoincareOptimizer` around Adam does not do: the second moment is one number a
    row, measured in the metric, so the rescaling is not undone, and the first moment
    is carried along by parallel transport. Rows without a gradient rest, as in
    `LazyAdam`. Variables of a flat space get `LazyAdam`, and are projected if it ends.

    Raises:
        ValueError: AMSGrad is asked for, which has no Riemannian form here.
    """

    def __init__(self, learning_rate=0.001, name="RiemannianAdam", **kwargs):
        super().__init__(learning_rate, name=name, **kwargs)
        if self.amsgrad:
            raise ValueError("RiemannianAdam has no AMSGrad; leave amsgrad out")

    def build(self, var_list):
        """Creates slots; one second moment a row where there is a metric."""
        keras.optimizers.Optimizer.build(self, var_list)
        if getattr(self, "_built", False):
            return
        self._built = True
        self._spaces = [space_of(variable) for variable in var_list]
        self._momentums, self._velocities = [], []
        for variable, space in zip(var_list, self._spaces, strict=True):
            by_row = [*variable.shape[:-1], 1]
            shape = by_row if space.riemannian else variable.shape
            self._momentums.append(self.add_variable_from_reference(variable, "m"))
            self._velocities.append(
                self.add_variable_from_reference(variable, "v", shape=shape)
            )

    def update_step(self, gradient, variable):
        """One step for the rows of `gradient`, or for all of a dense one."""
        index = self._index_dict[self._var_key(variable)]
        space = self._spaces[index]
        if space.is_free:
            super().update_step(gradient, variable)
            return
        if isinstance(gradient, tf.IndexedSlices):
            rows, values = gradient.indices, gradient.values
        else:
            rows, values = tf.range(tf.shape(gradient)[0]), gradient
        if not space.riemannian:
            super().update_step(gradient, variable)
            inside = space.project(tf.gather(variable, rows))
            variable.scatter_update(tf.IndexedSlices(inside, rows))
            return
        moments, velocities = self._momentums[index], self._velocities[index]
        x = tf.gather(variable, rows)
        g = space.gradient(x, values)
        squared = space.squared_length(x, g)
        beta_1, beta_2 = self.beta_1, self.beta_2
        m = beta_1 * tf.gather(moments, rows) + (1 - beta_1) * g
        v = beta_2 * tf.gather(velocities, rows) + (1 - beta_2) * squared
        move = -self.corrected_rate(x.dtype) * m / (tf.sqrt(v) + self.epsilon)
        y = space.exp_map(x, move)
        moved = space.parallel_transport(x, y, m)
        moments.scatter_update(tf.IndexedSlices(moved, rows))
        velocities.scatter_update(tf.IndexedSlices(v, rows))
        variable.scatter_update(tf.IndexedSlices(y, rows))
