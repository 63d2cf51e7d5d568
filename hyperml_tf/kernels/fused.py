"""The call of the op that does the fused steps of triplet models."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.kernels import compiler
from hyperml_tf.kernels.limits import fused_step_of, inner_of
from hyperml_tf.models.base import Recommender
from hyperml_tf.optimizers import LazyAdam

# Class -> the op's name, the lists of slots, the hyper-parameters that are attributes.
_OF_ADAM = ("_momentums", "_velocities"), ("beta_1", "beta_2", "epsilon")
_OPTIMIZERS: dict[type, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    LazyAdam: ("adam", *_OF_ADAM),
    keras.optimizers.Adam: ("adam_dense", *_OF_ADAM),
    keras.optimizers.Adagrad: ("adagrad", ("_accumulators",), ("epsilon",)),
    keras.optimizers.SGD: ("sgd", (), ()),
}


class FusedSteps:
    """Batch steps on a model's own tables and its optimizer's slots, in place.

    Slots stay variables of the Keras optimizer, so a checkpoint moves between this
    and the TensorFlow path.

    Args:
        model: the model.
        optimizer: its optimizer, as `training.build` makes it.
        batch_size: triplets of a step.

    Raises:
        KernelUnavailable: the model or its optimizer has no fused step, or the op
            cannot be built here.
    """

    def __init__(
        self,
        model: Recommender,
        optimizer: keras.optimizers.Optimizer,
        batch_size: int,
    ):
        name, self._tables, settings, _ = fused_step_of(model)
        inner = inner_of(optimizer, self._tables, _OPTIMIZERS, "adam, adagrad and sgd")
        self._op = compiler.library().hyperml_steps
        self._optimizer, self._terms = optimizer, model.terms
        optimizer.build(model.trainable_variables)
        inner_name, slots, parameters = _OPTIMIZERS[type(inner)]
        self._slots = [
            getattr(inner, slot)[inner._index_dict[inner._var_key(table)]]
            for table in self._tables
            for slot in slots
        ]
        self._attributes = {
            "model": name,
            "optimizer": inner_name,
            "batch_size": batch_size,
            "dim": model.user_table.dim,
            "dropout": model.user_dropout.rate,
            "seed": model.user_dropout.seed,
            "rescale": getattr(optimizer, "rescale", False),
            **settings,
            **{parameter: getattr(inner, parameter) for parameter in parameters},
        }

    def __call__(
        self, users: tf.Tensor, pos_items: tf.Tensor, neg_items: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Steps on triplets [N], `batch_size` at a time; the last one may be smaller.

        Of negatives [N, n] the hardest for the step's parameters makes the triplet;
        `CMLWarp` weighs it by the others.

        Returns:
            The terms of the loss, [steps] each; `optimizer.iterations` has counted on.
        """
        iterations = self._optimizer.iterations
        # A schedule counts as constant within a call: ours change between epochs,
        # and no call reaches from one epoch into the next.
        self._optimizer._compute_current_learning_rate()
        terms = self._op(
            tables=[table.handle for table in self._tables],
            slots=[slot.handle for slot in self._slots],
            user=users,
            pos_item=pos_items,
            neg_item=tf.reshape(neg_items, [-1]),
            step=iterations,
            learning_rate=self._optimizer.learning_rate,
            **self._attributes,
        )
        iterations.assign_add(tf.shape(terms, tf.int64)[0])
        columns = tf.unstack(terms, axis=1)
        return dict(zip(self._terms, columns, strict=False))
