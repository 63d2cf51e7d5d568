"""The stream of triplets drawn by programs of XLA, on the device that steps on them.

The triplets are those of `TripletSampler.dataset`. What is written anew here is what
XLA has no kernel for, or another one: the cipher of `index_shuffle`, the conversion of
random bits to float64, and the search, which XLA does by comparing all with all.
"""

import functools
import math

import tensorflow as tf

from hyperml_tf.data.operations import Operations
from hyperml_tf.data.triplets import BATCHES_PER_CHUNK, TripletSampler

#: The algorithm that TensorFlow chooses by itself everywhere but in programs of XLA.
PHILOX = "philox"
_PADDING = 498247692  # what TensorFlow puts before a key of two


class XlaDraws:
    """Draws chunks of a sampler's stream from their epochs and first positions.

    XLA compiles one program for whole chunks and one for the last of an epoch.

    Args:
        sampler: of the stream.
        batch_size: B.
    """

    def __init__(self, sampler: TripletSampler, batch_size: int):
        known = sampler.known
        users = known.row_splits[1:] - known.row_splits[:-1]
        most = int(tf.reduce_max(users))
        search = functools.partial(_search, halvings=most.bit_length())
        self._sampler = sampler.using(
            Operations(_shuffle, _fractions, search, _look_up)
        )
        self._batch_size = batch_size
        # TensorFlow keeps int32 in the host's memory, and would copy it for each call:
        # what the programs take and give is int64.
        self._known = known._replace(
            pairs=tf.bitcast(known.pairs, tf.int64),  # see `_look_up`
            item_at=tf.cast(known.item_at, tf.int64),
        )
        self._program = tf.function(self._draw, jit_compile=True, autograph=False)

    def places(self, first_epoch: int) -> tf.data.Dataset:
        """Where chunks lie, (epoch, first position), from an epoch on, endlessly."""
        starts = self._sampler.chunk_starts(self._batch_size)

        def of_epoch(epoch):
            chunks = tf.data.Dataset.range(starts.start, starts.stop, starts.step)
            return chunks.map(lambda start: (epoch, start))

        epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
        return epochs.flat_map(of_epoch).prefetch(BATCHES_PER_CHUNK)

    def __call__(self, epoch: tf.Tensor, start: tf.Tensor):
        """The triplets of a chunk, as `TripletSampler.draw` has them, but in int64."""
        epoch_size = self._sampler.epoch_size
        whole = self._batch_size * BATCHES_PER_CHUNK
        last = epoch_size % whole

        def draw(count):
            return lambda: self._program(epoch, start, count=count)

        if epoch_size < whole:
            return draw(last)()
        if not last:
            return draw(whole)()
        return tf.cond(start + whole <= epoch_size, draw(whole), draw(last))

    def _draw(self, epoch, start, count):
        positions = start + tf.range(count, dtype=tf.int64)
        drawn = self._sampler.draw(epoch, positions, self._known)
        return [tf.cast(ids, tf.int64) for ids in drawn]


def _shuffle(positions, key, last):
    """As kernels/shuffle_op.h, in int64, where half a block has 31 bits at most."""
    bits = math.ceil(math.log2(max(last, 1)))
    bits = max(bits + bits % 2, 16) // 2
    mask = (1 << bits) - 1

    def shift_left(x, by):
        return tf.bitwise.left_shift(x, tf.constant(by, tf.int64))

    def shift_right(x, by):
        return tf.bitwise.right_shift(x, tf.constant(by, tf.int64))

    def rotate(x, by):
        return (shift_left(x, by) | shift_right(x, bits - by)) & mask

    def mix(x):
        return (rotate(x, 1) & rotate(x, 8)) ^ rotate(x, 2)

    words = [tf.constant(_PADDING, tf.int64), *tf.unstack(key)]
    keys = [word & mask for word in words]
    by_schedule = rotate(keys[2], bits - 3) ^ rotate(keys[2], bits - 4)
    keys.append(by_schedule ^ keys[0] ^ (0xFFFFFFFD & mask))

    def encrypted(block):
        left, right = shift_right(block, bits) & mask, block & mask
        for key_of_left, key_of_right in (keys[:2], keys[2:]):
            left ^= mix(right) ^ key_of_left
            right ^= mix(left) ^ key_of_right
        return shift_left(left, bits) | right

    (walked,) = tf.while_loop(
        lambda at: tf.reduce_any(at > last),
        lambda at: (tf.where(at > last, encrypted(at), at),),
        (encrypted(positions),),
    )
    return walked


def _fractions(key, stream, count):
    """Of 64 random bits, TensorFlow takes 52 for the mantissa of 1 … 2, less 1."""
    key = tf.random.experimental.stateless_fold_in(key, stream, alg=PHILOX)
    words = tf.random.stateless_uniform(
        [count, 2], key, minval=None, maxval=None, dtype=tf.int32, alg=PHILOX
    )
    high, low = tf.unstack(tf.cast(words, tf.int64), axis=1)
    mantissa = (high & 0xFFFFF) * 2**32 + (low & 0xFFFFFFFF)
    return tf.cast(mantissa, tf.float64) * 2.0**-52


def _search(keys, sought, first, last, halvings):
    """A binary search in the user's own keys; gathers outside of them are unused."""
    for _ in range(halvings):
        middle = (first + last) // 2
        up_to = tf.gather(keys, middle) <= sought
        within = first < last
        first = tf.where(within & up_to, middle + 1, first)
        last = tf.where(within & ~up_to, middle, last)
    return first


def _look_up(pairs, rows):
    """Of pairs that have a word each, the user in its lower half."""
    pair = tf.gather(pairs, rows)
    items = tf.bitwise.right_shift(pair, tf.constant(32, tf.int64))
    return [tf.cast(ids, tf.int32) for ids in (pair & 0xFFFFFFFF, items)]
