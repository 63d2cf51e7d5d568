"""What one request leaves out of the catalogue, and what it keeps to."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Filter(NamedTuple):
    """Lists of items by rows: a list for each of A users, or, where A is 1, for all.

    Attributes:
        excluded: [A, M] int32 items that are not to be had; -1 for none.
        allowed: [A, N] int32 items; no other is to be had; -1 for none.
        restricted: [A] whether `allowed` counts. An item that is not in the catalogue
            restricts, too: who allows unknown items alone gets nothing.
    """

    excluded: tf.Tensor
    allowed: tf.Tensor
    restricted: tf.Tensor

    @classmethod
    def of(
        cls, items: tf.lookup.StaticHashTable, exclude: tf.Tensor, allow: tf.Tensor
    ) -> Filter:
        """The filter of raw ids [A, M] and [A, N], padded with "".

        Args:
            items: raw ids to rows, -1 for unknown ones.
            exclude: raw ids; A may be 0 for no filter.
            allow: likewise; a row without an id allows all.
        """
        restricted = tf.reduce_any(tf.not_equal(allow, ""), axis=1)
        lookups = items.lookup(exclude), items.lookup(allow)
        # A row at least, which filters nothing.
        excluded, allowed = (
            tf.pad(rows, [[0, _missing(rows)], [0, 0]], constant_values=-1)
            for rows in lookups
        )
        restricted = tf.pad(restricted, [[0, _missing(restricted)]])
        return cls(excluded, allowed, restricted)

    @property
    def listed(self) -> tf.Tensor:
        """How many items it lists for a user."""
        return tf.shape(self.excluded)[1] + tf.shape(self.allowed)[1]

    def check(self, users: tf.Tensor) -> list[tf.Operation]:
        """Operations that fail unless there is one row, or one for each user."""
        count = tf.size(users)
        return [
            tf.debugging.Assert(
                tf.equal(tf.shape(rows)[0], 1) | tf.equal(tf.shape(rows)[0], count),
                ["exclude_items and allowed_items must have one row, or one a user"],
            )
            for rows in (self.excluded, self.allowed)
        ]

    def part(self, start: tf.Tensor, stop: tf.Tensor) -> Filter:
        """That of users start … stop."""

        def rows(tensor):
            shared = tf.equal(tf.shape(tensor)[0], 1)
            return tensor[tf.where(shared, 0, start) : tf.where(shared, 1, stop)]

        return Filter(*map(rows, self))

    def mask(self, size: int) -> tf.Tensor:
        """[A, I] whether items are to be had, for I of `size`."""
        allowed = _marked(self.allowed, size) | ~self.restricted[:, tf.newaxis]
        return allowed & ~_marked(self.excluded, size)


def _missing(rows: tf.Tensor) -> tf.Tensor:
    """1 if there is no row, else 0."""
    return tf.cast(tf.equal(tf.shape(rows)[0], 0), tf.int32)


def _marked(items: tf.Tensor, size: int) -> tf.Tensor:
    """[A, I] whether an item is among items [A, N]."""
    rows = tf.broadcast_to(tf.range(tf.shape(items)[0])[:, tf.newaxis], tf.shape(items))
    # One place more than items, for -1.
    marked = tf.zeros([tf.shape(items)[0], size + 1], tf.bool)
    places = tf.stack([rows, tf.where(items < 0, size, items)], axis=-1)
    return tf.tensor_scatter_nd_update(
        marked, places, tf.ones(tf.shape(items), tf.bool)
    )[:, :-1]
