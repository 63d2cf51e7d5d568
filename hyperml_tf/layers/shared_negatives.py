"""The softmax loss over negatives that a batch shares, beyond the paper."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.layers.embedding import SERIALIZABLE

SAMPLERS = ("uniform", "popularity", "in_batch")

#: What takes the score of a masked candidate: its share is 0, and no ∞ - ∞ arises.
MASKED = -1e30


@SERIALIZABLE
class SharedSoftmaxLoss(keras.layers.Layer):
    """-log of the positive's share among itself and the n candidates of the batch.

        ℓ = -log( e^{s⁺/τ} / (e^{s⁺/τ} + Σ_j e^{s_j/τ}) )

    Args:
        temperature: τ > 0.
    """

    def __init__(self, temperature: float = 1.0, **kwargs):
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}")
        super().__init__(**kwargs)
        self.temperature = temperature

    def call(self, pos_scores: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Losses [B] of scores [B] of positives and [B, n] of the candidates.

        Numerics:
            The largest score is taken off before anything is exponentiated. By hand,
            the gradient reuses the exponentials: (share - [j is the positive])/τ.
        """

        @tf.custom_gradient
        def of_scores(pos_scores, scores):
            pos, others = pos_scores / self.temperature, scores / self.temperature
            top = tf.maximum(pos, tf.reduce_max(others, axis=1))
            of_pos, of_others = tf.exp(pos - top), tf.exp(others - top[:, tf.newaxis])
            total = of_pos + tf.reduce_sum(of_others, axis=1)

            def grad(upstream):
                each = upstream / (total * self.temperature)
                by_pos = each * of_pos - upstream / self.temperature
                return by_pos, each[:, tf.newaxis] * of_others

            return tf.math.log(total) + top - pos, grad

        return of_scores(pos_scores, scores)

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"temperature": self.temperature}


class SharedNegatives(tf.Module):
    """Draws the candidates of a batch, a function of (seed, step) alone.

    Args:
        num_items: I.
        count: n.
        sampler: one of `SAMPLERS`; uniform over the catalogue, in proportion to
            training interactions, or the batch's own positives. With replacement.
        seed: root of the draws.

    Attributes:
        algorithm: see `RowDropout`.
    """

    algorithm = "auto_select"

    def __init__(self, num_items: int, count: int, sampler: str, seed: int):
        if sampler not in SAMPLERS:
            raise ValueError(
                f"sampler {sampler!r} is not known; one of: {', '.join(SAMPLERS)}"
            )
        super().__init__()
        self.num_items, self.count, self.sampler = num_items, count, sampler
        self._seed = seed
        self._drawn_from: tf.Tensor | None = None
        self._log_share: tf.Tensor | None = None

    def adapt(self, train_items: np.ndarray) -> None:
        """Counts training interactions [N], for all but the uniform sampler."""
        counts = np.bincount(train_items, minlength=self.num_items)
        # An item without one is never drawn; it can be a positive of nobody either.
        share = np.maximum(counts, 1) / max(1, len(train_items))
        self._log_share = tf.constant(np.log(share), tf.float32)
        self._drawn_from = tf.constant(train_items, tf.int32)

    def draw(self, step: tf.Tensor, pos_items: tf.Tensor) -> tf.Tensor:
        """Candidates [n] int32 of training step `step` with positives [B]."""
        if self.sampler == "in_batch":
            return tf.cast(pos_items, tf.int32)
        seed = tf.stack([tf.cast(self._seed, tf.int64), tf.cast(step, tf.int64)])
        places = self.num_items
        if self.sampler == "popularity":
            places = tf.size(self._adapted(self._drawn_from))
        drawn = tf.random.stateless_uniform(
            [self.count],
            seed,
            maxval=places,
            dtype=tf.int32,
            alg=self.algorithm,
        )
        if self.sampler == "popularity":
            drawn = tf.gather(self._drawn_from, drawn)
        return drawn

    def log_probability(self, items: tf.Tensor) -> tf.Tensor:
        """log q [...] of drawing items, but for a constant; 0 where it is uniform."""
        if self.sampler == "uniform":
            return tf.zeros(tf.shape(items))
        return tf.gather(self._adapted(self._log_share), items)

    def _adapted(self, value: tf.Tensor | None) -> tf.Tensor:
        if value is None:
            raise ValueError(
                f"the sampler {self.sampler} needs the items' training interactions: "
                "call adapt first"
            )
        return value
