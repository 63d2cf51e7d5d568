"""Which kernel does the steps of a model and its optimizer."""

from collections.abc import Callable
from types import ModuleType

import tf_keras as keras
from absl import logging

from hyperml_tf.kernels import compiler
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.kernels.fused import FusedSteps
from hyperml_tf.kernels.limits import fused_step_of
from hyperml_tf.kernels.softmax_steps import FusedSoftmaxSteps
from hyperml_tf.kernels.xla import XlaSteps
from hyperml_tf.models.base import Recommender

# What `FusedStep.op` says -> who calls it.
_FUSED: dict[str, Callable] = {"steps": FusedSteps, "softmax": FusedSoftmaxSteps}


def use(
    model: Recommender,
    optimizer: keras.optimizers.Optimizer,
    batch_size: int,
    choice: str,
) -> str:
    """Gives `model`, which `optimizer` is to train, the kernel asked for.

    Args:
        model: the model.
        optimizer: its optimizer.
        batch_size: triplets of a step.
        choice: one of `kernels.CHOICES`; "auto" is "fused", and "tensorflow" where
            the model or the machine cannot have that.

    Returns:
        The kernel that it has now: any of `kernels.CHOICES` but "auto".

    Raises:
        KernelUnavailable: a kernel was asked for by name and cannot be.
    """
    if choice == "tensorflow":
        return choice
    try:
        if choice == "xla":
            model.kernel = XlaSteps(model, optimizer, batch_size)
            return choice
        steps = _FUSED[fused_step_of(model).op]
        model.kernel = steps(model, optimizer, batch_size)
    except KernelUnavailable as reason:
        if choice != "auto":
            raise KernelUnavailable(f"{reason}; use --kernel=tensorflow") from None
        logging.info("kernel: tensorflow, as %s", reason)
        return "tensorflow"
    return "fused"


def compiled(choice: str) -> ModuleType | None:
    """The compiled ops for `TripletSampler`, whose draws do not depend on them.

    Args:
        choice: one of `kernels.CHOICES`.

    Returns:
        The library; None for "tensorflow", for "xla", which draws by itself, and where
        it cannot be built.
    """
    if choice in ("tensorflow", "xla"):
        return None
    try:
        return compiler.library()
    except KernelUnavailable:  # `use` says why
        return None
