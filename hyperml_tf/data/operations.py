"""The operations of a draw of triplets, which each give the same whoever does them."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Operations(NamedTuple):
    """What `TripletSampler.draw` is made of.

    Attributes:
        shuffle: (positions [B] int64, key [2] int64, last) -> where a permutation of
            0 … last takes them.
        fractions: (key [2] int64, stream int64, count) -> [count] float64 in [0, 1) of
            that stream of the key.
        search: (keys [N] int64, sought [B] int64, first [B], last [B]) -> the number
            [B] of keys <= sought, where `keys` ascend and those at first … last-1 are
            the only ones near to it.
        look_up: (pairs, rows [B]) -> users [B] and items [B] int32 in rows of `pairs`.
    """

    shuffle: Callable[[tf.Tensor, tf.Tensor, int], tf.Tensor]
    fractions: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    search: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    look_up: Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]]


def _shuffle(positions, key, last):
    max_index = tf.constant(last, tf.int64)
    return tf.random.experimental.index_shuffle(positions, key, max_index)


def _fractions(key, stream, count):
    key = tf.random.experimental.stateless_fold_in(key, stream)
    return tf.random.stateless_uniform([count], key, dtype=tf.float64)


def _search(keys, sought, first, last):
    del first, last
    return tf.searchsorted(keys, sought, side="right", out_type=tf.int64)


def _look_up(pairs, rows):
    return tf.unstack(tf.gather(pairs, rows), axis=1)


#: TensorFlow's own, for everything but programs of XLA.
TENSORFLOW = Operations(_shuffle, _fractions, _search, _look_up)
