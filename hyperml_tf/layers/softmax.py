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
    """

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
            [self.count], seed, maxval=places, dtype=tf.int32
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


class KnownItems(tf.Module):
    """Which candidates of a batch the users have in training: false negatives.

    Args:
        num_items: I.
        train_item: [N], users in order.
        row_splits: [U+1], where each user's begin and end.
    """

    def __init__(self, num_items: int, train_item: np.ndarray, row_splits: np.ndarray):
        super().__init__()
        self.num_items = num_items
        self.items = tf.constant(train_item, tf.int32)
        self.splits = tf.constant(row_splits, tf.int64)

    def among(self, users: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """[B, n] bool of users [B] and candidates [n], which may repeat."""
        # A candidate that comes several times keeps one of its places.
        place_of = tf.tensor_scatter_nd_update(
            tf.fill([self.num_items], -1),
            candidates[:, tf.newaxis],
            tf.range(tf.size(candidates)),
        )
        first = tf.gather(self.splits, users)
        last = tf.gather(self.splits, tf.cast(users, tf.int64) + 1)
        each = tf.ragged.range(first, last)
        place = tf.gather(place_of, tf.gather(self.items, each.flat_values))
        pairs = tf.stack([each.value_rowids(), tf.cast(place, tf.int64)], axis=1)
        pairs = tf.boolean_mask(pairs, place >= 0)
        shape = tf.stack([tf.size(users), tf.size(candidates)])
        hits = tf.scatter_nd(
            pairs, tf.ones_like(pairs[:, 0], tf.int32), tf.cast(shape, tf.int64)
        )
        return tf.gather(hits, tf.gather(place_of, candidates), axis=1) > 0
