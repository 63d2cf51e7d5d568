"""What the models have in common that learn a table of users and one of items."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hyperml_tf.geometry.offsets import OffsetBall, OffsetProduct, with_offsets
from hyperml_tf.geometry.retrieval import PointMeasure, Points
from hyperml_tf.layers import RowDropout, RowEmbedding
from hyperml_tf.models.base import Recommender, spawn_seeds


class TableRecommender(Recommender):
    """A triplet model with one table for users and one for items.

    Subclasses also give `measure`, or a `score_points` of their own. Where a score
    needs no more of a user than a point, `fold_in` gives it from the points of items.

    With item biases b, which the paper's models do not have, a score is u·v + b or,
    for distances, -d² + b, and losses are on these scores. They start at 0; neither
    dropout nor L2 touches them.

    Args:
        num_users: U.
        num_items: I.
        dim: D.
        init_scale: α of the initialiser U(-α, α); None: `initial_scale`.
        dropout: rate at which coordinates of looked-up rows are zeroed in training.
        negative_choice: which of several negatives per positive make triplets:
            "each" of them, or the "hardest", the one that scores highest.
        item_bias: whether items have biases.
        embedding: layer class of the tables; a subclass's choice, not a user's.
        **options: see `Recommender`.

    Attributes:
        measure: what orders the items of a user as `score` does without biases, from
            their `points`; None where nothing does.
        offset_measure: what orders them by points and `offsets`, biases included;
            None where nothing does.
    """

    measure: PointMeasure | None = None
    offset_measure: OffsetBall | OffsetProduct | None = None

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        dim: int = 64,
        init_scale: float | None = None,
        dropout: float = 0.5,
        negative_choice: str = "each",
        item_bias: bool = False,
        embedding: Callable[..., RowEmbedding] = RowEmbedding,
        **options,
    ):
        super().__init__(num_users, num_items, **options)
        seeds = spawn_seeds(self.seed, 6)
        if init_scale is None:
            init_scale = self.initial_scale(dim)
        self.user_table = embedding(
            num_users, dim, init_scale, seed=seeds[0], name="users"
        )
        self.item_table = embedding(
            num_items, dim, init_scale, seed=seeds[1], name="items"
        )
        self.user_dropout = RowDropout(dropout, seeds[2])
        self.item_dropout = RowDropout(dropout, seeds[3])
        self.weight_seeds = seeds[4:]
        self.negative_choice = negative_choice
        if item_bias:
            # A table of its own, so that a step touches its rows alone.
            self.item_biases = RowEmbedding(num_items, 1, 0.0, name="item_biases")

    def arrange(self, users, pos_items, neg_items, chosen_later=False):
        """Triplets [B'] from batches with one negative [B] or several [B, n]."""
        if len(neg_items.shape) == 1:
            return users, pos_items, neg_items
        if self.negative_choice == "hardest":
            if chosen_later:
                return users, pos_items, neg_items
            scores = self.score(users[:, tf.newaxis], neg_items)
            hardest = tf.argmax(scores, axis=1)
            return users, pos_items, tf.gather(neg_items, hardest, batch_dims=1)
        each = tf.shape(neg_items)[1]
        return (
            tf.repeat(users, each),
            tf.repeat(pos_items, each),
            tf.reshape(neg_items, [-1]),
        )

    def triplet_rows(self, users, pos_items, neg_items, step):
        """Rows [B, D] of users, positives and negatives, masked if training.

        Both item lookups are one gather, so the item table's gradient is one
        `IndexedSlices`.
        """
        user = self.user_table(users)
        item = self.item_table(tf.concat([pos_items, neg_items], axis=0))
        if step is not None:
            user = self.user_dropout(user, step)
            item = self.item_dropout(item, step, blocks=2)
        pos_item, neg_item = tf.split(item, 2)
        return user, pos_item, neg_item

    @property
    def tables(self) -> list[tf.Variable]:
        """The table of the users and that of the items."""
        return [self.user_table.table, self.item_table.table]

    def row_tables(self):
        """The two, and the item biases."""
        items = [self.item_table.table]
        if self.item_biases is not None:
            items.append(self.item_biases.table)
        return {"users": [self.user_table.table], "items": items}

    def biases(self, items: tf.Tensor) -> tf.Tensor:
        """b [...] of items [...]; 0 for a model without."""
        if self.item_biases is None:
            return tf.constant(0.0)
        return tf.squeeze(self.item_biases(items), axis=-1)

    def points(self, rows: tf.Tensor) -> tf.Tensor:
        """Points [..., D] of rows [..., D] of a table, masked or not."""
        return rows

    def retrieval_points(self):
        """Those of both tables; with item biases, rows of `offset_measure`."""
        plain = self.item_biases is None and self.measure is not None
        if not plain and self.offset_measure is None:
            return None
        users = self.user_points(tf.range(self.num_users))
        items = self.item_points()
        if plain:
            return Points(self.measure, users, items, self.fold_in)

        def fold_in(rows, weights):
            return with_offsets(self.fold_in(rows[..., :-1], weights))

        return Points(
            self.offset_measure,
            with_offsets(users),
            with_offsets(items, self.offsets(items, self.offset_measure.scale)),
            fold_in,
        )

    def offsets(self, items: tf.Tensor, scale: float) -> tf.Tensor:
        """[I] of all items, at points [I, D]: the biases, as `scale` has them."""
        return (self._all_biases() + tf.zeros_like(items[:, 0])) / scale

    def user_points(self, users: tf.Tensor) -> tf.Tensor:
        """[B, D] float64 points of users [B]."""
        return self.points(tf.cast(self.user_table(users), tf.float64))

    def item_points(self) -> tf.Tensor:
        """[I, D] float64 points of the whole catalogue."""
        return self.points(tf.cast(self.item_table.table, tf.float64))

    def fold_in(self, points: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """[B, D] float64 points of users who were not in training, from their items'.

            u = r m/‖m‖

        m is the middle of the items, r the median norm of the users in training: they
        lie further out than the middle of what they like (docs/serving.md measures
        it).
        A user without items is at the origin.

        Args:
            points: [B, n, D] float64 points of each user's items.
            weights: [B, n] 1 where there is an item, else 0.
        """
        middle = self.midpoint(points, weights)
        with tf.init_scope():  # training is over: a constant of whatever is traced now
            users = self.points(tf.cast(self.user_table.table, tf.float64))
            radius = np.median(np.linalg.norm(users.numpy(), axis=1))
        norm = tf.norm(middle, axis=-1, keepdims=True)
        return tf.math.divide_no_nan(radius * middle, norm)

    def midpoint(self, points: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """The middle [B, D] of points [B, n, D] with weights [B, n]."""
        if self.measure is None:
            raise NotImplementedError
        return self.measure.midpoint(points, weights)

    def score_histories(self, items):
        """Scores of the points that `fold_in` gives."""
        if not self.folds_in_by:
            return super().score_histories(items)
        rows = tf.minimum(items, self.num_items - 1)
        points = tf.gather(self.item_points(), rows)
        weights = tf.cast(items < self.num_items, tf.float64)
        return self.score_points(self.fold_in(points, weights))

    def score_all(self, users):
        """`score_points` of where users are, [B, I]."""
        return self.score_points(self.user_points(users))

    def score_points(self, points: tf.Tensor) -> tf.Tensor:
        """Scores [B, I] of users at points [B, D], both float64.

        Inner products of vectors that `measure` lifts, plus b.
        """
        if self.measure is None:
            raise NotImplementedError
        query = self.measure.lift_query(points)
        item = self.measure.lift_item(self.item_points())
        return tf.matmul(query, item, transpose_b=True) + self._all_biases()

    def _all_biases(self) -> tf.Tensor:
        return tf.cast(self.biases(tf.range(self.num_items)), tf.float64)
