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
        scann_measure: ScaNN's name for the search of `centre` in `search_items`.
        scann_leaves: the share of ScaNN's leaves to search, and the fewest.
        centre_moves: whether `centre` depends on the reach.
        is_product: whether negated keys are the inner products of lifted vectors.
            Where they are not, `upper_offsets` and `upper_bounds` bound them, see
            `geometry.offsets`.
    """

    scann_measure: str
    scann_leaves: tuple[float, int]
    centre_moves: bool

    @property
    def is_product(self) -> bool:
        """As above."""

    def weights(self, items: tf.Tensor) -> tf.Tensor:
        """[I] factors of the keys that depend on the item alone, from items [I, D]."""

    def keys(self, u: tf.Tensor, v: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """[...] keys of users and items [..., D] with the items' weights [...]."""

    def lift_query(self, u: tf.Tensor) -> tf.Tensor:
        """[..., N] vectors whose products with `lift_item` order, highest first."""

    def lift_item(self, v: tf.Tensor) -> tf.Tensor:
        """[..., N] vectors of items [..., D]."""

    def search_items(self, v: tf.Tensor) -> tf.Tensor:
        """[I, M] what ScaNN searches, of items [I, D]."""

    def reach(self, u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """[..., B]: how far the k-th items v [B, D] are from users u [B, D]."""

    def centre(self, u: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
        """[B, M]: what ScaNN looks for, of users [B, D] whose `reach` is [...]."""

    def values(self, keys: tf.Tensor, u: tf.Tensor) -> dict[str, tf.Tensor]:
        """What is shown for keys [...] of users [..., D]: scores, distances [...]."""

    def dissimilarity(self, u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """[...] by definition: what keys of users and items [..., D] order alike."""


class PointMeasure(Measure, Protocol):
    """A measure of points alone, which have a middle."""

    def midpoint(self, v: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """[..., D]: the middle of items [..., n, D] of weights [..., n]."""


class InnerProduct:
    """Vectors of ℝᴰ compared by u·v; key -u·v."""

    is_product = True
    scann_measure = "dot_product"
    scann_leaves = 0.04, 10
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

    def search_items(self, v):
        """The items."""
        return v

    def reach(self, u, v):
        """Of no effect."""
        del v
        return tf.zeros_like(u[:, 0])

    def centre(self, u, reach):
        """The user."""
        del reach
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
