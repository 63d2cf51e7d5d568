"""The layers and the optimizer in a tf_keras model of one's own.

python examples/own_model.py clicks.csv

Users and items are points of the Poincaré ball. The model predicts the probability of
a click from their distance, as in Nickel & Kiela (2017), Eq. 6, and learns by binary
cross-entropy from clicks and random pairs.
"""

import sys

import numpy as np
import pandas as pd
import tensorflow as tf
import tf_keras as keras

import hyperml_tf as hml


class ClickModel(keras.Model):
    """P(click) = 1 / (exp(d_c(u, v)² - r) + 1) of a user u and an item v."""

    def __init__(self, num_users: int, num_items: int, dim: int = 32, c: float = 1.0):
        super().__init__()
        self.users = hml.PoincareEmbedding(num_users, dim, c=c)
        self.items = hml.PoincareEmbedding(num_items, dim, c=c)
        self.squared_distance = hml.GyrovectorDistance(c=c, squared=True)
        self.radius = self.add_weight(name="radius", shape=(), initializer="ones")

    def call(self, pairs: tf.Tensor) -> tf.Tensor:
        """Logits [B] of pairs [B, 2] of user and item indices."""
        user, item = self.users(pairs[:, 0]), self.items(pairs[:, 1])
        return self.radius - self.squared_distance(user, item)


def main(path: str) -> None:
    """Trains the model and prints its accuracy on the pairs that it saw."""
    data = hml.Interactions.from_dataframe(pd.read_csv(path), time="timestamp")
    clicks = np.stack([data.train_user, data.train_item], axis=1)
    rng = np.random.default_rng(0)
    others = rng.integers([data.num_users, data.num_items], size=clicks.shape)
    pairs = np.concatenate([clicks, others])
    labels = np.repeat([1.0, 0.0], len(clicks))

    model = ClickModel(data.num_users, data.num_items)
    model.compile(
        optimizer=hml.PoincareOptimizer(hml.LazyAdam(1e-2)),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
    )
    model.fit(pairs, labels, batch_size=512, epochs=20, shuffle=True, verbose=0)
    _, accuracy = model.evaluate(pairs, labels, batch_size=4096, verbose=0)
    print(f"accuracy on the training pairs: {accuracy:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
