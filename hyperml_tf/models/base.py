"""The one interface of the recommenders."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.data.triplets import Share
from hyperml_tf.errors import InputError
from hyperml_tf.geometry.retrieval import Points
from hyperml_tf.layers import PartOfStep, RowEmbedding
from hyperml_tf.models.options import Option, constructor_defaults
from hyperml_tf.optimizers import LazyAdam, in_their_spaces


class FusedStep(NamedTuple):
    """What the kernel that does a model's steps has to know, see `kernels.fused`.

    Attributes:
        model: the op's name for it.
        tables: what a step changes, users and items first.
        settings: attributes of the op.
        op: which of the ops, see `kernels.choosing`.
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
        draw: gives the triplets of a batch where the input only says which, see
            `kernels.xla_draws`; None where the input has them.
        item_biases: [I, 1] table of a model that adds them to its scores, else None.
        folds_in_by: what stands for a user who was not in training, known by items
            alone, in words; "" for a model that needs the user in training.
        options: those of its `Definition`, which puts them here.

    Raises:
        ValueError: an option has an impossible value.
    """

    terms: tuple[str, ...] = ("total",)
    folds_in_by = ""
    options: tuple[Option, ...] = ()

    def __new__(cls, *args, **kwargs):
        """Checks the options, and keeps all keywords given, for `get_config`."""
        for option in cls.options:
            if problem := option.problem(kwargs.get(option.name)):
                raise ValueError(f"{cls.__name__}: {problem}")
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
        self.draw: Callable[..., Sequence] | None = None
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

    @property
    def has_static_shapes(self) -> bool:
        """Whether a batch's size alone gives the shape of all that a step computes.

        XLA compiles nothing else, see `kernels.xla`.
        """
        return True

    def score(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Scores [...] of users [...] and items [...], broadcast; higher is better."""
        raise NotImplementedError

    def score_all(self, users: tf.Tensor) -> tf.Tensor:
        """Values [B, I] float64 that order the catalogue as `score` does."""
        raise NotImplementedError

    def score_histories(self, items: tf.Tensor) -> tf.Tensor:
        """`score_all` of users who were not in training, from their items alone.

        Args:
            items: [B, n] int32 rows of each user's items, each of them once, in any
                order, padded with I.

        Returns:
            Values [B, I] float64 that order the catalogue.

        Raises:
            InputError: the model cannot.
        """
        raise InputError(
            f"{type(self).__name__} needs a user in training: nothing but its training "
            "gives a user's part in its scores; train it again with the new users"
        )

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

    def row_tables(self) -> Mapping[str, Sequence[tf.Variable]]:
        """Trained tables with a row for each of the "users", or of the "items"."""
        return {}

    def carry_over(self, other: "Recommender", rows: Mapping[str, np.ndarray]) -> None:
        """Takes the weights of another model of this kind and of the same options.

        Args:
            other: of other numbers of users and items.
            rows: "users" [U] and "items" [I] -> the row in `other`; below 0 for those
                that it does not have, whose rows stay as they are.
        """
        mine, theirs = self.row_tables(), other.row_tables()
        for side, row in rows.items():
            known = row >= 0
            for table, source in zip(mine[side], theirs[side], strict=True):
                values = table.numpy()
                values[known] = source.numpy()[row[known]]
                table.assign(values)
        for weight, source in zip(
            self._weights_beside_tables(), other._weights_beside_tables(), strict=True
        ):
            weight.assign(source)

    def _weights_beside_tables(self) -> list[tf.Variable]:
        tables = {v.ref() for side in self.row_tables().values() for v in side}
        return [v for v in self.trainable_variables if v.ref() not in tables]

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
            data: users, pos_items, neg_items, and their `Share` if there are replicas;
                or what `draw` takes.
        """
        if self.draw is not None:
            data = self.draw(*data)
        users, pos_items, neg_items, *share = _as_triplets(data)
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
        return self._recorded(self.train_loss(*self.arrange(*_as_triplets(data))))

    def _recorded(self, terms, weight=None):
        for term, mean in zip(self.terms, self.term_means, strict=True):
            mean.update_state(terms[term], weight)
        return {mean.name: mean.result() for mean in self.term_means}

    def compile(self, optimizer=None, **options):
        """As Keras; without an optimizer, lazy Adam that keeps rows in their space.

        Raises:
            ValueError: a loss or metrics are given, which would not be used.
        """
        for unused in ("loss", "metrics", "weighted_metrics", "loss_weights"):
            if options.get(unused) is not None:
                raise ValueError(
                    f"{type(self).__name__} has a loss of its own, which `fit` reports "
                    f"by its terms; leave {unused} out of compile"
                )
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


def _as_triplets(data) -> Sequence:
    """A batch of `fit`.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(data, tuple | list) or len(data) < 3:
        raise ValueError(
            "fit and evaluate take batches (users, pos_items, neg_items), which "
            "Interactions.triplets() gives"
        )
    return data


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
