"""A two-tower model of TensorFlow Recommenders with hyperbolic scores.

python examples/two_tower.py clicks.csv

`tfrs.tasks.Retrieval` scores a query and a candidate by their inner product. Ranking by
hyperbolic distance is ranking by an inner product, too: of ψ(u) and φ(v), which
`geometry.lift` gives. So the towers end in points of the Poincaré ball, and the task
sees their lifts.
"""

import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TensorFlow Recommenders needs Keras 2

import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs

import hyperml_tf as hml


class TwoTower(tfrs.Model):
    """Users and items on the ball, trained by the softmax over the batch's items."""

    def __init__(self, num_users: int, num_items: int, dim: int = 32, c: float = 1.0):
        super().__init__()
        self.c = c
        self.users = hml.PoincareEmbedding(num_users, dim, c=c)
        self.items = hml.PoincareEmbedding(num_items, dim, c=c)
        self.task = tfrs.tasks.Retrieval(temperature=0.2)

    def compute_loss(self, batch, training=False):
        """The mean loss of a batch (users [B], items [B])."""
        users, items = batch
        queries = hml.geometry.lift.lift_query(self.users(users))
        candidates = hml.geometry.lift.lift_item(self.items(items), self.c)
        batch_size = tf.cast(tf.size(users), queries.dtype)
        return self.task(queries, candidates, candidate_ids=items) / batch_size


def main(path: str) -> None:
    """Trains the model and prints the loss of its first and its last epoch."""
    data = hml.Interactions.from_dataframe(pd.read_csv(path), time="timestamp")
    pairs = tf.data.Dataset.from_tensor_slices((data.train_user, data.train_item))
    pairs = pairs.shuffle(len(data.train_user), seed=0)
    batches = pairs.batch(256, drop_remainder=True)

    model = TwoTower(data.num_users, data.num_items)
    model.compile(hml.PoincareOptimizer(hml.LazyAdam(1e-2)))
    history = model.fit(batches, epochs=10, verbose=0).history["total_loss"]
    print(f"loss of the first epoch {history[0]:.3f}, of the last {history[-1]:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
