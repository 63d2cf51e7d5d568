"""Settings and points that no one should choose: it ends sound, or stops by name."""

import itertools

import numpy as np
import pytest

from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.kernels.fused import FusedSteps
from hyperml_tf.training.divergence import NonFiniteLoss, StopOnNonFinite
from tests.kernels.conftest import OPTIMIZERS, make, random_triplets, tables
from tests.training.conftest import settings, train_run

MODELS = ("hyperml", "hyperts", "cml", "mf_bpr")
STORMS = {
    "rate": (1e-3, 1.0, 10.0),
    "c": (1e-6, 1e-2, 1.0, 100.0),
    "dim": (1, 2, 64, 1024),
    "distortion_weight": (0.0, 0.1, 100.0),
    "margin": (0.0, 0.5, 1e6),
}
STARTS = ("random", "equal", "zero", "boundary", "one boundary point", "huge")
STEPS, BATCH = 5, 16
#: Of each model, a like number from every start; a step of TensorFlow takes longer.
TRIED = {"tensorflow": 18, "fused": 60}


def place(model, start, radius, rng):
    """Puts all points where `start` says; "huge": where no projection ever put them."""
    for weights in model.trainable_variables:
        rows = rng.normal(size=weights.shape)
        if start in ("equal", "one boundary point"):
            rows[:] = np.ones(rows.shape[1])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        scale = {"random": 0.1, "equal": 0.5, "zero": 0.0, "huge": 1e30}.get(start, 1.0)
        weights.assign(scale * radius * rows)


def outcome(model, kernel, triplets):
    """What became of it after a few steps; fails on anything but the two ends."""
    if kernel == "fused":
        try:
            model.kernel = FusedSteps(model, model.optimizer, BATCH)
        except KernelUnavailable as reason:
            pytest.skip(str(reason))
    for start in range(0, len(triplets[0]), BATCH):
        logs = model.train_step([ids[start : start + BATCH] for ids in triplets])
    callback = StopOnNonFinite()
    callback.set_model(model)
    try:
        callback.on_epoch_end(0, {name: float(value) for name, value in logs.items()})
    except NonFiniteLoss as stop:
        assert f"at step {int(model.finite_steps)} (epoch 1): " in str(stop)
        assert "loss/" in str(stop) or "/table" in str(stop)
        assert "largest norms still finite: " in str(stop)
        return "stopped"
    assert model.finite_steps == STEPS
    assert np.isfinite(tables(model)).all()
    users, items = np.arange(12), np.arange(9)
    assert np.isfinite(model.score(users[:, np.newaxis], items)).all()
    assert np.isfinite(model.score_all(users)).all()
    return "ended"


@pytest.mark.parametrize("kernel", ["tensorflow", "fused"])
@pytest.mark.parametrize("key", MODELS)
def test_a_storm_ends_sound_or_stops_by_name(key, kernel, rng):
    every = list(itertools.product(OPTIMIZERS, *STORMS.values()))
    chosen = rng.choice(len(every), TRIED[kernel], replace=False)
    seen = []
    for number, start in zip(chosen, itertools.cycle(STARTS), strict=False):
        optimizer, *values = every[number]
        storm = dict(zip(STORMS, values, strict=True))
        model = make(key, optimizer, dropout=0.5 * (number % 2), **storm)
        radius = storm["c"] ** -0.5 if key == "hyperml" else 1.0
        place(model, start, radius, rng)
        triplets = random_triplets(rng, STEPS * BATCH)
        seen.append(outcome(model, kernel, triplets))
        if key == "hyperml":  # the ball holds whatever is thrown at it
            assert start == "huge" or seen[-1] == "ended", (optimizer, start, storm)
            if seen[-1] == "ended":
                users, *items = triplets
                moved = np.unique([users, *(12 + item for item in items)])
                norms = np.linalg.norm(tables(model)[moved].astype(float), axis=1)
                assert norms.max() < radius
    print(key, kernel, {word: seen.count(word) for word in set(seen)})
    assert "ended" in seen
    assert "stopped" in seen or key != "mf_bpr"  # which nothing holds


@pytest.mark.parametrize("weights", ["users", "items"])
def test_weights_spoilt_by_the_very_last_step_are_seen(weights, rng):
    model = make("hyperml")
    table = getattr(model, f"{weights[:-1]}_table").table
    rows = table.numpy()
    rows[3] = np.nan
    table.assign(rows)
    callback = StopOnNonFinite()
    callback.set_model(model)
    with pytest.raises(NonFiniteLoss, match=f"{weights}/table; largest norms still"):
        callback.on_epoch_end(4, {"loss/total": 0.5})


@pytest.mark.parametrize("kernel", ["tensorflow", "fused"])
@pytest.mark.parametrize(
    "storm",
    [
        dict(learning_rate=10.0, c=100.0, dim=1, margin=0.0, distortion_weight=0.0),
        dict(learning_rate=10.0, c=1e-6, dim=1024, init_scale=1.0, optimizer="sgd"),
        dict(model="hyperbolic_mf", learning_rate=10.0, c=100.0),
    ],
)
def test_a_whole_run_in_a_storm_ends_with_metrics(storm, kernel, tree, tmp_path):
    metrics, run = train_run(settings(**storm), tree, tmp_path, kernel=kernel)
    for split in ("valid", "test", "test_full"):
        assert all(np.isfinite(value) for value in metrics[split].values())
    assert all(np.isfinite(float(row["loss/total"])) for row in run.history())
    assert run.environment["kernel"] == kernel
