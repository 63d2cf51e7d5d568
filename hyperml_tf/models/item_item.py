"""What neighbours and linear models share: scores from a user's training items."""

import numpy as np
import scipy.sparse
import tensorflow as tf

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.models.base import Recommender


class ItemItemRecommender(Recommender):
    """Score of item j for user u: Σ_{i ∈ train(u)} W_ij, for a matrix W of the model.

    There is nothing to train by gradient: `adapt` is called once. Scores need the
    users' training items, so these are kept beside W, as weights of the model.

    Args:
        num_users: U.
        num_items: I.
        **options: see `Recommender`.
    """

    folds_in_by = "the items themselves, as of users in training"

    def __init__(self, num_users: int, num_items: int, **options):
        super().__init__(num_users, num_items, **options)
        self._history = growing([], tf.int32, "history")
        no_items = [0] * (num_users + 1)
        self._history_splits = growing(no_items, tf.int64, "history_splits")

    def adapt(self, interactions):
        """Fits W to the training interactions and remembers whose they are."""
        self.check_sizes(interactions)
        self._history.assign(interactions.train_item)
        self._history_splits.assign(interactions.row_splits)
        self.fit_weights(interactions)

    def fit_weights(self, interactions: Interactions) -> None:
        """Computes W."""
        raise NotImplementedError

    def score_all(self, users):
        """[B, I] float64."""
        return self.products(self._histories(users))

    def score_histories(self, items):
        """As `score_all` of users who have these items in training."""
        return self.products(tf.ragged.boolean_mask(items, items < self.num_items))

    def products(self, histories: tf.RaggedTensor) -> tf.Tensor:
        """X W [B, I] float64 of rows X of users with items [B, (items)]."""
        raise NotImplementedError

    def score(self, users, items):
        """Scores [...] of users and items, broadcast; float64, as `score_all` gives."""
        users, items = tf.convert_to_tensor(users), tf.convert_to_tensor(items)
        each, place = tf.unique(tf.reshape(users, [-1]))
        shape = tf.broadcast_dynamic_shape(tf.shape(users), tf.shape(items))
        row = tf.broadcast_to(tf.reshape(place, tf.shape(users)), shape)
        column = tf.broadcast_to(tf.cast(items, row.dtype), shape)
        return tf.gather_nd(self.score_all(each), tf.stack([row, column], axis=-1))

    def _histories(self, users: tf.Tensor) -> tf.RaggedTensor:
        """Training items of users [B], as a ragged [B, (items)]."""
        first = tf.gather(self._history_splits, users)
        last = tf.gather(self._history_splits, tf.cast(users, tf.int64) + 1)
        places = tf.ragged.range(first, last)
        return places.with_flat_values(tf.gather(self._history, places.flat_values))

    def _by_dense(self, histories: tf.RaggedTensor, weights: tf.Tensor) -> tf.Tensor:
        """X W [B, I] float64 of items [B, (items)] and a dense W [I, I]; 0 without."""
        items = tf.cast(histories.flat_values, tf.int64)
        own = tf.SparseTensor(
            tf.stack([histories.value_rowids(), items], axis=1),
            tf.ones_like(items, weights.dtype),
            [tf.cast(histories.nrows(), tf.int64), self.num_items],
        )
        scores = tf.cond(
            tf.size(weights) > 0,
            lambda: tf.sparse.sparse_dense_matmul(own, weights),
            lambda: tf.zeros(own.dense_shape, weights.dtype),
        )
        return tf.cast(tf.reshape(scores, [-1, self.num_items]), tf.float64)


def growing(values, dtype: tf.DType, name: str, rank: int = 1) -> tf.Variable:
    """A weight that takes its length when the model is fitted, or loaded."""
    initial = tf.reshape(tf.constant(values, dtype), [len(values)] + [0] * (rank - 1))
    return tf.Variable(initial, trainable=False, name=name, shape=[None] * rank)


def matrix(interactions: Interactions) -> scipy.sparse.csr_matrix:
    """X [U, I]: 1 where a user has the item in training, else 0."""
    pairs = np.asarray(interactions.train_user), np.asarray(interactions.train_item)
    shape = interactions.num_users, interactions.num_items
    # A pair is there once in a prepared folder; a user's own arrays may repeat it.
    entries = np.ones(len(interactions.train_item)), pairs
    counts = scipy.sparse.coo_matrix(entries, shape=shape).tocsr()
    counts.data[:] = 1
    return counts
