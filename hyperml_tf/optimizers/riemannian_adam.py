"""True Riemannian Adam on the Poincaré ball, offered beside the paper's optimizer."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry import poincare
from hyperml_tf.geometry.row_space import PoincareBall, row_space
from hyperml_tf.optimizers.lazy import LazyAdam


@keras.saving.register_keras_serializable("hyperml_tf")
class RiemannianAdam(LazyAdam):
    """Riemannian Adam (Bécigneul & Ganea 2019), each row a point of its own ball.

        g = ∇_R,  m ← β₁m + (1-β₁)g,  v ← β₂v + (1-β₂) λ_x²‖g‖²
        y = exp_x(-η √(1-β₂ᵗ)/(1-β₁ᵗ) · m/(√v + ε)),  m ← P_{x→y}(m),  x ← y

    What `PoincareOptimizer` around Adam does not do: the second moment is one number a
    row, measured in the metric, so the rescaling is not undone, and the first moment
    is carried along by parallel transport. Rows without a gradient rest, as in
    `LazyAdam`. Variables that are not declared to lie in a ball get `LazyAdam`.
    """

    def __init__(self, learning_rate=0.001, name="RiemannianAdam", **kwargs):
        super().__init__(learning_rate, name=name, **kwargs)

    def build(self, var_list):
        """Creates slots; one second moment a row for tables on the ball."""
        keras.optimizers.Optimizer.build(self, var_list)
        if getattr(self, "_built", False):
            return
        self._built = True
        self._spaces = [row_space(variable) for variable in var_list]
        self._momentums, self._velocities = [], []
        for variable, space in zip(var_list, self._spaces, strict=True):
            by_row = [*variable.shape[:-1], 1]
            shape = by_row if isinstance(space, PoincareBall) else variable.shape
            self._momentums.append(self.add_variable_from_reference(variable, "m"))
            self._velocities.append(
                self.add_variable_from_reference(variable, "v", shape=shape)
            )

    def update_step(self, gradient, variable):
        """One step for the rows of `gradient`, or for all of a dense one."""
        index = self._index_dict[self._var_key(variable)]
        space = self._spaces[index]
        if not isinstance(space, PoincareBall):
            super().update_step(gradient, variable)
            return
        if isinstance(gradient, tf.IndexedSlices):
            rows, gradient = gradient.indices, gradient.values
        else:
            rows = tf.range(tf.shape(gradient)[0])
        c = space.c
        moments, velocities = self._momentums[index], self._velocities[index]
        x = tf.gather(variable, rows)
        g = poincare.riemannian_gradient(x, gradient, c)
        length = poincare.conformal_factor(x, c)[..., tf.newaxis]
        squared_norm = tf.reduce_sum(tf.square(length * g), axis=-1, keepdims=True)

        beta_1, beta_2 = self.beta_1, self.beta_2
        m = beta_1 * tf.gather(moments, rows) + (1 - beta_1) * g
        v = beta_2 * tf.gather(velocities, rows) + (1 - beta_2) * squared_norm
        move = -self.corrected_rate(x.dtype) * m / (tf.sqrt(v) + self.epsilon)
        y = poincare.project(poincare.exp_map(x, move, c), c)
        moved = poincare.parallel_transport(x, y, m, c)
        moments.scatter_update(tf.IndexedSlices(moved, rows))
        velocities.scatter_update(tf.IndexedSlices(v, rows))
        variable.scatter_update(tf.IndexedSlices(y, rows))
