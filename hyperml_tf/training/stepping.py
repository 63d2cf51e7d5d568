"""How the steps of `fit` are done: by which kernel, and on what it is given."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.triplets import BATCHES_PER_CHUNK, TripletSampler
from hyperml_tf.kernels import choosing
from hyperml_tf.kernels.xla_draws import XlaDraws
from hyperml_tf.models.base import Recommender

# Steps that Keras runs in one graph call. Long enough to hide its overhead, short
# enough that Ctrl-C is answered within seconds on the largest dataset.
_STEPS_PER_EXECUTION = 2000


def triplets_of_step(config) -> int:
    """How many a step has, as a kernel sees them.

    Where each negative of a positive does not make one, they come as [B, n].
    """
    each = config.get("negative_choice") == "each"
    return config.batch_size * (config.get("negatives", 1) if each else 1)


def batches(
    model: Recommender,
    sampler: TripletSampler,
    batch_size: int,
    first_epoch: int,
    kernel: str,
) -> tf.data.Dataset:
    """What `fit` takes of a model that has a kernel, as `compile_model` says which.

    Beside programs of XLA, the triplets too are drawn on the device.
    """
    if kernel == "xla":
        draws = XlaDraws(sampler, batch_size)
        model.draw = draws
        return draws.places(first_epoch)
    return sampler.dataset(batch_size, first_epoch, whole_chunks=kernel == "fused")


def compile_model(
    model: Recommender,
    optimizer: keras.optimizers.Optimizer,
    steps: int,
    triplets: int,
    kernel: str,
) -> tuple[str, int]:
    """Compiles `model` for `fit`.

    Args:
        model: the model.
        optimizer: its optimizer.
        steps: of an epoch.
        triplets: of a step.
        kernel: one of `kernels.CHOICES`.

    Returns:
        The kernel that it has, and the batches that `fit` takes in an epoch: whole
        chunks for all but "tensorflow", see `batches`.
    """
    used = choosing.use(model, optimizer, triplets, kernel)
    steps_per_call = BATCHES_PER_CHUNK if used != "tensorflow" else 1
    calls = -(-steps // steps_per_call)
    model.compile(
        optimizer=optimizer,
        steps_per_execution=min(calls, _STEPS_PER_EXECUTION // steps_per_call),
    )
    return used, calls
