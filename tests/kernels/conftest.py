"""Models, optimizers and steps for the tests of the fused kernel."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.kernels import compiler
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.optimizers import LazyAdam, in_their_spaces

OPTIMIZERS = {
    "adam": lambda rate: LazyAdam(rate),
    "adam_dense": lambda rate: keras.optimizers.Adam(
        rate, epsilon=1e-8, jit_compile=False
    ),
    "adagrad": lambda rate: keras.optimizers.Adagrad(rate, jit_compile=False),
    "sgd": lambda rate: keras.optimizers.SGD(rate, jit_compile=False),
}


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Skips these tests only where no compiler is, or a GPU."""
    if tf.config.get_visible_devices("GPU"):
        pytest.skip("the fused kernel runs on the CPU; set CUDA_VISIBLE_DEVICES=-1")
    try:
        compiler.library()
    except compiler.KernelUnavailable as reason:
        pytest.skip(str(reason))


def make(key, optimizer="adam", users=12, items=9, rate=1e-2, rescale=True, **changes):
    """A compiled model with slots; equal arguments give equal bits."""
    options = {
        **dict(dim=16, init_scale=0.1, dropout=0.0, c=1.0, margin=0.5, loss="hinge"),
        **dict(distortion_weight=0.1, l2=0.01, memory_size=6, origin_weight=0.02),
        **changes,
    }
    definition = DEFINITIONS[key]
    model = definition.build(
        users, items, 3, {k: v for k, v in options.items() if k in definition}
    )
    own = {"rescale": rescale} if "rescale" in definition else {}
    inner = OPTIMIZERS[optimizer](rate)
    outer = in_their_spaces(inner, model.trainable_variables, **own)
    model.compile(optimizer=outer)
    outer.build(model.trainable_variables)
    return model


def random_triplets(rng, count, users=12, items=9):
    """Triplets [count]; with these sizes a batch has every row many times."""
    return tuple(
        rng.integers(0, rows, count).astype(np.int32) for rows in (users, items, items)
    )


def reference_steps(model, triplets, batch_size):
    """Autodiff and the Keras optimizer; the terms of every step."""
    terms = []
    for start in range(0, len(triplets[0]), batch_size):
        batch = [ids[start : start + batch_size] for ids in triplets]
        with tf.GradientTape() as tape:
            loss = model.train_loss(*batch, step=model.optimizer.iterations)
        model.optimizer.minimize(loss["total"], model.trainable_variables, tape)
        terms.append([float(value) for value in loss.values()])
    return np.array(terms)


def tables(model):
    """Both tables, [U + I, D]."""
    layers = model.user_table, model.item_table
    return np.concatenate([layer.table.numpy() for layer in layers])


def weights(model):
    """All that is trained, [numbers]: both tables, and K and M of LRML."""
    return np.concatenate([w.numpy().ravel() for w in model.trainable_variables])


def state(model):
    """Weights and slots."""
    return [v.numpy() for v in [*model.trainable_variables, *slots(model)]]


def slots(model):
    """The optimizer's. Keras's SGD keeps one that it never reads: left out."""
    inner = getattr(model.optimizer, "inner", model.optimizer)
    return [] if isinstance(inner, keras.optimizers.SGD) else inner.variables
