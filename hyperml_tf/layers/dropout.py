"""Dropout of embedding coordinates."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.layers.embedding import SERIALIZABLE


@SERIALIZABLE
class RowDropout(keras.layers.Layer):
    """Zeroes coordinates at rate ρ and scales the survivors by 1/(1-ρ).

    The mask is a function of (seed, step) alone, so a resumed run draws the masks of
    the uninterrupted one.

    Args:
        rate: ρ in [0, 1).
        seed: seed of the masks.
    """

    def __init__(self, rate: float, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"dropout must be in [0, 1), got {rate}")
        self.rate, self.seed = rate, seed

    def call(self, rows: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Masks rows [..., D] with the mask of training step `step`."""
        if not self.rate:
            return rows
        seed = tf.stack([tf.cast(self.seed, tf.int64), tf.cast(step, tf.int64)])
        # 16 random bits a coordinate: half the cost of a float, ρ right to 8e-6.
        size = tf.size(rows)
        bits = tf.random.stateless_uniform(
            [(size + 1) // 2], seed, minval=None, maxval=None, dtype=tf.int32
        )
        halves = tf.reshape(tf.bitcast(bits, tf.int16), [-1])[:size]
        threshold = min(round(self.rate * 2**16), 2**16 - 1) - 2**15
        keep = tf.cast(tf.reshape(halves, tf.shape(rows)) >= threshold, rows.dtype)
        return rows * (keep * (1 / (1 - self.rate)))

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
