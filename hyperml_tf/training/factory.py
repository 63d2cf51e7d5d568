"""Model and optimizer from a resolved config."""

import numpy as np
import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.models import MODELS, Popularity, Recommender
from hyperml_tf.optimizers import (
    LazyAdam,
    PoincareOptimizer,
    RiemannianAdam,
)

# Fields of a config that are arguments of the model's constructor.
_MODEL_FIELDS = (
    "dim", "init_scale", "dropout", "c", "margin", "distortion_weight", "l2",
    "origin_weight", "score", "loss", "negative_choice", "item_bias", "norm_penalty",
    "memory_size", "layers", "dense_init",
)  # fmt: skip


def build_model(config, interactions: Interactions, seed: int) -> Recommender:
    """The untrained model of a resolved config.

    Args:
        config: resolved config.
        interactions: gives U and I, and the counts of the popularity model.
        seed: root of initialisation and dropout.
    """
    size = interactions.num_users, interactions.num_items
    if config.model == "popularity":
        model = Popularity(*size)
        model.adapt(np.asarray(interactions.train_item))
        return model
    options = {field: config[field] for field in _MODEL_FIELDS if field in config}
    return MODELS[config.model](*size, seed=seed, **options)


def build_optimizer(config, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer of a resolved config, wrapped where rows have a space to keep."""
    rate = config.learning_rate
    if config.learning_rate_decay < 1:
        rate = keras.optimizers.schedules.ExponentialDecay(
            rate, steps_per_epoch, config.learning_rate_decay, staircase=True
        )
    if config.optimizer == "riemannian_adam":
        return RiemannianAdam(rate)
    inner = {
        "adam": lambda: LazyAdam(rate),
        "adam_dense": lambda: keras.optimizers.Adam(
            rate, epsilon=1e-8, jit_compile=False
        ),
        "adagrad": lambda: keras.optimizers.Adagrad(rate, jit_compile=False),
        "sgd": lambda: keras.optimizers.SGD(rate, jit_compile=False),
    }[config.optimizer]()
    if config.model == "hyperml":
        return PoincareOptimizer(inner, config.retraction, config.rescale)
    if config.model in ("cml", "cml_warp", "lrml"):
        return PoincareOptimizer(inner)
    return inner
