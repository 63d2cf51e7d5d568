"""Counts the items above a target by float32 products, as float64 ones would.

The product p·v of vectors [N], rounded to float32 and summed there in any order, is
wrong by at most

    e = γ ‖p‖ ‖v‖ + N 2⁻¹²⁶ (1 + ‖p‖ + ‖v‖),   γ = (N + 4) 2⁻²⁴

(Higham 2002, §3.1, with two roundings more for both vectors and two for the limits;
the second term is what numbers too small for float32 lose). So an item whose product is
more than e above the target's is above it, one that is more than e below is below,
and only the few between are multiplied again, in float64. Where even float64 cannot
tell, which is where items tie, the caller decides. The order of a user's items stays
when their mean is taken from all v, which makes ‖v‖ smaller.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hyperml_tf.geometry.retrieval import Points

# Items are counted in pieces of so many, and looked at where one has any in doubt.
_PIECE = 64
_LARGEST = 1e30  # products of float32 are kept well below where they overflow
_IDS = tf.TensorSpec([None], tf.int32)


class Counted(NamedTuple):
    """What is above the targets of users.

    Attributes:
        better: [B] int64, how many items are; of no meaning where
        unsure: [B] bool, an item has the target's product in float64.
    """

    better: np.ndarray
    unsure: np.ndarray


class Screen:
    """The users and items of a model whose scores are products.

    Args:
        points: of a measure that `is_product`.
    """

    def __init__(self, points: Points):
        self._points = points
        items = points.measure.lift_item(points.items).numpy()
        self._largest = float(np.linalg.norm(items, axis=1).max())
        self._items = items - items.mean(axis=0)
        count, length = self._items.shape
        # What fills the last piece is neither above nor in doubt.
        filled = tf.pad(
            self._items.astype(np.float32),
            [[0, -count % _PIECE], [0, 0]],
            constant_values=np.nan,
        )
        self._pieces = filled
        self._norm = float(np.linalg.norm(self._items, axis=1).max())
        self._units = length + 4

    def count(
        self,
        users: np.ndarray,
        targets: np.ndarray,
        known_row: np.ndarray,
        known_item: np.ndarray,
    ) -> Counted:
        """Counts what is above a target of each user, without what they know.

        Args:
            users: [B] int.
            targets: [B] int32 items.
            known_row: [K] int32 places among the users.
            known_item: [K] int32 what these know, without targets.
        """
        points = tf.gather(self._points.users, users)
        query = self._points.measure.lift_query(points).numpy()
        target = np.einsum("bn,bn->b", query, self._items[targets])
        size = np.linalg.norm(query, axis=1)
        scale = size * self._norm
        if not scale.max(initial=0.0) < _LARGEST:  # NaN neither
            return Counted(np.zeros(len(query), np.int64), np.ones(len(query), bool))
        doubt = self._units * 2.0**-24 * scale
        doubt += self._units * 2.0**-126 * (1 + size + self._norm)
        low, high = (target + side for side in (-doubt, doubt))
        above, above_known, at, values = _count(
            query.astype(np.float32),
            self._pieces,
            np.float32(low),
            np.float32(high),
            known_row,
            known_item,
        )
        better = above.numpy().astype(np.int64)
        better -= np.bincount(known_row[above_known.numpy()], minlength=len(query))
        row, item = self._in_doubt(at.numpy(), values.numpy(), low, high)
        fresh = item != targets[row]
        fresh &= ~np.isin(self._pair(row, item), self._pair(known_row, known_item))
        row, item = row[fresh], item[fresh]
        product = np.einsum("pn,pn->p", query[row], self._items[item])
        difference = product - target[row]
        np.add.at(better, row, difference > 0)
        # Both products here, and both of whoever decides, are wrong by as much at most.
        wrong = self._units * 2.0**-53 * size[row] * self._largest
        close = np.abs(difference) <= 8 * wrong
        return Counted(better, np.bincount(row[close], minlength=len(query)) > 0)

    def _in_doubt(self, at, values, low, high):
        """Rows and items [P] within the limits, of pieces at [n, 2]."""
        row, piece = at.T
        inside = (values >= np.float32(low)[row, np.newaxis]) & (
            values <= np.float32(high)[row, np.newaxis]
        )
        which, place = np.nonzero(inside)
        return row[which], piece[which] * _PIECE + place

    def _pair(self, row, item):
        return row.astype(np.int64) * len(self._items) + item


_VECTORS = tf.TensorSpec([None, None], tf.float32)
_LIMITS = tf.TensorSpec([None], tf.float32)


@tf.function(
    input_signature=[_VECTORS, _VECTORS, _LIMITS, _LIMITS, _IDS, _IDS], autograph=False
)
def _count(queries, items, low, high, known_row, known_item):
    """Items above `high` [B]; known pairs that are; pieces in doubt; their values."""
    scores = tf.matmul(queries, items, transpose_b=True)
    known = tf.gather_nd(scores, tf.stack([known_row, known_item], axis=1))
    shape = [tf.shape(queries)[0], tf.shape(items)[0] // _PIECE, _PIECE]
    pieces = tf.reshape(scores, shape)

    def number(mask):
        return tf.reduce_sum(tf.cast(mask, tf.int32), axis=2)

    above = number(pieces > high[:, tf.newaxis, tf.newaxis])
    not_below = number(pieces >= low[:, tf.newaxis, tf.newaxis])
    at = tf.where(not_below != above)
    return (
        tf.reduce_sum(above, axis=1),
        known > tf.gather(high, known_row),
        at,
        tf.gather_nd(pieces, at),
    )
