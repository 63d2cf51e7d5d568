"""Spaces of rows, which act: convert gradients, bring rows back, measure, order.

A table's layer declares where its rows lie; optimizers, models and serving ask the
space and never its class. Nothing is inferred from names.

Notation: x, y are rows [..., D] of the space, v tangent vectors [..., D] at x; u are
users and v items where a space orders items (`geometry.retrieval`). What this module
does not do: formulas. Those of the ball are in `poincare` and `lift`, with their
errors and sources.
"""

import dataclasses

import tensorflow as tf

from hyperml_tf.geometry import lift, midpoint, poincare

#: How a row moves: "projection" moves in ambient coordinates, then projects, as the
#: paper does; "exp" moves along the geodesic, Eq. 7.
RETRACTIONS = ("projection", "exp")


class Space:
    """What spaces answer; here for all of ℝᴰ with the Euclidean metric.

    Attributes:
        inverse_radius: 1 over the largest norm that a row can have; 0 for no bound.
        riemannian: whether the metric is another than the Euclidean one.
        scann_measure: ScaNN's name for the search among items around `centre`.
        scann_leaves: the share of ScaNN's leaves to search, and the fewest.
        centre_moves: whether `centre` depends on the reach.
        is_product: negated keys are the inner products of lifted vectors.
    """

    inverse_radius: float = 0.0
    riemannian: bool = False
    is_product = True
    scann_measure = "squared_l2"
    scann_leaves = 0.04, 10
    centre_moves = False

    @property
    def is_free(self) -> bool:
        """Whether any vector is a row and a Euclidean step is right as it is."""
        return not (self.inverse_radius or self.riemannian)

    def rim(self, dtype: tf.DType) -> float:
        """The largest norm that `project` leaves, in units of the radius."""
        del dtype
        return 1.0

    def project(self, x: tf.Tensor) -> tf.Tensor:
        """The row [..., D] of the space nearest to any vector x [..., D]."""
        return x

    def gradient(self, x: tf.Tensor, euclidean_gradient: tf.Tensor) -> tf.Tensor:
        """∇_R [..., D] at x from ∇_E [..., D]."""
        del x
        return euclidean_gradient

    def retract(self, old: tf.Tensor, new: tf.Tensor, how: str) -> tf.Tensor:
        """Rows [..., D] from those before and after a Euclidean step.

        Args:
            old: [..., D] rows.
            new: [..., D] old + δ, which may lie outside.
            how: one of `RETRACTIONS`; along a straight line both are one.
        """
        del old, how
        return self.project(new)

    def squared_length(self, x: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """The squared norm [..., 1] of v at x, in the metric."""
        del x
        return tf.reduce_sum(tf.square(v), axis=-1, keepdims=True)

    def exp_map(self, x: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """The row [..., D] where the geodesic from x along v ends."""
        return self.project(x + v)

    def parallel_transport(self, x: tf.Tensor, y: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """v carried along the geodesic from x to y, [..., D] at y."""
        del x, y
        return v

    def log0(self, x: tf.Tensor) -> tf.Tensor:
        """Tangent coordinates [..., D] of x at the origin."""
        return x

    def distance(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Lengths [...] of the geodesics from x to y."""
        return poincare.distance(x, y, 0.0) / 2

    # What `geometry.retrieval.Measure` asks.

    def weights(self, items: tf.Tensor) -> tf.Tensor:
        """None: all 1, [I]."""
        return tf.ones_like(items[:, 0])

    def keys(self, u: tf.Tensor, v: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """‖u-v‖² times the weight: coordinate by coordinate, so no digits cancel."""
        return tf.reduce_sum(tf.math.squared_difference(u, v), axis=-1) * weights

    def lift_query(self, u: tf.Tensor) -> tf.Tensor:
        """ψ(u) = [u, ‖u‖², 1]."""
        return lift.lift_query(u)

    def lift_item(self, v: tf.Tensor) -> tf.Tensor:
        """φ(v) = [2v, -1, -‖v‖²]."""
        return lift.lift_item(v, 0.0)

    def search_items(self, v: tf.Tensor) -> tf.Tensor:
        """The items."""
        return v

    def reach(self, u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """The distance."""
        return self.distance(u, v)

    def centre(self, u: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
        """The user."""
        del reach
        return u

    def midpoint(self, v: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """The mean."""
        return midpoint.mean(v, weights)

    def values(self, keys: tf.Tensor, u: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores -‖u-v‖², as of CML, and distances."""
        del u
        return {"scores": -keys, "distances": tf.sqrt(keys)}

    def dissimilarity(self, u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """The distance."""
        return self.distance(u, v)


@dataclasses.dataclass(frozen=True)
class Euclidean(Space):
    """All of ℝᴰ, where a variable's rows lie unless another space is declared."""


@dataclasses.dataclass(frozen=True)
class UnitBall(Space):
    """{x : ‖x‖ ≤ 1} with the Euclidean metric, the norm bound of CML and LRML."""

    inverse_radius = 1.0

    def project(self, x):
        """x / max(1, ‖x‖) (Hsieh et al. 2017)."""
        return tf.clip_by_norm(x, 1.0, axes=-1)


@dataclasses.dataclass(frozen=True)
class PoincareBall(Space):
    """{x : c‖x‖² < 1} of curvature -c; at c = 0 all of ℝᴰ, with the metric 4 dx².

    Keys are ‖u-v‖²/(1-c‖v‖²), see `lift`.
    """

    c: float
    riemannian = True
    centre_moves = True

    def __post_init__(self):
        if not 0 <= self.c < float("inf"):
            raise ValueError(f"c must be a finite number >= 0, got {self.c}")

    @property
    def inverse_radius(self) -> float:  # type: ignore[override]
        """√c."""
        return self.c**0.5

    def rim(self, dtype):
        """1 less the margin of `poincare.project`."""
        return 1 - poincare.BALL_MARGIN[dtype]

    def project(self, x):
        """As `poincare.project`."""
        return poincare.project(x, self.c)

    def gradient(self, x, euclidean_gradient):
        """Eq. 14."""
        return poincare.riemannian_gradient(x, euclidean_gradient, self.c)

    def retract(self, old, new, how):
        """By projection, or exp_old(new - old) of Eq. 7, projected too."""
        if how == "exp":
            new = poincare.exp_map(old, new - old, self.c)
        return self.project(new)

    def squared_length(self, x, v):
        """λ_x²‖v‖²."""
        factor = poincare.conformal_factor(x, self.c)[..., tf.newaxis]
        return tf.reduce_sum(tf.square(factor * v), axis=-1, keepdims=True)

    def exp_map(self, x, v):
        """Eq. 7; in floating point a long step ends on the boundary, so projected."""
        return self.project(poincare.exp_map(x, v, self.c))

    def parallel_transport(self, x, y, v):
        """As `poincare.parallel_transport`."""
        return poincare.parallel_transport(x, y, v, self.c)

    def log0(self, x):
        """As `poincare.log0`."""
        return poincare.log0(x, self.c)

    def distance(self, x, y):
        """Eq. 10."""
        return poincare.distance(x, y, self.c)

    def weights(self, items):
        """1/(1-c‖v‖²)."""
        return poincare.conformal_factor(items, self.c) / 2

    def lift_item(self, v):
        """φ(v) = [2v, -1, -‖v‖²]/(1-c‖v‖²)."""
        return lift.lift_item(v, self.c)

    def centre(self, u, reach):
        """The Euclidean centre of the hyperbolic ball of this radius around u."""
        return lift.shifted_centre(u, reach, self.c)

    def midpoint(self, v, weights):
        """As `midpoint.gyromidpoint`."""
        return midpoint.gyromidpoint(v, weights, self.c)

    def values(self, keys, u):
        """Scores -d_c(u, v), and distances."""
        distances = lift.lifted_to_distance(-keys, u, self.c)
        return {"scores": -distances, "distances": distances}


def declare(variable: tf.Variable, space: Space) -> None:
    """Records on `variable`, and on the parts of it, that its rows lie in `space`."""
    for part in (variable, *getattr(variable, "variables", ())):
        part._hyperml_space = space


def space_of(variable: tf.Variable) -> Space:
    """The space declared for the rows of `variable`; all of ℝᴰ if none was."""
    return getattr(variable, "_hyperml_space", Euclidean())
