"""The steps of a program of XLA against the TensorFlow path, on this machine's CPU."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.kernels import choosing, xla
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.kernels.xla import XlaSteps, summed
from hyperml_tf.models import MFBPR
from hyperml_tf.models.softmax import SoftmaxRecommender
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer, RiemannianAdam
from tests.kernels.conftest import (
    make,
    random_triplets,
    reference_steps,
    slots,
    weights,
)
from tests.training.conftest import settings, train_run, tree

__all__ = ["tree"]

BATCH = 16
# float32 sums in another order, as for the fused steps.
TABLE, LOSS, SLOT = 1e-4, 5e-6, 1e-5


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """In place of the one beside: these tests need no C++ compiler."""


def xla_steps(model, triplets, batch=BATCH):
    """Terms [steps, terms]."""
    step = XlaSteps(model, model.optimizer, batch)
    terms = step(*(tf.constant(ids) for ids in triplets))
    return np.stack(list(terms.values()), axis=1)


def assert_same(one, other, terms, expected):
    np.testing.assert_allclose(terms, expected, rtol=LOSS, atol=LOSS)
    np.testing.assert_allclose(weights(other), weights(one), atol=TABLE)
    for there, here in zip(slots(one), slots(other), strict=True):
        scale = max(1.0, float(np.abs(there).max()))
        np.testing.assert_allclose(here, there, atol=SLOT * scale)
    assert int(other.optimizer.iterations) == int(one.optimizer.iterations)


@pytest.mark.parametrize(
    ("key", "optimizer", "changes"),
    [
        ("hyperml", "adam", {"dropout": 0.5}),
        ("hyperts", "adam", {}),
        ("hyperbolic_mf", "adam", {}),
        ("cml", "adagrad", {"norm_penalty": 0.3}),
        ("cml", "adam_dense", {"item_bias": True}),
        ("lrml", "adam", {}),
        ("mf_bpr", "sgd", {"dropout": 0.3}),
    ],
)
def test_five_steps_equal_the_reference(key, optimizer, changes, rng):
    # 80 triplets of 12 users and 9 items: every row several times in a batch.
    triplets = random_triplets(rng, 80)
    one, other = (make(key, optimizer, **changes) for _ in range(2))
    expected = reference_steps(one, triplets, BATCH)
    assert_same(one, other, xla_steps(other, triplets), expected)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: PoincareOptimizer(keras.optimizers.SGD(1.0), retraction="exp"),
        lambda: RiemannianAdam(1e-2),
    ],
)
def test_steps_equal_the_reference_with_optimizers_that_the_fused_op_lacks(
    optimizer, rng
):
    triplets = random_triplets(rng, 48)
    models = [make("hyperml", distortion_weight=0.0) for _ in range(2)]
    for model in models:
        model.compile(optimizer())
        model.optimizer.build(model.trainable_variables)
    one, other = models
    expected = reference_steps(one, triplets, BATCH)
    assert_same(one, other, xla_steps(other, triplets), expected)


def test_the_hardest_negative_is_that_of_the_step(rng):
    users, pos, _ = random_triplets(rng, 48)
    neg = rng.integers(0, 9, (48, 3)).astype(np.int32)
    one, other = (make("cml", "sgd", 12, 9, 0.5) for _ in range(2))
    for model in (one, other):
        model.negative_choice = "hardest"
    expected = []
    for start in range(0, 48, BATCH):
        batch = [ids[start : start + BATCH] for ids in (users, pos, neg)]
        expected.append([float(one.step(*one.arrange(*batch))["total"])])
    assert_same(one, other, xla_steps(other, (users, pos, neg)), expected)


def test_softmax_steps_equal_the_reference(rng):
    triplets = random_triplets(rng, 48)
    options = dict(dim=8, shared_negatives=20)
    models = [SoftmaxRecommender(12, 9, **options) for _ in range(2)]
    for model in models:
        model.compile(LazyAdam(1e-2))
        model.optimizer.build(model.trainable_variables)
    one, other = models
    expected = reference_steps(one, triplets, BATCH)
    assert_same(one, other, xla_steps(other, triplets), expected)


def test_rows_are_summed_once_and_what_is_left_has_no_effect(rng):
    rows = rng.integers(0, 9, 40).astype(np.int32)
    values = rng.normal(size=(40, 3)).astype(np.float32)
    written, added = (tf.Variable(tf.zeros([9, 3])) for _ in range(2))

    @tf.function(jit_compile=True)
    def scatter(scratch):
        once, scratch = summed(tf.IndexedSlices(values, rows), scratch)
        written.scatter_update(once)
        added.scatter_add(once)
        return once.indices

    named = scatter(tf.constant(rng.integers(0, 99, 9), tf.int32)).numpy()
    expected = np.zeros((9, 3))
    np.add.at(expected, rows, values)
    np.testing.assert_allclose(written, expected, atol=1e-5)
    np.testing.assert_allclose(added, expected, atol=1e-5)
    assert sorted(named[named < 9]) == sorted(set(rows)) and named.max() == 9


def test_tables_and_slots_are_written_in_place(rng):
    model = make("mf_bpr", users=71, items=83)
    step = XlaSteps(model, model.optimizer, BATCH)
    batches = [ids.reshape(3, BATCH) for ids in random_triplets(rng, 3 * BATCH)]
    compiled = step._program.experimental_get_compiler_ir(*map(tf.constant, batches))
    program = compiled(stage="optimized_hlo")
    assert len(re.findall(r"f32\[(?:71|83),16\]\S* scatter\(", program)) == 6
    assert not re.findall(r"f32\[(?:71|83),16\]\S* copy\(", program)


def test_a_run_by_xla_ends_as_one_by_tensorflow_and_they_take_turns(tree, tmp_path):
    # 320 triplets an epoch: the last batch of 48 is smaller, and the rate decays.
    config = settings(model="mf_bpr", batch_size=48, learning_rate_decay=0.9)
    whole, _ = train_run(config, tree, tmp_path / "one", kernel="tensorflow")
    for stop, kernel in ((2, "tensorflow"), (None, "xla")):
        turns, run = train_run(
            config, tree, tmp_path / "turns", stop_epoch=stop, kernel=kernel
        )
    assert run.environment["kernel"] == "xla"
    assert [e["kernel"] for e in run.environment["earlier"]] == ["tensorflow"]
    assert turns["best_epoch"] == whole["best_epoch"]
    assert turns["test"]["ndcg10"] == pytest.approx(whole["test"]["ndcg10"], abs=2e-3)


def test_the_first_step_that_is_not_finite_is_known(tree):
    model = make("cml", "sgd", 40, 160)
    sampler = TripletSampler(tree, seed=0)
    users, _, _ = next(iter(sampler.dataset(64, whole_chunks=True)))
    table = model.user_table.table
    table.scatter_update(tf.IndexedSlices(tf.fill([1, 16], np.nan), users[70:71]))
    first = int(np.flatnonzero(users == users[70])[0]) // 64
    assert choosing.use(model, model.optimizer, 64, "xla") == "xla"
    model.compile(model.optimizer)
    chunks = sampler.dataset(64, whole_chunks=True)
    fit = model.fit(chunks, steps_per_epoch=1, verbose=0)
    assert np.isnan(fit.history["loss/total"][0])
    assert int(model.finite_steps) == first
    assert int(model.optimizer.iterations) == 5


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (LazyAdam(), "constraint"),  # would let rows leave the ball
        (PoincareOptimizer(keras.optimizers.Adamax()), "only plain"),
        (PoincareOptimizer(LazyAdam(clipnorm=1.0)), "clipping"),
        (PoincareOptimizer(keras.optimizers.SGD(momentum=0.9)), "momentum"),
        (LazyAdam(use_ema=True), "averages"),
        (LazyAdam(weight_decay=0.1), "weight decay"),
    ],
)
def test_what_an_optimizer_does_beside_its_update_is_refused(optimizer, said):
    model = make("hyperml")
    with pytest.raises(KernelUnavailable, match=rf"{said}.*--kernel=tensorflow"):
        choosing.use(model, optimizer, 4, "xla")
    assert model.kernel is None


def test_steps_that_read_histories_are_refused():
    for option in ({"history": 1.0}, {"mask_known": True}):
        model = SoftmaxRecommender(12, 9, dim=4, **option)
        with pytest.raises(KernelUnavailable, match="shapes"):
            choosing.use(model, LazyAdam(), 4, "xla")


def test_where_xla_does_not_compile_it_is_refused(monkeypatch):
    def without_xla(*args, **kwargs):
        raise tf.errors.UnimplementedError(None, None, "no\nlibdevice")

    xla._check_compiler.cache_clear()
    monkeypatch.setattr(tf, "exp", without_xla)
    with pytest.raises(KernelUnavailable, match="no libdevice"):
        choosing.use(MFBPR(12, 9, dim=4), LazyAdam(), 4, "xla")
