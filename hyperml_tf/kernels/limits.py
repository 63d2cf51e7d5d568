"""What the fused steps cannot do, and so who is refused."""

from collections.abc import Collection, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.spaces import space_of
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.models.base import FusedStep, Recommender
from hyperml_tf.optimizers import PoincareOptimizer

# Options of tf_keras optimizers that no kernel knows.
_FOREIGN = (
    *("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema"),
    *("amsgrad", "momentum", "nesterov"),
)


def fused_step_of(model: Recommender) -> FusedStep:
    """What the kernel needs to know of a model.

    Raises:
        KernelUnavailable: it has no fused step, or not here.
    """
    # Not one that is inherited: a subclass's loss may be another.
    if "fused_step" not in vars(type(model)):
        raise KernelUnavailable(f"{type(model).__name__} has no fused kernel")
    if model.item_biases is not None:
        raise KernelUnavailable("the fused kernel knows no item biases")
    if tf.config.get_visible_devices("GPU"):
        raise KernelUnavailable(
            "the fused kernel runs on the CPU, and there is a GPU, which takes "
            "longer for small batches: CUDA_VISIBLE_DEVICES=-1 hides it"
        )
    return model.fused_step()


def inner_of(
    optimizer: keras.optimizers.Optimizer,
    tables: Sequence[tf.Variable],
    known: Collection[type],
    names: str,
) -> Any:
    """What does the Euclidean step of `optimizer`, one of the classes `known`.

    Args:
        optimizer: of the model.
        tables: whose rows it moves.
        known: to the op.
        names: of `known`, for who gave another.

    Raises:
        KernelUnavailable: it does more than the kernel's arithmetic, or is another.
    """
    keeps_rows = type(optimizer) is PoincareOptimizer
    inner: Any = optimizer.inner if keeps_rows else optimizer  # type: ignore
    free = all(space_of(table).is_free for table in tables)
    plain = _is_plain(optimizer) and _is_plain(inner)
    if type(inner) not in known or not plain or not (keeps_rows or free):
        raise KernelUnavailable(
            f"only plain {names}, with retraction by projection, have a fused kernel"
        )
    return inner


def _is_plain(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the op's arithmetic is all that it does."""
    by_projection = getattr(optimizer, "retraction", "projection") == "projection"
    return by_projection and not has_foreign_options(optimizer)


def has_foreign_options(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether it has options of tf_keras that no kernel here knows."""
    return any(getattr(optimizer, option, None) for option in _FOREIGN)
