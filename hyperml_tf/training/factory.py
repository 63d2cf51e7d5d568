"""Model and optimizer from a configuration."""

from collections.abc import Callable
from typing import Any

import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.models import Recommender
from hyperml_tf.optimizers import LazyAdam, RiemannianAdam, in_their_spaces
from hyperml_tf.training.configuration import Configuration

#: Name in configs -> the optimizer at a learning rate.
OPTIMIZERS: dict[str, Callable[[Any], keras.optimizers.Optimizer]] = {
    "adam": LazyAdam,
    "adam_dense": lambda rate: keras.optimizers.Adam(
        rate, epsilon=1e-8, jit_compile=False
    ),
    "adagrad": lambda rate: keras.optimizers.Adagrad(rate, jit_compile=False),
    "sgd": lambda rate: keras.optimizers.SGD(rate, jit_compile=False),
    "riemannian_adam": RiemannianAdam,
}


def build_model(
    config: Configuration, interactions: Interactions, seed: int
) -> Recommender:
    """The model of a configuration: untrained, or fitted if `adapt` is all of it.

    Args:
        config: the configuration.
        interactions: gives U and I, and what `adapt` takes.
        seed: root of initialisation and dropout.

    Raises:
        InputError: users are held out whole, and the model needs them in training.
    """
    if len(interactions.history_user) and not config.definition.model.folds_in_by:
        raise InputError(
            f"{interactions.name} holds users out whole, and {config.definition.title} "
            "needs a user in training; prepare it with another --split, or leave this "
            "model out"
        )
    size = interactions.num_users, interactions.num_items
    model = config.definition.build(*size, seed, config.settings)
    model.adapt(interactions)
    return model


def build_optimizer(
    config: Configuration, model: Recommender, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """The optimizer of a configuration, wrapped where rows have a space to keep."""
    rate = config.learning_rate
    if config.learning_rate_decay < 1:
        rate = keras.optimizers.schedules.ExponentialDecay(
            rate, steps_per_epoch, config.learning_rate_decay, staircase=True
        )
    optimizer = OPTIMIZERS[config.optimizer](rate)
    if isinstance(optimizer, RiemannianAdam):  # which keeps rows in it by itself
        return optimizer
    options = {k: config.settings[k] for k in ("retraction", "rescale") if k in config}
    return in_their_spaces(optimizer, model.trainable_variables, **options)
