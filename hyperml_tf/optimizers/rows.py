"""What the optimizers that keep rows in their space have in common."""

import tensorflow as tf
import tf_keras as keras
from tf_keras.src.optimizers import utils

from hyperml_tf.geometry.spaces import space_of


class RowKeeper(keras.optimizers.Optimizer):
    """Brings back the rows it moves, so it leaves out the constraints of tables.

    A table of a bounded space has a constraint, for optimizers that know nothing of
    spaces, and Keras applies it to the whole table after each step.
    """

    def apply_gradients(
        self, grads_and_vars, name=None, skip_gradients_aggregation=False, **kwargs
    ):
        """As of Keras, step by step, but for the constraints."""
        if not skip_gradients_aggregation and kwargs.pop(
            "experimental_aggregate_gradients", True
        ):
            grads_and_vars = self.aggregate_gradients(grads_and_vars)
        self._compute_current_learning_rate()
        pairs = list(grads_and_vars)
        with tf.name_scope(name or self.name):
            with tf.init_scope():
                self.build([variable for _, variable in pairs])
            pairs = utils.filter_empty_gradients(pairs)
            if not pairs:
                return self.iterations
            gradients, variables = zip(*pairs, strict=True)
            gradients = self._clip_gradients(gradients)
            gradients = self._deduplicate_sparse_grad(gradients)
            self._apply_weight_decay(variables)
            pairs = list(zip(gradients, variables, strict=True))
            iterations = self._internal_apply_gradients(pairs)
            for variable in variables:
                if variable.constraint is not None and space_of(variable).is_free:
                    variable.assign(variable.constraint(variable))
        return iterations
