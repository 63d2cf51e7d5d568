"""A part of a stateless random stream, without drawing what comes before it.

A replica masks its part of the batch, and a parameter server fills its part of a
table, with the numbers that one process would have drawn there.
"""

import tensorflow as tf

_PHILOX = 1  # what tf.random's "auto_select" is on CPU and GPU
_WORDS_A_BLOCK = 4  # Philox 4x32 (Salmon et al. 2011): words of a counter value


def _blocks(op, seed: tf.Tensor, start: tf.Tensor, count: tf.Tensor, dtype: tf.DType):
    """Words `start` … `start + count` of the stream, as `op` turns them to `dtype`."""
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    start = tf.cast(start, tf.int64)
    first, ahead = start // _WORDS_A_BLOCK, start % _WORDS_A_BLOCK
    counter += tf.stack([tf.cast(first, tf.uint64), tf.constant(0, tf.uint64)])
    drawn = op(
        shape=[ahead + tf.cast(count, tf.int64)],
        key=key,
        counter=counter,
        alg=_PHILOX,
        dtype=dtype,
    )
    return drawn[ahead:]


def halves(seed: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """[count] int16, the bits of a stream from its half-word `start` on.

    Args:
        seed: [2] int64.
        start: half-words before the first one given.
        count: half-words given.
    """
    start, count = tf.cast(start, tf.int64), tf.cast(count, tf.int64)
    ahead = start % 2
    words = _blocks(
        tf.raw_ops.StatelessRandomUniformFullIntV2,
        *(seed, start // 2, (ahead + count + 1) // 2, tf.int32),
    )
    return tf.reshape(tf.bitcast(words, tf.int16), [-1])[ahead : ahead + count]


def uniform(seed: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """[count] float32 in [0, 1), from number `start` of a stream on.

    Args:
        seed: [2] int.
        start: numbers before the first one given.
        count: numbers given.
    """
    op = tf.raw_ops.StatelessRandomUniformV2
    return _blocks(op, seed, start, count, tf.float32)
