"""Many steps as one program of XLA, for devices on which a launch costs most.

A step is some hundreds of TensorFlow operations, and on a GPU each of them costs a
launch whatever its work. Here XLA compiles a chunk of steps to one program with a loop.
The loss is the model's own `train_loss` by autodiff, and the optimizer's own
`update_step` moves the rows, so what is computed is what the TensorFlow path computes,
within float32 rounding, and with the same dropout masks. The program runs on CPUs too,
where tests compare the two; there the fused kernel is faster.

What the TensorFlow path has and XLA has not is a sum over repeated rows by `tf.unique`,
whose result has no static shape: `summed` takes its place.
"""

import functools
from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.spaces import space_of
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.kernels.limits import has_foreign_options
from hyperml_tf.kernels.xla_draws import PHILOX
from hyperml_tf.models.base import Recommender
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer, RiemannianAdam
from hyperml_tf.optimizers.rows import RowKeeper

_OPTIMIZERS = (
    *(LazyAdam, RiemannianAdam, keras.optimizers.Adam),
    *(keras.optimizers.Adagrad, keras.optimizers.SGD),
)


class XlaSteps:
    """Batch steps on a model's own variables and its optimizer's, many in a program.

    XLA compiles a program for each shape that it meets. An epoch has three: the batches
    of a whole chunk, those of its last chunk, and its last batch where that is smaller.

    Args:
        model: the model.
        optimizer: its optimizer.
        batch_size: triplets of a step.

    Raises:
        KernelUnavailable: the shapes of the model's steps are not static, its
            optimizer does more than is done here, or XLA does not compile here.
    """

    def __init__(
        self,
        model: Recommender,
        optimizer: keras.optimizers.Optimizer,
        batch_size: int,
    ):
        if not model.has_static_shapes:
            raise KernelUnavailable(
                f"{type(model).__name__} with these options has steps whose shapes "
                "depend on the users' histories, which XLA does not compile"
            )
        self._model, self._optimizer, self._batch_size = model, optimizer, batch_size
        self._variables = model.trainable_variables
        _check(optimizer, self._variables)
        _check_compiler()
        optimizer.build(self._variables)
        for part in model.submodules:
            if hasattr(part, "algorithm"):
                part.algorithm = PHILOX
        self._program = tf.function(self._steps, jit_compile=True, autograph=False)

    def __call__(
        self, users: tf.Tensor, pos_items: tf.Tensor, neg_items: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Steps on triplets [N], `batch_size` at a time; the last one may be smaller.

        Negatives are [N], or [N, n] where `arrange` leaves the choice to the step.

        Returns:
            The terms of the loss, [steps] each; `optimizer.iterations` has counted on.
        """
        # A schedule counts as constant within a call, see `fused.FusedSteps`.
        self._optimizer._compute_current_learning_rate()
        triplets = users, pos_items, neg_items
        size = tf.shape(users)[0]
        whole = size // self._batch_size * self._batch_size
        terms = [
            self._of_batches([column[:whole] for column in triplets], self._batch_size),
            self._of_batches([column[whole:] for column in triplets], size - whole),
        ]
        columns = tf.unstack(tf.concat(terms, axis=0), axis=1)
        return dict(zip(self._model.terms, columns, strict=True))

    def _of_batches(self, triplets, batch_size):
        """Terms [steps, terms]; without a triplet there is no step."""
        names = len(self._model.terms)

        def steps():
            lead = [-1, batch_size]
            batches = [
                tf.reshape(column, [*lead, *column.shape[1:]]) for column in triplets
            ]
            return tf.ensure_shape(self._program(*batches), [None, names])

        return tf.cond(tf.size(triplets[0]) > 0, steps, lambda: tf.zeros([0, names]))

    def _steps(self, *batches):
        """Terms [steps, terms] of batches [steps, B]."""
        steps = tf.shape(batches[0])[0]
        # As models take them; `XlaDraws` says why they come otherwise.
        batches = [tf.cast(column, tf.int32) for column in batches]

        def body(step, terms, scratch):
            of_step, scratch = self._step([column[step] for column in batches], scratch)
            terms = tf.tensor_scatter_nd_update(terms, [[step]], [of_step])
            return step + 1, terms, scratch

        scratch = [
            tf.zeros(variable.shape[:1], tf.int32) for variable in self._variables
        ]
        terms = tf.zeros([steps, len(self._model.terms)])
        _, terms, _ = tf.while_loop(
            lambda step, *_: step < steps, body, (0, terms, scratch)
        )
        return terms

    def _step(self, batch, scratch):
        """`Recommender.step` with `summed`: its terms, and `scratch` as it is then."""
        model, optimizer = self._model, self._optimizer
        with tf.GradientTape() as tape:
            terms = model.train_loss(*model.arrange(*batch), optimizer.iterations)
        gradients = tape.gradient(terms["total"], self._variables)
        left = []
        for gradient, variable, places in zip(
            gradients, self._variables, scratch, strict=True
        ):
            if isinstance(gradient, tf.IndexedSlices):
                gradient, places = summed(gradient, places)
            if gradient is not None:
                optimizer.update_step(gradient, variable)
            left.append(places)
        optimizer.iterations.assign_add(1)
        return [terms[name] for name in model.terms], left


def summed(
    gradient: tf.IndexedSlices, scratch: tf.Tensor
) -> tuple[tf.IndexedSlices, tf.Tensor]:
    """The gradient with each of its rows once, for programs of XLA alone.

    As many rows come out as go in. Of a row that comes several times, one place gets
    the sum, and the others are sent to a row behind the table. XLA defines that nothing
    is written there, on every device, so they have no effect under any optimizer. (A
    repetition of the row with its sum would count twice where an optimizer adds.)

    Args:
        gradient: rows [R] with values [R, D].
        scratch: [rows of the table] int32, of any content. No step reads or writes
            more of it than the rows of its batch, which a sort would do no better.

    Returns:
        Rows [R] with values [R, D], and the scratch as the next call takes it.
    """
    rows = gradient.indices
    places = tf.range(tf.size(rows))
    # Which of several places is left in it does not matter.
    scratch = tf.tensor_scatter_nd_update(scratch, rows[:, tf.newaxis], places)
    chosen = tf.gather(scratch, rows)
    sums = tf.math.unsorted_segment_sum(gradient.values, chosen, tf.size(rows))
    behind = tf.cast(tf.size(scratch), rows.dtype)
    rows = tf.where(tf.equal(chosen, places), rows, behind)
    return tf.IndexedSlices(sums, rows, gradient.dense_shape), scratch


def _check(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[tf.Variable]
) -> None:
    """Refuses an optimizer that does more than its `update_step`."""
    wrapped = type(optimizer) is PoincareOptimizer
    inner = optimizer.inner if wrapped else optimizer  # type: ignore
    known = type(inner) in _OPTIMIZERS
    if not known or has_foreign_options(optimizer) or has_foreign_options(inner):
        raise KernelUnavailable(
            "only plain adam, riemannian_adam, adagrad and sgd have a kernel of XLA, "
            "without momentum, clipping, weight decay or averages"
        )
    keeps_rows = isinstance(optimizer, RowKeeper)
    if any(
        variable.constraint is not None
        and (space_of(variable).is_free or not keeps_rows)
        for variable in variables
    ):
        raise KernelUnavailable(
            "a constraint is applied to whole tables at each step; an optimizer that "
            "keeps the rows of its tables in their spaces, as PoincareOptimizer does, "
            "has a kernel of XLA"
        )


@functools.cache
def _check_compiler() -> None:
    """Refuses a machine where XLA lacks what it compiles with, as on a GPU it may."""
    try:
        tf.function(lambda x: tf.exp(x), jit_compile=True)(tf.ones([4]))
    except tf.errors.OpError as error:
        reason = " ".join(str(error).split())
        raise KernelUnavailable(f"XLA does not compile here: {reason}") from None
