"""Dropout of embedding coordinates."""

from typing import NamedTuple

import tensorflow as tf

from hyperml_tf.layers import streams
from hyperml_tf.layers.layer import SERIALIZABLE, Layer


class PartOfStep(NamedTuple):
    """A training step of which this replica sees a part of the batch.

    Attributes:
        step: the step's number.
        start: positives of the batch before the first one here.
        positives: of the batch that are here.
        batch: positives of the whole batch.
    """

    step: tf.Tensor
    start: tf.Tensor
    positives: tf.Tensor
    batch: tf.Tensor


@SERIALIZABLE
class RowDropout(Layer):
    """Zeroes coordinates at rate ρ and scales the survivors by 1/(1-ρ).

    The mask is a function of (seed, step) alone, so a resumed run draws the masks of
    the uninterrupted one. A replica masks its rows as one process would mask them.

    Args:
        rate: ρ in [0, 1).
        seed: seed of the masks.

    Attributes:
        algorithm: of TensorFlow's stateless generators. What is chosen by default is
            "philox", except in programs of XLA: their kernel names it.
    """

    algorithm = "auto_select"

    def __init__(self, rate: float = 0.5, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"dropout must be in [0, 1), got {rate}")
        self.rate, self.seed = rate, seed

    def call(
        self, rows: tf.Tensor, step: tf.Tensor | PartOfStep, blocks: int = 1
    ) -> tf.Tensor:
        """Masks rows [..., D] with the mask of training step `step`.

        Args:
            rows: of the batch, or of the part that `step` says.
            step: number of the step, or the part of it.
            blocks: number of batches that are stacked in the rows.
        """
        if not self.rate:
            return rows
        # 16 random bits a coordinate: half the cost of a float, ρ right to 8e-6.
        if isinstance(step, PartOfStep):
            halves = self._part(tf.size(rows), step, blocks)
        else:
            size = tf.size(rows)
            bits = tf.random.stateless_uniform(
                [(size + 1) // 2],
                self._key(step),
                minval=None,
                maxval=None,
                dtype=tf.int32,
                alg=self.algorithm,
            )
            halves = tf.reshape(tf.bitcast(bits, tf.int16), [-1])[:size]
        threshold = min(round(self.rate * 2**16), 2**16 - 1) - 2**15
        keep = tf.cast(tf.reshape(halves, tf.shape(rows)) >= threshold, rows.dtype)
        return rows * (keep * (1 / (1 - self.rate)))

    def _key(self, step):
        return tf.stack([tf.cast(self.seed, tf.int64), tf.cast(step, tf.int64)])

    def _part(self, size, part, blocks):
        """The bits [size] that the whole step's mask has where this part lies."""
        of_block = tf.cast(size // blocks, tf.int64)
        of_positive = of_block // part.positives
        starts = [(part.start + i * part.batch) * of_positive for i in range(blocks)]
        key = self._key(part.step)
        drawn = [streams.halves(key, start, of_block) for start in starts]
        return tf.concat(drawn, axis=0)

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
