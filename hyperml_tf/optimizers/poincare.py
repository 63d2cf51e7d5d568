"""Riemannian updates on the Poincaré ball around a Euclidean optimizer.

With plain SGD inside, this is Eq. 14 of HyperML (RSGD of Nickel & Kiela 2017) to the
letter. With Adam or AdaGrad inside it is what the paper describes, a rescaled
gradient handed to a Euclidean optimizer, and *not* Riemannian Adam (Bécigneul & Ganea
2019): moments are neither transported nor measured in the metric, and since Adam
divides by the root of its second moment, it undoes most of the rescaling.
"""

import tf_keras as keras

from hyperml_tf.geometry import poincare
from hyperml_tf.geometry.row_space import PoincareBall
from hyperml_tf.optimizers.rows import RowOptimizer

RETRACTIONS = ("projection", "exp")


@keras.saving.register_keras_serializable("hyperml_tf")
class PoincareOptimizer(RowOptimizer):
    """Rescales gradients, delegates the step, retracts onto the ball.

        θ ← R_θ(inner step along ∇_R),  ∇_R = ((1 - c‖θ‖²)²/4) ∇_E   HyperML, Eq. 14

    Args:
        inner: the optimizer of the Euclidean step: `LazyAdam`, or tf_keras's Adam,
            Adagrad or SGD.
        c: curvature of the ball; must be what the hyperbolic layers declare.
        retraction: "projection", R_θ(δ) = project(θ + δ), the paper's; or "exp",
            R_θ(δ) = exp_θ(δ) of Eq. 7, full RSGD. Both end inside the ball.
        rescale: False takes ∇_E for ∇_R: a control that the paper lacks.

    Raises:
        ValueError: for an unknown retraction, or, at build time, a table whose
            declared curvature is not `c`.
    """

    space_type = PoincareBall

    def __init__(
        self,
        inner: keras.optimizers.Optimizer,
        c: float = 1.0,
        retraction: str = "projection",
        rescale: bool = True,
        name: str = "PoincareOptimizer",
        **kwargs,
    ):
        if retraction not in RETRACTIONS:
            raise ValueError(
                f"retraction {retraction!r} is not known; one of: "
                f"{', '.join(RETRACTIONS)}"
            )
        super().__init__(inner, name=name, **kwargs)
        self.c, self.retraction, self.rescale = c, retraction, rescale

    def build(self, var_list):
        """Creates slots; refuses a table of another curvature."""
        super().build(var_list)
        for space, variable in zip(self._spaces, var_list, strict=True):
            if isinstance(space, PoincareBall) and space.c != self.c:
                raise ValueError(
                    f"{variable.name} lies in the ball of c = {space.c}, the "
                    f"optimizer works in that of c = {self.c}; give both the same c"
                )

    def tangent(self, space, x, gradient):
        """∇_R from ∇_E, [R, D]."""
        if not self.rescale:
            return gradient
        return poincare.riemannian_gradient(x, gradient, space.c)

    def retract(self, space, old, new):
        """Rows back on the ball, [R, D]."""
        if self.retraction == "exp":
            new = poincare.exp_map(old, new - old, space.c)
        return poincare.project(new, space.c)

    def get_config(self):
        """The arguments of the constructor."""
        own = {"c": self.c, "retraction": self.retraction, "rescale": self.rescale}
        return super().get_config() | own
