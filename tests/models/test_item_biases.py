"""Item biases, an option of every triplet model, against formulas in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.optimizers import RiemannianAdam
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory
from tests.serving import oracle

USERS, ITEMS, MARGIN, C, WEIGHT = 5, 12, 0.5, 0.37, 0.25
TRIPLET = ("hyperml", "hyperts", "cml", "cml_warp", "lrml", "mf_bpr")
TOLERANCE = 2e-5  # float32 weights, sums of a few dozen terms of order 1

USER = np.array([0, 1, 1, 4, 3, 0], np.int32)
POS = np.array([0, 8, 2, 7, 7, 5], np.int32)
NEG = np.array([4, 4, 6, 0, 1, 0], np.int32)


def make(key, optimizer="adam", **changes):
    """A model with biases and its optimizer, as a config makes them."""
    config = configs.for_model(key, "tiny")
    changes = {
        **dict(dim=4, init_scale=0.4, dropout=0.0, learning_rate=0.01),
        **dict(margin=MARGIN, c=C, distortion_weight=WEIGHT, l2=0.0),
        **changes,
    }
    config.update({field: v for field, v in changes.items() if field in config})
    config.item_bias, config.optimizer = True, optimizer
    config = configs.resolve(config)
    model = DEFINITIONS[key].build(USERS, ITEMS, 3, config.settings)
    return model, factory.build_optimizer(config, model, steps_per_epoch=1)


def set_biases(model, rng):
    biases = rng.normal(scale=0.3, size=ITEMS)
    model.item_biases.table.assign(biases[:, None].astype(np.float32))


def slow_scores(model, key, biases):
    """[U, I] in float64: -d² + b, or u·v + b."""
    plain = oracle.scores(model, "cml" if key == "cml_warp" else key)
    return (-np.square(plain) if key.startswith("hyper") else plain) + biases


def slow_loss(model, key, biases):
    """What the biases change of the mean loss of (USER, POS, NEG).

    That is, without HyperML's distortion. LRML's positive relation serves the
    negative pair too, so its score of the negative is written out.
    """
    scores = slow_scores(model, key, biases)
    good, bad = scores[USER, POS], scores[USER, NEG]
    if key == "mf_bpr":
        return np.mean(np.log1p(np.exp(bad - good)))
    if key == "lrml":
        u, v, w = (
            table.table.numpy().astype(np.float64)[rows]
            for table, rows in (
                (model.user_table, USER), (model.item_table, POS),
                (model.item_table, NEG),
            )
        )  # fmt: skip
        attention = np.exp((u * v) @ model.keys.numpy())
        attention /= attention.sum(axis=1, keepdims=True)
        relation = attention @ model.memory.numpy()
        bad = biases[NEG] - np.sum((u + relation - w) ** 2, axis=1)
    hinge = np.maximum(0, MARGIN - good + bad)
    if key == "cml_warp":  # of one negative: rank is I or 0
        hinge *= np.log1p(ITEMS * (hinge > 0))
    return np.mean(hinge)


def of_biases(model):
    return model.item_biases.table.numpy()[:, 0].astype(np.float64)


def batch(model, key):
    return USER, POS, NEG[:, None] if key == "cml_warp" else NEG


@pytest.mark.parametrize("key", TRIPLET)
def test_scores_have_the_biases_of_their_items(key, rng):
    model, _ = make(key)
    set_biases(model, rng)
    slow = slow_scores(model, key, of_biases(model))
    users, items = np.arange(USERS), np.arange(ITEMS)
    pairs = model.score(users[:, None], items[None] + 0 * users[:, None])
    np.testing.assert_allclose(pairs, slow, atol=TOLERANCE)
    everything = model.score_all(users).numpy()
    assert everything.dtype == np.float64
    # LRML weighs its memory in float32.
    np.testing.assert_allclose(everything, slow, atol=1e-6 if key == "lrml" else 1e-9)


@pytest.mark.parametrize("key", TRIPLET)
def test_the_loss_is_on_the_biased_scores(key, rng):
    model, _ = make(key)
    set_biases(model, rng)
    terms = model.train_loss(*batch(model, key))
    of_scores = terms.get("pull_push", terms.get("bpr", terms["total"]))
    slow = slow_loss(model, key, of_biases(model))
    assert 0 < slow == pytest.approx(float(of_scores), rel=TOLERANCE)


@pytest.mark.parametrize("key", ["hyperml", "hyperts"])
def test_biases_leave_the_distortion_alone(key, rng):
    model, _ = make(key)
    before = model.train_loss(USER, POS, NEG)
    set_biases(model, rng)
    after = model.train_loss(USER, POS, NEG)
    assert float(after["distortion"]) == float(before["distortion"])
    assert float(after["pull_push"]) != float(before["pull_push"])


@pytest.mark.parametrize("key", TRIPLET)
def test_gradients_of_biases_are_central_differences_of_the_loss(key, rng):
    model, _ = make(key)
    set_biases(model, rng)
    with tf.GradientTape() as tape:
        loss = model.train_loss(*batch(model, key))["total"]
    gradient = tape.gradient(loss, model.item_biases.table)
    assert isinstance(gradient, tf.IndexedSlices)  # a step touches a batch's rows
    biases, step = of_biases(model), 1e-6
    slow = [
        (
            slow_loss(model, key, biases + step * one)
            - slow_loss(model, key, biases - step * one)
        )
        / (2 * step)
        for one in np.eye(ITEMS)
    ]
    actual = tf.convert_to_tensor(gradient).numpy()[:, 0]
    np.testing.assert_allclose(actual, slow, atol=TOLERANCE)
    assert np.any(actual)


def test_a_triplet_worked_by_hand():
    cml, _ = make("cml", dim=2)
    cml.user_table.table.assign(np.zeros((USERS, 2)))
    cml.item_table.table.assign([[0.5, 0.0], [0.0, 0.3], *[[0.0, 0.0]] * 10])
    cml.item_biases.table.assign([[0.1], [-0.2], *[[0.0]] * 10])
    one = np.array([0]), np.array([0]), np.array([1])
    # [0.5 + (0.25 - 0.1) - (0.09 + 0.2)]₊
    assert float(cml.train_loss(*one)["total"]) == pytest.approx(0.36)
    # At distances 1 and 2 from the origin of the unit ball.
    ball, _ = make("hyperml", dim=2, c=1.0, distortion_weight=0.0)
    ball.user_table.table.assign(np.zeros((USERS, 2)))
    rim = [[np.tanh(0.5), 0.0], [0.0, np.tanh(1.0)], *[[0.0, 0.0]] * 10]
    ball.item_table.table.assign(rim)
    ball.item_biases.table.assign([[0.25], [3.0], *[[0.0]] * 10])
    scores = ball.score(np.array([0, 0]), np.array([0, 1])).numpy()
    np.testing.assert_allclose(scores, [-0.75, -1.0], rtol=1e-6)
    # [0.5 + (1 - 0.25) - (4 - 3)]₊
    assert float(ball.train_loss(*one)["total"]) == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("key", TRIPLET)
def test_training_starts_at_zero_lowers_the_loss_and_lets_other_biases_rest(key):
    model, optimizer = make(key, learning_rate=0.03)
    assert not np.any(of_biases(model))
    model.compile(optimizer, jit_compile=False)
    data = tf.data.Dataset.from_tensors(batch(model, key)).repeat()
    losses = model.fit(data, steps_per_epoch=5, epochs=2, verbose=0).history
    assert losses["loss/total"][1] < losses["loss/total"][0]
    moved = np.flatnonzero(of_biases(model))
    assert set(moved) <= {*POS, *NEG} and {8, 2} & set(moved)
    # Liked and never drawn as negative: up. Drawn as negative alone: down.
    assert np.all(of_biases(model)[[8, 2]] >= 0)
    assert np.all(of_biases(model)[[4, 6]] <= 0)
    # Now a batch without item 8: lazy, its momentum must not move it.
    before = of_biases(model)
    other = tf.data.Dataset.from_tensors(tuple(part[2:3] for part in batch(model, key)))
    model.fit(other, steps_per_epoch=1, verbose=0)
    untouched = np.setdiff1d(np.arange(ITEMS), [2, 6])
    np.testing.assert_array_equal(of_biases(model)[untouched], before[untouched])


def test_riemannian_adam_moves_biases_as_lazy_adam_does():
    biases = []
    for optimizer in ("adam", "riemannian_adam"):
        model, outer = make("hyperml", optimizer)
        assert isinstance(outer, RiemannianAdam) == (optimizer != "adam")
        model.compile(outer, jit_compile=False)
        data = tf.data.Dataset.from_tensors((USER, POS, NEG))
        model.fit(data, steps_per_epoch=1, verbose=0)
        biases.append(of_biases(model))
    np.testing.assert_array_equal(*biases)
    assert np.any(biases[0])
