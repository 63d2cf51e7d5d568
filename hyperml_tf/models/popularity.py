"""The floor of every table: items ranked by their training interactions."""

import numpy as np
import tensorflow as tf

from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import Recommender
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import EPOCHS


@SERIALIZABLE
class Popularity(Recommender):
    """Score: the number of training interactions of the item, whoever the user.

    Call `adapt` once; there is nothing to train.
    """

    folds_in_by = "nothing: everyone gets one order"

    def __init__(self, num_users: int, num_items: int, **options):
        super().__init__(num_users, num_items, **options)
        self.counts = self.add_weight(
            name="counts",
            shape=(num_items,),
            dtype=tf.float64,
            initializer="zeros",
            trainable=False,
        )

    def adapt(self, interactions):
        """Counts training interactions by item."""
        items = interactions.train_item
        self.counts.assign(np.bincount(items, minlength=self.num_items))

    def score(self, users, items):
        """Counts of items, broadcast against users."""
        counts = tf.gather(self.counts, items)
        return counts + tf.zeros_like(users, dtype=counts.dtype)

    def score_all(self, users):
        """The counts, once per user."""
        return tf.tile(self.counts[tf.newaxis], [tf.size(users), 1])

    def score_histories(self, items):
        """Likewise."""
        return tf.tile(self.counts[tf.newaxis], [tf.shape(items)[0], 1])


DEFINITIONS = (
    Definition(
        "popularity",
        "Popularity",
        Popularity,
        options=(EPOCHS.having(default=0, range=(0, 0)),),  # nothing to train
    ),
)
