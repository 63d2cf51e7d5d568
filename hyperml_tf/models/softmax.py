"""Recommenders of tables with a softmax over shared negatives, beyond the paper."""

import functools
from collections.abc import Callable

import tensorflow as tf

from hyperml_tf.geometry import gram, lift, poincare
from hyperml_tf.geometry.offsets import OffsetBall, OffsetProduct
from hyperml_tf.geometry.retrieval import InnerProduct
from hyperml_tf.geometry.spaces import PoincareBall
from hyperml_tf.layers import (
    GyrovectorDistance,
    PartOfStep,
    PoincareEmbedding,
    RowEmbedding,
    UnitBallEmbedding,
)
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.layers.history import History, KnownItems
from hyperml_tf.layers.shared_negatives import (
    MASKED,
    SAMPLERS,
    SharedNegatives,
    SharedSoftmaxLoss,
)
from hyperml_tf.models.base import FusedStep
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import CURVATURE, ITEM_BIAS, L2, TRAINING, Option, ours
from hyperml_tf.models.table_model import TableRecommender

SIMILARITIES = ("distance", "dot")
PLACES = ("sphere", "clipped", "tangent", "ball")


@SERIALIZABLE
class SoftmaxRecommender(TableRecommender):
    """-log of the positive's share among itself and n items that the batch shares.

        s(u, v) = -d_c(u, v)²/τ  or  u·v/τ

    Points x come from rows z of the tables, by `points`:

        sphere    x = r z/‖z‖, of fixed norm. At c = 0 or with the dot product this
                  is the cosine: -d_0²/τ = 8r²(cos - 1)/τ.
        clipped   x = r z, ‖z‖ <= 1
        tangent   x = exp_0(z), as HyperTS's; at c = 0, z itself
        ball      x = z, a point of the ball, as HyperML's

    An item equal to the row's positive is masked, whoever drew it. The penalty is on
    the rows looked up: l2 times the mean of ‖u‖² + ‖v⁺‖², plus that of ‖v_j‖².

    Args:
        num_users: U.
        num_items: I.
        similarity: "distance" or "dot".
        points: one of `PLACES`.
        c: absolute curvature of the ball; of no effect on the dot product.
        radius: r of sphere and clipped; times √c below 1.
        temperature: τ.
        shared_negatives: n; with the sampler "in_batch" the batch's positives,
            whatever n.
        shared_sampler: "uniform", "popularity" or "in_batch".
        log_q: take off log of the probability of being drawn (Yi et al. 2019) from
            the scores of all candidates, the positive too. No effect on uniform ones.
        mask_known: leave out candidates that the row's user has in training.
        l2: weight of the penalty.
        history: w; above 0, the user's training items are a part of the user's row z,
            see `layers.history.History`.
        history_dropout: ρ of it.
        history_items: m of it.
        **options: see `TableRecommender`.
    """

    terms = ("total", "softmax")
    folds_in_by = "the midpoint of the items, at the users' median norm"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        similarity: str = "distance",
        points: str = "sphere",
        c: float = 1.0,
        radius: float = 0.7,
        temperature: float = 1.2,
        shared_negatives: int = 512,
        shared_sampler: str = "uniform",
        log_q: bool = True,
        mask_known: bool = False,
        l2: float = 0.0,
        history: float = 0.0,
        history_dropout: float = 0.5,
        history_items: int = 32,
        init_scale: float | None = None,
        dropout: float = 0.0,
        **options,
    ):
        bounded = points in ("sphere", "clipped") and similarity == "distance"
        if not radius > 0 or (bounded and not c * radius**2 < 1):
            raise ValueError(
                f"radius must be above 0 and below 1/√c, the ball's; got {radius} "
                f"with c = {c}"
            )
        table: Callable[..., RowEmbedding] = RowEmbedding
        if points == "clipped":
            table = UnitBallEmbedding
        elif points == "ball":
            table = functools.partial(PoincareEmbedding, c=c)
        super().__init__(
            num_users,
            num_items,
            init_scale=init_scale,
            dropout=dropout,
            embedding=table,
            **options,
        )
        self.similarity, self.place, self.c, self.radius = similarity, points, c, radius
        self.log_q, self.mask_known, self.l2 = log_q, mask_known, l2
        self.distance = GyrovectorDistance(c)
        self.squared_distance = GyrovectorDistance(c, squared=True)
        self.softmax = SharedSoftmaxLoss(temperature)
        self.shared = SharedNegatives(
            num_items, shared_negatives, shared_sampler, self.weight_seeds[0]
        )
        #: Not `history`, which Keras makes of a `fit`.
        self.user_history: History | None = None
        if history:
            self.user_history = History(
                history, history_dropout, history_items, self.weight_seeds[1]
            )
        self.known: KnownItems | None = None

    @staticmethod
    def initial_scale(dim):
        """0.1: the norms of the rows are of no effect on a sphere."""
        return 0.1

    @property
    def measure(self):
        """The inner product, or the ball's."""
        return InnerProduct() if self.similarity == "dot" else PoincareBall(self.c)

    @property
    def offset_measure(self):
        """Of u·v + b, or -d_c(u, v)² + b."""
        by_dot = self.similarity == "dot"
        return OffsetProduct() if by_dot else OffsetBall(self.c, scale=1.0)

    def adapt(self, interactions):
        """Reads what the options need: how often items occur, what users have."""
        if self.shared.sampler != "uniform":
            self.shared.adapt(interactions.train_item)
        if self.mask_known or self.user_history:
            self.known = KnownItems(
                self.num_items, interactions.train_item, interactions.row_splits
            )

    def points(self, rows: tf.Tensor) -> tf.Tensor:
        """Points [..., D] from rows of a table, masked or not.

        Numerics:
            A row of zeros lies at the origin: its norm is taken for 1.
        """
        if self.place == "sphere":
            return self.radius * _directions(rows)
        if self.place == "clipped":
            return self.radius * rows
        if self.place == "ball":
            return poincare.project(rows, self.c)
        margin = poincare.BALL_MARGIN[tf.float32]
        return poincare.project(poincare.exp0(rows, self.c), self.c, margin)

    @property
    def by_distance(self) -> bool:
        """Whether the nearest items score highest."""
        return self.similarity == "distance" and self.item_biases is None

    def user_rows(self, users: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """Rows z [..., D] of users [...], with what their items give.

        Raises:
            ValueError: the model was not told the items: `adapt` does.
        """
        rows = tf.cast(self.user_table(users), dtype)
        if self.user_history is None:
            return rows
        if self.known is None:
            raise ValueError(
                "with history, scores need the users' training items: call adapt first"
            )
        flat = tf.reshape(users, [-1])
        item_rows = tf.cast(self.item_table.table, dtype)
        return rows + tf.reshape(
            self.user_history.total(self.known, flat, item_rows), tf.shape(rows)
        )

    def user_points(self, users):
        """[B, D] float64 points of users [B]."""
        return self.points(self.user_rows(users, tf.float64))

    def score(self, users, items):
        """u·v + b, or -d_c(u, v); with item biases -d_c(u, v)² + b, the loss's."""
        user = self.points(self.user_rows(users))
        item = self.points(self.item_table(items))
        if self.by_distance:
            return -self.distance(user, item)
        return self._pairs(user, item) + self.biases(items)

    def _pairs(self, user, item):
        """Scores [...] of points, times τ and without biases."""
        if self.similarity == "dot":
            return tf.reduce_sum(user * item, axis=-1)
        return -self.squared_distance(user, item)

    def _matrix(self, user, item):
        """Scores [B, n] of points [B, D] and [n, D], by one matrix product."""
        if self.similarity == "dot":
            return tf.matmul(user, item, transpose_b=True)
        return -gram.squared_distances(user, item, self.c)

    def arrange(self, users, pos_items, neg_items, chosen_later=False):
        """The pairs, once each: negatives of their own are of no use to them."""
        return users, pos_items, neg_items

    def train_loss(self, users, pos_items, neg_items, step=None):
        """Means over the batch; the candidates are drawn here, not `neg_items`.

        They are those of the step, the same for every replica.
        """
        del neg_items
        of_step = step.step if isinstance(step, PartOfStep) else step
        candidates = self.shared.draw(0 if of_step is None else of_step, pos_items)
        return self.loss_among(users, pos_items, candidates, step)

    def loss_among(self, users, pos_items, candidates, step=None):
        """The loss of users [B] and positives [B] among candidates [n].

        All items are one gather, so the item table's gradient is one `IndexedSlices`.
        """
        user = self.user_table(users)
        counts = [tf.size(pos_items), tf.size(candidates)]
        items = tf.concat([pos_items, candidates], axis=0)
        if self.user_history is None:
            item = self.item_table(items)
        else:
            whole = step.step if isinstance(step, PartOfStep) else step
            kept, place, weights = self.user_history.kept(
                self.known, users, pos_items, 0 if whole is None else whole
            )
            rows = self.item_table(tf.concat([items, kept], axis=0))
            item, of_kept = tf.split(rows, [tf.size(items), tf.size(kept)])
            sums = tf.math.unsorted_segment_sum(of_kept, place, tf.size(users))
            user += weights[:, tf.newaxis] * sums
        if step is not None and self.user_dropout.rate:
            user = self.user_dropout(user, step)
            item = self._dropped(item, tf.size(users), step)
        pos_point, other = tf.split(self.points(item), counts)
        user_point = self.points(user)

        shift = self.biases(items)
        temperature = self.softmax.temperature
        if self.log_q:
            shift -= temperature * self.shared.log_probability(items)
        shift += tf.zeros(tf.shape(items))
        pos_shift, other_shift = tf.split(shift, counts)
        masked = tf.equal(pos_items[:, tf.newaxis], candidates)
        if self.mask_known:
            masked |= self.known.among(users, candidates)
        scores = self._matrix(user_point, other) + other_shift
        # A name of its own, so that the sum of gradients of pairs is one term, see
        # `_directions`.
        pos_score = self._pairs(tf.identity(user_point), pos_point)
        losses = self.softmax(
            pos_score + pos_shift,
            tf.where(masked, MASKED, scores),
        )
        softmax = total = tf.reduce_mean(losses)
        if self.l2:
            user_row, (pos_row, row) = user, tf.split(item, counts)
            for rows in (user_row, pos_row, row):
                squared = tf.reduce_sum(tf.square(rows), axis=-1)
                total += self.l2 * tf.reduce_mean(squared)
        return {"total": total, "softmax": softmax}

    def _dropped(self, item, positives, step):
        """Masks of positives, of which a replica has a part, and of shared rows."""
        whole = step.step if isinstance(step, PartOfStep) else step
        return tf.concat(
            [
                self.item_dropout(item[:positives], step),
                # A stream of its own: of steps that no positive has.
                self.item_dropout(item[positives:], -1 - tf.cast(whole, tf.int64)),
            ],
            axis=0,
        )

    def score_points(self, points):
        """Inner products; with item biases -d_c(u, v)² + b, which none of them is."""
        if self.similarity == "dot" or self.by_distance:
            return super().score_points(points)
        distances = lift.distances(points, self.item_points(), self.c)
        return self._all_biases() - tf.square(distances)

    @property
    def has_static_shapes(self):
        """Not where the users' training items take part: users have unequally many."""
        return not (self.mask_known or self.user_history)

    def fused_step(self):
        """By the op of its own."""
        return softmax_steps(self)


@tf.custom_gradient
def _directions(rows):
    """z/‖z‖ [..., D].

    Numerics:
        The gradient is by hand, so that it is one term. TensorFlow adds three and
        more in the order in which their buffers come free, which no seed fixes.
    """
    squared = tf.reduce_sum(tf.square(rows), axis=-1, keepdims=True)
    nonzero = squared > 0
    inverse = tf.math.rsqrt(tf.where(nonzero, squared, tf.ones_like(squared)))
    directions = inverse * rows

    def grad(upstream):
        along = tf.reduce_sum(upstream * directions, axis=-1, keepdims=True)
        return inverse * (upstream - along * directions)

    return directions, grad


def softmax_steps(model: SoftmaxRecommender) -> FusedStep:
    """The steps of a model by the op of its own."""
    settings = {
        "place": model.place,
        "similarity": model.similarity,
        "c": model.c,
        "radius": model.radius,
        "temperature": model.softmax.temperature,
        "l2": model.l2,
        "mask_known": model.mask_known,
    }
    if model.user_history is not None:
        settings |= {
            "history": model.user_history.weight,
            "history_dropout": model.user_history.rate,
            "history_items": model.user_history.most,
            "history_seed": model.user_history.seed,
        }
    return FusedStep("softmax", model.tables, settings, op="softmax")


def _conflict(settings) -> str:
    bounded = settings["points"] in ("sphere", "clipped")
    if bounded and not settings["c"] * settings["radius"] ** 2 < 1:
        return (
            f"config.radius = {settings['radius']} is not inside the ball of curvature "
            f"{-settings['c']}; it must be below 1/√c"
        )
    return ""


#: What the models here and in `mf_softmax` have in common.
SOFTMAX = (
    *(
        option.having(grid=ours(1e-3, 3e-3))
        if option.name == "learning_rate"
        else option.having(grid=ours(64, 128, 256))
        if option.name == "dim"
        else option.having(grid=None)
        if option.name in ("optimizer", "batch_size", "dropout")
        else option
        for option in TRAINING
    ),
    Option(
        "shared_negatives",
        "The items drawn for each batch, which all its pairs have as negatives.",
        range=(1, 1 << 20),
        grid=ours(256, 512, 1024),
    ),
    Option(
        "shared_sampler",
        "How they are drawn; in_batch: they are the batch's own positives.",
        choices=SAMPLERS,
        off="uniform",
    ),
    Option(
        "log_q",
        "Whether log of the odds of being drawn is taken off scores.",
        off=True,
    ),
    Option(
        "mask_known",
        "Whether what the user has in training is left out of the negatives.",
        off=False,
    ),
    L2.having(grid=ours(0.0, 1e-4, 1e-3)),
    Option(
        "history",
        "The weight of the user's training items in the user's row; 0: no part.",
        range=(0.0, 1e6),
        off=0.0,
    ),
    Option(
        "history_dropout",
        "The rate at which these items are left out in a step.",
        range=(0.0, 0.99),
        off=0.5,
    ),
    Option(
        "history_items",
        "A step reads so many of a user's items on average, at most.",
        range=(1, 1 << 20),
        off=32,
    ),
    ITEM_BIAS,
)
TEMPERATURE = Option(
    "temperature",
    "What scores are divided by, before the softmax.",
    range=(1e-6, 1e6),
)
DEFINITIONS = (
    Definition(
        "hyperml_softmax",
        "HyperML, softmax",
        SoftmaxRecommender,
        options=(
            *SOFTMAX,
            TEMPERATURE.having(grid=ours(0.4, 0.6, 0.8, 1.2, 1.6)),
            CURVATURE,
            Option(
                "similarity",
                "What the softmax is of: -d², or the product of points (a control).",
                choices=SIMILARITIES,
                off="distance",
                shapes_weights=True,
            ),
            Option(
                "points",
                "Where points lie: on a sphere, in it, at exp_0 of rows, in the ball.",
                choices=PLACES,
                shapes_weights=True,
            ),
            Option(
                "radius",
                "Of the sphere; √c times it is below 1.",
                range=(1e-6, 1e6),
                grid=ours(0.5, 0.7, 0.85),
            ),
        ),
        hyperbolic=True,
        alters="hyperml",
        conflict=_conflict,
    ),
)
