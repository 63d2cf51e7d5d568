"""The one interface of the recommenders, and what the triplet models share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.data.triplets import Share
from hyperml_tf.errors import InputError
from hyperml_tf.geometry.retrieval import Measure, Points
from hyperml_tf.layers import PartOfStep, RowDropout, RowEmbedding
from hyperml_tf.models.options import constructor_defaults
from hyperml_tf.optimizers import LazyAdam, in_their_spaces


class FusedStep(NamedTuple):
    """What the kernel that does a model's steps has to know, see `kernels.fused`.

    Attributes:
        model: the op's name for it.
        tables: what a step changes, users and items first.
        settings: attributes of the op.
        op: which of the ops, see `kernels.fused`.
    """

    model: str
    tables: Sequence[tf.Variable]
    settings: Mapping[str, Any]
    op: str = "steps"


class Recommender(keras.Model):
    """A model that scores (user, item) pairs and learns from triplets.

    Users and items are row indices. Subclasses give `score`, `score_all` and
    `train_loss`. `fit` and `evaluate` take batches (users, pos_items, neg_items), each
    [B], or [B, n] negatives; `predict((users, items))` returns scores.

    Args:
        num_users: U.
        num_items: I.
        seed: root of all that is random in it.
        name: Keras's.

    Attributes:
        terms: names of the terms that `train_loss` returns.
        kernel: what takes the place of `step`, see there; None for `step` itself.
        item_biases: [I, 1] table of a model that adds them to its scores, else None.
    """

    terms: tuple[str, ...] = ("total",)

    def __new__(cls, *args, **kwargs):
        """Keeps the keywords that the constructor is given, for `get_config`."""
        model = super().__new__(cls, *args, **kwargs)
        # Past Keras, which tracks what it sees set, and before it is ready for that.
        object.__setattr__(model, "_given", constructor_defaults(cls) | kwargs)
        return model

    def __init__(
        self, num_users: int, num_items: int, *, seed: int = 0, name: str | None = None
    ):
        super().__init__(name=name)
        self.num_users, self.num_items, self.seed = num_users, num_items, seed
        self.term_means = [keras.metrics.Mean(name=f"loss/{t}") for t in self.terms]
        self.kernel: Callable[..., Mapping[str, tf.Tensor]] | None = None
        self.item_biases: RowEmbedding | None = None
        #: Steps before the first whose loss was not finite; all steps if none.
        self.finite_steps = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="finite_steps",
            # Another replica's NaN gets here by the gradient, a step later.
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self.built = True  # constructors make all weights: sizes are known

    @staticmethod
    def initial_scale(dim: int) -> float:
        """α of tables [·, dim] where none is given: that of metric learning (§3.1)."""
        return metric_init_scale(dim)

    def get_config(self):
        """The arguments of the constructor."""
        size = {"num_users": self.num_users, "num_items": self.num_items}
        return self._given | size | {"name": self.name}

    def adapt(self, interactions: Interactions) -> None:
        """Takes what a model needs to know of the training interactions.

        Of a model that is not trained by gradient, this is all of its training.
        """

    def fused_step(self) -> FusedStep:
        """The model's steps as the fused kernel does them, if it knows the model.

        A subclass does not inherit it: its loss may be another.
        """
        raise NotImplementedError

    def score(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Scores [...] of users [...] and items [...], broadcast; higher is better."""
        raise NotImplementedError

    def score_all(self, users: tf.Tensor) -> tf.Tensor:
        """Values [B, I] float64 that order the catalogue as `score` does."""
        raise NotImplementedError

    def train_loss(
        self,
        users: tf.Tensor,
        pos_items: tf.Tensor,
        neg_items: tf.Tensor,
        step: tf.Tensor | PartOfStep | None = None,
    ) -> Mapping[str, tf.Tensor]:
        """Scalar terms of the loss of a batch; "total" is the one to minimise.

        Args:
            users: [B] int.
            pos_items: [B] int.
            neg_items: [B] int; [B, n] for models that take many at once.
            step: number of the training step, which seeds dropout, or the part of it
                that a replica does; None for no dropout.
        """
        raise NotImplementedError

    def arrange(self, users, pos_items, neg_items, chosen_later: bool = False):
        """The batch as `train_loss` takes it, from n negatives per positive [B, n].

        Args:
            users: [B].
            pos_items: [B].
            neg_items: [B] or [B, n].
            chosen_later: a kernel chooses among the negatives, step by step.
        """
        return users, pos_items, neg_items

    def check_sizes(self, interactions: Interactions) -> None:
        """Refuses a dataset of other numbers of users or items than the model has.

        Raises:
            InputError: its indices would mean other users and items.
        """
        sizes = interactions.num_users, interactions.num_items
        if sizes != (self.num_users, self.num_items):
            raise InputError(
                f"{interactions.name} has {sizes[0]} users and {sizes[1]} items, and "
                f"the model was made for {self.num_users} users and {self.num_items} "
                "items; give it the dataset that it was made for"
            )

    def check_finite(self) -> None:
        """Refuses a model whose training left the numbers that can be computed with.

        Raises:
            InputError: a weight has NaN or infinite values.
        """
        for weight in self.trainable_variables:
            if not tf.reduce_all(tf.math.is_finite(weight)):
                raise InputError(
                    f"the model's weight {weight.name} has values that are not finite; "
                    "train it again with a lower learning rate"
                )

    def retrieval_points(self) -> Points | None:
        """Points, and the measure that orders them as `score` does; None for none."""
        return None

    def call(self, inputs):
        """`score` of (users, items), so that Keras can build and predict."""
        return self.score(*inputs)

    def step(
        self, users, pos_items, neg_items, share: Share | None = None
    ) -> Mapping[str, tf.Tensor]:
        """One optimizer step on a batch as `train_loss` takes it.

        A `kernel` may do several steps in a call, and counts the iterations on.

        Args:
            users: see `train_loss`.
            pos_items: likewise.
            neg_items: likewise.
            share: what part of the step's batch this is; None: all of it. Keras sums
                the gradients of replicas, duplicate rows among them, before the
                optimizer sees them; the weights make that sum the batch's mean.

        Returns:
            The terms of the loss, scalars; [steps] from a kernel.
        """
        step = self.optimizer.iterations
        if share:
            step = PartOfStep(step, share.start, share.positives, share.batch)
        with tf.GradientTape() as tape:
            terms = self.train_loss(users, pos_items, neg_items, step)
            total = share.weight * terms["total"] if share else terms["total"]
        self.optimizer.minimize(total, self.trainable_variables, tape)
        return terms

    # Its code is plain TensorFlow: rewriting it takes longer than a short training.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, data):
        """One step, or as many as the kernel does; records every term of the loss.

        Args:
            data: users, pos_items, neg_items, and their `Share` if there are replicas.
        """
        users, pos_items, neg_items, *share = data
        before = tf.identity(self.optimizer.iterations)
        by_kernel = self.kernel is not None
        batch = self.arrange(users, pos_items, neg_items, chosen_later=by_kernel)
        terms = (self.kernel or self.step)(*batch, *share)
        finite = tf.math.is_finite(tf.reshape(terms["total"], [-1]))
        leading = tf.reduce_sum(tf.math.cumprod(tf.cast(finite, tf.int64)))
        # Counts on only while every step so far was finite.
        unbroken = tf.cast(tf.equal(self.finite_steps, before), tf.int64)
        self.finite_steps.assign_add(unbroken * leading)
        return self._recorded(terms, share[0].weight if share else None)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data):
        """The terms of the loss on a batch as `fit` takes it, without dropout."""
        return self._recorded(self.train_loss(*self.arrange(*data)))

    def _recorded(self, terms, weight=None):
        for term, mean in zip(self.terms, self.term_means, strict=True):
            mean.update_state(terms[term], weight)
        return {mean.name: mean.result() for mean in self.term_means}

    def compile(self, optimizer=None, **options):
        """As Keras; without an optimizer, lazy Adam that keeps rows in their space."""
        if optimizer is None:
            optimizer = in_their_spaces(LazyAdam(1e-3), self.trainable_variables)
        super().compile(optimizer=optimizer, **options)

    def compile_from_config(self, config):
        """Compiles a model that was saved compiled, with its optimizer's slots."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        """The means of the loss terms, reset by Keras at every epoch."""
        return self.term_means


class TableRecommender(Recommender):
    """A triplet model with one table for users and one for items.

    Subclasses also give `measure`, or a `score_all` of their own.

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
    """

    measure: Measure | None = None

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

    def biases(self, items: tf.Tensor) -> tf.Tensor:
        """b [...] of items [...]; 0 for a model without."""
        if self.item_biases is None:
            return tf.constant(0.0)
        return tf.squeeze(self.item_biases(items), axis=-1)

    def points(self, rows: tf.Tensor) -> tf.Tensor:
        """Points [..., D] of rows [..., D] of a table, masked or not."""
        return rows

    def retrieval_points(self):
        """Those of both tables.

        None with item biases: -d² + b on a ball is the order of no inner product, and
        for the other models an index of their own would be needed.
        """
        if self.measure is None or self.item_biases is not None:
            return None
        users = self._user_points(tf.range(self.num_users))
        return Points(self.measure, users, self._item_points())

    def score_all(self, users):
        """Inner products of vectors that `measure` lifts, plus b; [B, I]."""
        if self.measure is None:
            raise NotImplementedError
        query = self.measure.lift_query(self._user_points(users))
        item = self.measure.lift_item(self._item_points())
        return tf.matmul(query, item, transpose_b=True) + self._all_biases()

    def _user_points(self, users: tf.Tensor) -> tf.Tensor:
        """[B, D] float64 points of users [B]."""
        return self.points(tf.cast(self.user_table(users), tf.float64))

    def _item_points(self) -> tf.Tensor:
        """[I, D] float64 points of the whole catalogue."""
        return self.points(tf.cast(self.item_table.table, tf.float64))

    def _all_biases(self) -> tf.Tensor:
        return tf.cast(self.biases(tf.range(self.num_items)), tf.float64)


def as_matrix(neg_items: tf.Tensor) -> tf.Tensor:
    """[B, n] negatives from [B, n], or from [B] where there is one a positive."""
    return neg_items if len(neg_items.shape) == 2 else neg_items[:, tf.newaxis]


def spawn_seeds(root: int, count: int) -> list[int]:
    """Seeds of named streams, independent of each other, below 2³¹."""
    return [int(s) >> 1 for s in np.random.SeedSequence(root).generate_state(count)]


def metric_init_scale(dim: int, beta: float = 0.01) -> float:
    """α = (3β²/2d)^(1/3), the initial scale of metric learning models (§3.1)."""
    if dim < 1:
        raise ValueError(f"dim must be a whole number >= 1, got {dim}")
    return (3 * beta**2 / (2 * dim)) ** (1 / 3)
