"""How a model measures: its points, the key that orders items, what is shown.

A key is a number per (user, item), smaller is better, whose order is that of the
model's score, and which costs no more than a difference and a sum in float64. All
tensors here are float64 unless a docstring says otherwise.
"""

import dataclasses
import functools
from typing import NamedTuple, Protocol

import tensorflow as tf

from hyperml_tf.geometry import lift, poincare
from hyperml_tf.models import CML, MFBPR, HyperML, HyperTS, Recommender


class Space(Protocol):
    """The measure shared by the users and items of one model."""

    #: ScaNN's name for the search among `items` around `centre`.
    scann_measure: str

    def weights(self, items: tf.Tensor) -> tf.Tensor:
        """[I] factors of the keys that depend on the item alone, from items [I, D]."""

    def keys(self, u: tf.Tensor, v: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """[...] keys of users and items [..., D] with the items' weights [...]."""

    def lift_query(self, u: tf.Tensor) -> tf.Tensor:
        """[..., N] vectors whose products with `lift_item` are the keys, negated."""

    def lift_item(self, v: tf.Tensor) -> tf.Tensor:
        """[..., N] vectors of items [..., D]."""

    def centre(self, u: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
        """[..., D]: the point around which ScaNN finds what lies within `radius`."""

    def values(self, keys: tf.Tensor, u: tf.Tensor) -> dict[str, tf.Tensor]:
        """What is shown for keys [...] of users [..., D]: scores, distances [...]."""


@dataclasses.dataclass(frozen=True)
class Ball:
    """Points of the Poincaré ball of curvature -c; key ‖u-v‖²/(1-c‖v‖²)."""

    c: float
    scann_measure = "squared_l2"

    def weights(self, items):
        """1/(1-c‖v‖²)."""
        return poincare.conformal_factor(items, self.c) / 2

    def keys(self, u, v, weights):
        """The difference is taken coordinate by coordinate, so no digits cancel."""
        return tf.reduce_sum(tf.math.squared_difference(u, v), axis=-1) * weights

    def lift_query(self, u):
        """ψ(u) of `geometry.lift`."""
        return lift.lift_query(u)

    def lift_item(self, v):
        """φ(v) of `geometry.lift`."""
        return lift.lift_item(v, self.c)

    def centre(self, u, radius):
        """The Euclidean centre of the hyperbolic ball."""
        return lift.shifted_centre(u, radius, self.c)

    def values(self, keys, u):
        """Scores -d_c(u, v)."""
        distances = lift.lifted_to_distance(-keys, u, self.c)
        return {"scores": -distances, "distances": distances}


class Euclidean:
    """Vectors of ℝᴰ; key ‖u-v‖²."""

    scann_measure = "squared_l2"

    def weights(self, items):
        """None: all 1."""
        return tf.ones_like(items[:, 0])

    def keys(self, u, v, weights):
        """Coordinate by coordinate, as on the ball."""
        return tf.reduce_sum(tf.math.squared_difference(u, v), axis=-1) * weights

    def lift_query(self, u):
        """[u, ‖u‖², 1]."""
        return lift.lift_query(u)

    def lift_item(self, v):
        """[2v, -1, -‖v‖²]."""
        return lift.lift_item(v, 0.0)

    def centre(self, u, radius):
        """The user."""
        return u

    def values(self, keys, u):
        """Scores -‖u-v‖², as of CML."""
        return {"scores": -keys, "distances": tf.sqrt(keys)}


class InnerProduct:
    """Vectors of ℝᴰ; key -u·v."""

    scann_measure = "dot_product"

    def weights(self, items):
        """None: all 1."""
        return tf.ones_like(items[:, 0])

    def keys(self, u, v, weights):
        """The negated product."""
        return -tf.reduce_sum(u * v, axis=-1) * weights

    def lift_query(self, u):
        """The user: no lift is needed."""
        return u

    def lift_item(self, v):
        """The item."""
        return v

    def centre(self, u, radius):
        """The user."""
        return u

    def values(self, keys, u):
        """Scores u·v."""
        return {"scores": -keys}


class Points(NamedTuple):
    """The users [U, D] and items [I, D] of a model, in its space."""

    space: Space
    users: tf.Tensor
    items: tf.Tensor


def points_of(model: Recommender) -> Points | None:
    """Points of a trained model; None where no space orders items as it does.

    None with item biases too: -d² + b on a ball is the order of no inner product, and
    for the other models an index of their own would be needed. Nor is the hyperbolic
    models' product the order of one.
    """
    return None if model.item_biases is not None else _points(model)


@functools.singledispatch
def _points(model: Recommender) -> Points | None:
    return None


@_points.register(HyperML)
@_points.register(HyperTS)
def _(model):
    users, items = (model.points(table) for table in _tables(model))
    return Points(Ball(model.c), users, items)


@_points.register
def _(model: CML):
    return Points(Euclidean(), *_tables(model))


@_points.register
def _(model: MFBPR):
    return Points(InnerProduct(), *_tables(model))


def _tables(model) -> list[tf.Tensor]:
    layers = model.user_table, model.item_table
    return [tf.cast(layer.table, tf.float64) for layer in layers]
