"""A GPU computes what the CPU does; and what keeps it from doing otherwise."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf import runtime
from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.evaluation import protocol
from hyperml_tf.kernels import choosing
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import speed
from hyperml_tf.training import stepping
from tests.kernels.conftest import make

STEPS = 192
BATCH = 512


def _trained(key, data, device):
    """A model after STEPS steps on `device`, and its losses."""
    with tf.device(device):
        model, negatives, _, _ = speed.compiled_model(
            data, key, "tensorflow", STEPS, dim=64, batch=BATCH, dropout=0.3
        )
        triplets = speed._ready_triplets(data, BATCH, negatives, False)
        fit = model.fit(triplets, steps_per_epoch=STEPS // 3, epochs=3, verbose=0)
    return model, fit.history


def _trained_on_stream(key, data, device, kernel, batch=BATCH, epochs=4):
    """A model after whole epochs of the stream by `kernel`, and its losses."""
    steps = -(-len(data.train_user) // batch)
    with tf.device(device):
        model, negatives, used, calls = speed.compiled_model(
            data, key, kernel, steps, dim=64, batch=batch, dropout=0.3
        )
        sampler = TripletSampler(data, 0, negatives)
        assert used == kernel and steps == sampler.steps_per_epoch(batch)
        batches = stepping.batches(model, sampler, batch, 0, used)
        fit = model.fit(batches, steps_per_epoch=calls, epochs=epochs, verbose=0)
    return model, fit.history


def _scores(model, data, device):
    with tf.device(device):
        users = tf.range(min(data.num_users, data.num_items))
        return np.asarray(model.score(users, users)), protocol.full(model, data, "test")


@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="no GPU here")
@pytest.mark.parametrize(
    "key", [key for key, model in DEFINITIONS.items() if model.trains]
)
def test_a_gpu_steps_and_ranks_as_the_cpu_does(key):
    data = speed.synthetic(2000)
    (model, history), (other, others) = [
        _trained(key, data, device) for device in ("CPU:0", "GPU:0")
    ]
    assert "GPU" in other.trainable_variables[0].device
    # Adam's step has the sign of a gradient however near to 0: of MLP and NCF, whose
    # ReLUs give many such, only the losses stay together.
    loss, weights = (1e-3, None) if key in ("mlp", "ncf") else (1e-5, 1e-4)
    for name, values in history.items():
        np.testing.assert_allclose(others[name], values, rtol=loss)
    for ours, theirs in zip(
        model.trainable_variables, other.trainable_variables, strict=True
    ):
        if weights:
            apart = np.linalg.norm(ours.numpy() - theirs.numpy())
            assert apart <= weights * np.linalg.norm(ours.numpy())
        theirs.assign(ours)
    (scores, ranks), (on_gpu, ranks_on_gpu) = [
        _scores(each, data, device)
        for each, device in ((model, "CPU:0"), (other, "GPU:0"))
    ]
    np.testing.assert_allclose(on_gpu, scores, atol=1e-5 * abs(scores).max())
    np.testing.assert_array_equal(ranks_on_gpu.ranks, ranks.ranks)


@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="no GPU here")
@pytest.mark.parametrize(
    "key", [key for key, model in DEFINITIONS.items() if model.trains]
)
def test_programs_of_xla_do_on_a_gpu_what_tensorflow_does_on_a_cpu(key):
    data = speed.synthetic(2000)
    _, losses = _trained_on_stream(key, data, "CPU:0", "tensorflow")
    model, others = _trained_on_stream(key, data, "GPU:0", "xla")
    assert "GPU" in model.trainable_variables[0].device
    # See above; and CML (WARP) counts what is within a margin.
    loss = 1e-3 if key in ("mlp", "ncf", "cml_warp") else 1e-5
    for name, values in losses.items():
        np.testing.assert_allclose(others[name], values, rtol=loss)


@pytest.mark.parametrize("wanted", [None, "1"])
def test_products_keep_the_digits_of_float32_unless_the_user_wants_others(wanted):
    environment = {k: v for k, v in os.environ.items() if k != "NVIDIA_TF32_OVERRIDE"}
    if wanted:
        environment["NVIDIA_TF32_OVERRIDE"] = wanted
    program = (
        "import os; from hyperml_tf import runtime; runtime.set_environment(); "
        "print(os.environ['NVIDIA_TF32_OVERRIDE'])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert said.stdout.strip() == (wanted or "0")


@pytest.fixture
def gpu(monkeypatch):
    """As if TensorFlow saw a GPU; the devices that it shall see instead."""
    asked = []
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda devices, kind: asked.append(devices)
    )
    for setting in ("intra_op", "inter_op"):
        name = f"set_{setting}_parallelism_threads"
        monkeypatch.setattr(tf.config.threading, name, lambda threads: None)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *_: None)
    return asked


def test_the_fused_kernel_leaves_gpus_alone_and_the_others_do_not(gpu):
    runtime.use_machine(1, "auto")
    runtime.use_machine(1, "tensorflow")
    assert gpu == []
    runtime.use_machine(1, "fused")
    assert gpu == [[]]


def test_beside_a_visible_gpu_auto_takes_tensorflow_and_fused_says_why(gpu):
    model = make("hyperml")
    assert choosing.use(model, model.optimizer, 4, "auto") == "tensorflow"
    with pytest.raises(KernelUnavailable, match="there is a GPU"):
        choosing.use(model, model.optimizer, 4, "fused")
