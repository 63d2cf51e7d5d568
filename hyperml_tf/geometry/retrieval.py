"""What retrieval asks of a measure, and the measures that are no space of rows.

A key is a number per (user, item), smaller is better, whose order is that of the
model's score, and which costs no more than a difference and a sum in float64. Spaces
(`geometry.spaces`) are measures. Serving's tensors are float64.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

from hyperml_tf.geometry import midpoint


class Measure(Protocol):
    """How the users and items of one model are compared.

    Attributes:
        scann_measure: ScaNN's name for the search among items around `centre`.
        centre_moves: whether `centre` depends on the radius.
    """

    scann_measure: str
    centre_moves: bool

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

    def midpoint(self, v: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """[..., D]: the middle of items [..., n, D] of weights [..., n]."""

    def values(self, keys: tf.Tensor, u: tf.Tensor) -> dict[str, tf.Tensor]:
        """What is shown for keys [...] of users [..., D]: scores, distances [...]."""

    def dissimilarity(self, u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """[...] by definition: what keys of users and items [..., D] order alike."""


class InnerProduct:
    """Vectors of ℝᴰ compared by u·v; key -u·v."""

    scann_measure = "dot_product"
    centre_moves = False

    def weights(self, items):
        """None: all 1."""
        return tf.ones_like(items[:, 0])

    def keys(self, u, v, weights):
        """The negated product."""
        return self.dissimilarity(u, v) * weights

    def lift_query(self, u):
        """The user: no lift is needed."""
        return u

    def lift_item(self, v):
        """The item."""
        return v

    def centre(self, u, radius):
        """The user."""
        del radius
        return u

    def midpoint(self, v, weights):
        """The mean."""
        return midpoint.mean(v, weights)

    def values(self, keys, u):
        """Scores u·v."""
        del u
        return {"scores": -keys}

    def dissimilarity(self, u, v):
        """-u·v."""
        return -tf.reduce_sum(u * v, axis=-1)


class Points(NamedTuple):
    """The users and items of a model, in float64.

    Attributes:
        measure: how they are compared.
        users: [U, D].
        items: [I, D].
        fold_in: points [B, D] of users who were not in training, from the points
            [B, n, D] of their items and weights [B, n], 1 where an item is, else 0.
    """

    measure: Measure
    users: tf.Tensor
    items: tf.Tensor
    fold_in: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
