"""The call of the fused softmax steps."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.kernels import compiler
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.kernels.limits import fused_step_of, inner_of
from hyperml_tf.models.softmax import SoftmaxRecommender
from hyperml_tf.optimizers import LazyAdam


class FusedSoftmaxSteps:
    """Batch steps on a model's own tables and its optimizer's slots, in place.

    Args:
        model: the model.
        optimizer: its optimizer: `LazyAdam`, wrapped where rows have a space to keep.
        batch_size: pairs of a step.

    Raises:
        KernelUnavailable: there is no fused step for these, or it cannot be built.
    """

    def __init__(
        self,
        model: SoftmaxRecommender,
        optimizer: keras.optimizers.Optimizer,
        batch_size: int,
    ):
        _, tables, settings, _ = fused_step_of(model)
        if model.user_dropout.rate:
            raise KernelUnavailable("the fused softmax knows no dropout")
        inner = inner_of(optimizer, tables, [LazyAdam], "lazy adam steps")
        self._op = compiler.library().hyperml_softmax_steps
        self._model, self._optimizer, self._batch_size = model, optimizer, batch_size
        optimizer.build(model.trainable_variables)
        self._variables = [
            variable
            for table in tables
            for place in [inner._index_dict[inner._var_key(table)]]
            for variable in (table, inner._momentums[place], inner._velocities[place])
        ]
        self._attributes = {
            "batch_size": batch_size,
            "dim": model.user_table.dim,
            "rescale": getattr(optimizer, "rescale", False),
            "beta_1": inner.beta_1,
            "beta_2": inner.beta_2,
            "epsilon": inner.epsilon,
            **settings,
        }

    def __call__(
        self, users: tf.Tensor, pos_items: tf.Tensor, neg_items: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Steps on pairs [N], `batch_size` at a time; the last one may be smaller.

        Returns:
            The terms of the loss, [steps] each; `optimizer.iterations` has counted on.
        """
        del neg_items
        model, iterations = self._model, self._optimizer.iterations
        first = tf.identity(iterations)
        steps = -(-tf.size(users, tf.int64) // self._batch_size)
        # A schedule counts as constant within a call, see `fused.FusedSteps`.
        self._optimizer._compute_current_learning_rate()
        known = model.known
        terms = self._op(
            variables=[variable.handle for variable in self._variables],
            user=users,
            pos_item=pos_items,
            candidate=self._candidates(first, steps),
            shift=self._shifts(),
            known_item=tf.zeros([0], tf.int32) if known is None else known.items,
            known_split=tf.zeros([0], tf.int64) if known is None else known.splits,
            step=first,
            learning_rate=self._optimizer.learning_rate,
            **self._attributes,
        )
        iterations.assign_add(steps)
        total, softmax = tf.unstack(terms, axis=1)
        return {"total": total, "softmax": softmax}

    def _candidates(self, first, steps):
        """[steps, n], as the TensorFlow path draws them; [0, 0]: the positives."""
        shared = self._model.shared
        if shared.sampler == "in_batch":
            return tf.zeros([0, 0], tf.int32)
        spec = tf.TensorSpec([shared.count], tf.int32)
        return tf.map_fn(
            lambda step: shared.draw(step, None),
            tf.range(first, first + steps),
            fn_output_signature=spec,
        )

    def _shifts(self):
        """What is added to items' scores, [I]; [0]: nothing."""
        model = self._model
        if not model.log_q or model.shared.sampler == "uniform":
            return tf.zeros([0])
        items = tf.range(model.num_items)
        return -model.softmax.temperature * model.shared.log_probability(items)
