"""What answers a request: by points and an index, or by a model's scores.

Both rankers work on rows of users and items; raw ids are `service`'s.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from hyperml_tf.models import Recommender
from hyperml_tf.serving.catalogue import Catalogue, compact
from hyperml_tf.serving.filters import Filter

Values = dict[str, tf.Tensor]


class Index(Protocol):
    """Finds items near a query: `exact.ExactIndex` or `approximate.ScannIndex`."""

    catalogue: Catalogue

    def top(
        self,
        u: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
        only: Filter | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `exact.ExactIndex.top`."""

    def filter_bytes(self, only: Filter) -> tf.Tensor:
        """Memory that the filter of one query takes."""


class PointRanker(tf.Module):
    """Ranks by an index over the model's points.

    Args:
        users: [U, D] float64 points.
        index: the items, findable.
        fold_in: places other users, see `geometry.retrieval.Points`.
    """

    def __init__(
        self,
        users: tf.Tensor,
        index: Index,
        fold_in: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    ):
        super().__init__()
        self._users = compact(users)
        self._fold_in = fold_in
        self._index = index
        self._catalogue = index.catalogue

    @property
    def bytes_per_query(self) -> int:
        """Memory of one query: its products with all items."""
        return 4 * self._catalogue.size

    @property
    def bytes_per_candidate(self) -> int:
        """Memory of one item re-scored for one query: two rows of float64."""
        return 16 * self._catalogue.points.shape[1]

    def filter_bytes(self, only: Filter) -> tf.Tensor:
        """Memory that the filter of one query takes."""
        return self._index.filter_bytes(only)

    def recommend(
        self,
        users: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
        only: Filter | None = None,
    ) -> tuple[tf.Tensor, Values]:
        """The k best items of users.

        Args:
            users: [B] rows.
            excluded: [B, E] int32, E >= 1, ascending, padded with I.
            k: scalar >= 1.
            only: what else is excluded, and what is allowed.

        Returns:
            Items [B, K] int32, K = min(k, I), -1 where fewer are left; "scores" and,
            if the model measures distance, "distances", [B, K] float64.
        """
        return self._near(self._queries(users), excluded, k, only)

    def recommend_for(
        self, items: tf.Tensor, excluded: tf.Tensor, k: tf.Tensor
    ) -> tuple[tf.Tensor, Values]:
        """The k best items of users known by items [B, n] alone, padded with I.

        The other arguments and what is returned are as of `recommend`.
        """
        points = self._catalogue.rows(tf.minimum(items, self._catalogue.size - 1))
        weights = tf.cast(items < self._catalogue.size, tf.float64)
        return self._near(self._fold_in(points, weights), excluded, k)

    def similar(self, items: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, Values]:
        """The k items nearest to items [B], themselves excluded."""
        excluded = tf.cast(items[:, tf.newaxis], tf.int32)
        return self._near(self._catalogue.rows(items), excluded, k)

    def score(self, users: tf.Tensor, items: tf.Tensor) -> Values:
        """Values [B] of users [B] and items [B]."""
        u = self._queries(users)
        return self._catalogue.measure.values(self._catalogue.keys(u, items), u)

    def _queries(self, users):
        return tf.cast(tf.gather(self._users, users), tf.float64)

    def _near(self, u, excluded, k, only=None):
        items, keys = self._index.top(u, excluded, k, only)
        return items, self._catalogue.measure.values(keys, u[:, tf.newaxis])


class ScoreRanker(tf.Module):
    """Ranks by scoring the whole catalogue: models without a dot-product form.

    Args:
        model: a trained model.
    """

    bytes_per_candidate = 16

    def __init__(self, model: Recommender):
        super().__init__()
        self._size = model.num_items
        self._score, self._score_all = model.score, model.score_all
        self._score_histories = model.score_histories
        # Its variables alone: a SavedModel of Keras objects would need Keras to load.
        self._variables = model.variables

    @property
    def bytes_per_query(self) -> int:
        """Memory of one query: a guess of what a network needs for every item."""
        return 1024 * self._size

    def filter_bytes(self, only: Filter) -> tf.Tensor:
        """Memory that the filter of one query takes: masks, and scores under them."""
        del only
        return tf.constant(16 * self._size, tf.int64)

    def recommend(
        self,
        users: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
        only: Filter | None = None,
    ) -> tuple[tf.Tensor, Values]:
        """Arguments and returns as of `PointRanker.recommend`, without distances."""
        return self._best(self._score_all(users), excluded, k, only)

    def recommend_for(
        self, items: tf.Tensor, excluded: tf.Tensor, k: tf.Tensor
    ) -> tuple[tf.Tensor, Values]:
        """As `PointRanker.recommend_for`, without distances."""
        return self._best(self._score_histories(items), excluded, k)

    def _best(self, scores, excluded, k, only=None):
        scores = tf.cast(scores, tf.float64)
        if only is not None:
            never = tf.constant(-np.inf, tf.float64)
            scores = tf.where(only.mask(self._size), scores, never)
        # One place more than items, for the padding of `excluded`.
        scores = tf.pad(scores, [[0, 0], [0, 1]])
        row = tf.broadcast_to(
            tf.range(tf.shape(excluded)[0])[:, tf.newaxis], tf.shape(excluded)
        )
        never = tf.fill(tf.shape(excluded), tf.constant(-np.inf, tf.float64))
        scores = tf.tensor_scatter_nd_update(
            scores, tf.stack([row, excluded], axis=-1), never
        )[:, :-1]
        scores, items = tf.math.top_k(scores, tf.minimum(k, self._size))
        return tf.where(tf.math.is_inf(scores), -1, items), {"scores": scores}

    def score(self, users: tf.Tensor, items: tf.Tensor) -> Values:
        """Values [B] of users [B] and items [B]."""
        return {"scores": tf.cast(self._score(users, items), tf.float64)}
