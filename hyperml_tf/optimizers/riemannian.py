"""Riemannian updates of tables around a Euclidean optimizer.

With plain SGD inside, on the Poincaré ball, this is Eq. 14 of HyperML (RSGD of Nickel
& Kiela 2017) to the letter. With Adam or AdaGrad inside it is what the paper
describes, a rescaled gradient handed to a Euclidean optimizer, and *not* Riemannian
Adam (Bécigneul & Ganea 2019): moments are neither transported nor measured in the
metric, and since Adam divides by the root of its second moment, it undoes most of the
rescaling.
"""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.spaces import RETRACTIONS, space_of
from hyperml_tf.optimizers.lazy import leaves_other_rows_alone
from hyperml_tf.optimizers.rows import RowKeeper


@keras.saving.register_keras_serializable("hyperml_tf")
class PoincareOptimizer(RowKeeper):
    """Rescales gradients, delegates the step, brings rows back into their space.

        θ ← R_θ(inner step along ∇_R),  ∇_R = ((1 - c‖θ‖²)²/4) ∇_E   HyperML, Eq. 14

    The space, and so c, is the one that the table's layer declared. On the unit ball
    of CML and LRML ∇_R = ∇_E, and R divides by a norm beyond 1 (Hsieh et al. 2017).
    Where nothing was declared, `inner` steps alone. For a sparse gradient only its rows
    are read and written, provided `inner` moves no others; under dense Adam the whole
    table is brought back.

    Clipping and weight decay of `inner` act as they do without this wrapper: clipping
    on ∇_E, before it is rescaled. XLA does not compile steps, whatever `inner` says.

    Args:
        inner: the optimizer of the Euclidean step: `LazyAdam`, or tf_keras's Adam,
            Adagrad or SGD. Its learning rate is this optimizer's.
        retraction: "projection", R_θ(δ) = project(θ + δ), the paper's; or "exp",
            R_θ(δ) = exp_θ(δ) of Eq. 7, full RSGD. Both end inside the ball.
        rescale: False takes ∇_E for ∇_R: a control that the paper lacks.

    Raises:
        TypeError: `inner` is no optimizer of tf_keras (Keras 2).
        ValueError: for an unknown retraction, or an `inner` whose `apply_gradients`
            does what cannot be honoured here.
    """

    def __init__(
        self,
        inner: keras.optimizers.Optimizer,
        retraction: str = "projection",
        rescale: bool = True,
        name: str = "PoincareOptimizer",
    ):
        if retraction not in RETRACTIONS:
            raise ValueError(
                f"retraction {retraction!r} is not known; one of: "
                f"{', '.join(RETRACTIONS)}"
            )
        _check(inner)
        # tf.unique has no static shape, so XLA is left out.
        super().__init__(name=name, jit_compile=False)
        self.inner, self.retraction, self.rescale = inner, retraction, rescale
        self.inner.iterations = self.iterations

    def build(self, var_list):
        """Creates the inner slots and reads where each variable's rows lie."""
        super().build(var_list)
        if getattr(self, "_built", False):
            return
        self._spaces = [space_of(variable) for variable in var_list]
        self.inner.build(var_list)
        self._built = True

    def update_step(self, gradient, variable):
        """One step for one variable."""
        space = self._spaces[self._index_dict[self._var_key(variable)]]
        if space.is_free:
            self.inner.update_step(gradient, variable)
            return
        if not isinstance(gradient, tf.IndexedSlices):
            self._step_all(space, self._tangent(space, variable, gradient), variable)
            return
        rows = gradient.indices
        here = tf.gather(variable, rows)
        tangent = self._tangent(space, here, gradient.values)
        tangent = tf.IndexedSlices(tangent, rows, gradient.dense_shape)
        if not leaves_other_rows_alone(self.inner):
            self._step_all(space, tangent, variable)
            return
        self.inner.update_step(tangent, variable)
        back = space.retract(here, tf.gather(variable, rows), self.retraction)
        variable.scatter_update(tf.IndexedSlices(back, rows))

    def _tangent(self, space, x, gradient):
        """What `inner` is to see, [R, D]: ∇_R at x from ∇_E."""
        return space.gradient(x, gradient) if self.rescale else gradient

    def _step_all(self, space, tangent, variable):
        old = tf.identity(variable)
        self.inner.update_step(tangent, variable)
        back = space.retract(old, tf.identity(variable), self.retraction)
        variable.assign(back)

    @property
    def learning_rate(self):
        """The inner optimizer's learning rate."""
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner.learning_rate = learning_rate

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """That of the inner optimizer, whose weight decay it is."""
        self.inner.exclude_from_weight_decay(var_list, var_names)

    def _compute_current_learning_rate(self):
        self.inner._compute_current_learning_rate()

    def _clip_gradients(self, grads):
        return self.inner._clip_gradients(grads)

    def _apply_weight_decay(self, variables):
        self.inner._apply_weight_decay(variables)

    def get_config(self):
        """The arguments of the constructor, `inner` serialised."""
        return {
            "inner": keras.optimizers.serialize(self.inner),
            "retraction": self.retraction,
            "rescale": self.rescale,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The optimizer that `get_config` describes."""
        inner = keras.optimizers.deserialize(config["inner"], custom_objects)
        return cls(**config | {"inner": inner})


def _check(inner) -> None:
    """Refuses what cannot be the inner optimizer."""
    kind = type(inner).__name__
    if not isinstance(inner, keras.optimizers.Optimizer):
        raise TypeError(
            f"inner must be an optimizer of tf_keras (Keras 2), got {kind} of "
            f"{type(inner).__module__}; give LazyAdam, or one of tf_keras.optimizers"
        )
    if inner.use_ema:
        raise ValueError(
            f"{kind}(use_ema=True) averages tables after the step, which is not done "
            "inside PoincareOptimizer; leave use_ema out"
        )
    if type(inner).apply_gradients is not keras.optimizers.Optimizer.apply_gradients:
        raise ValueError(
            f"{kind} does more than its update_step, which is all that "
            "PoincareOptimizer calls; give the optimizer that it is based on"
        )


def in_their_spaces(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[tf.Variable], **options
) -> keras.optimizers.Optimizer:
    """`optimizer`, wrapped if a table declares a space that its rows have to stay in.

    Args:
        optimizer: the optimizer of the Euclidean step.
        variables: what it is to train.
        **options: of `PoincareOptimizer`.
    """
    if all(space_of(variable).is_free for variable in variables):
        return optimizer
    return PoincareOptimizer(optimizer, **options)
