"""Hyperbolic MF against formulas in NumPy, and against MF-BPR in flat space."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.models import MFBPR, HyperbolicMF, HyperTS
from tests.serving import oracle

USERS, ITEMS, DIM, C, WEIGHT = 5, 12, 4, 0.7, 0.1
TOLERANCE = 2e-5  # float32 weights, sums of a few dozen terms of order 1

TRIPLETS = (
    np.array([0, 1, 1, 4, 3, 0], np.int32),
    np.array([0, 8, 2, 7, 7, 5], np.int32),
    np.array([4, 4, 6, 0, 1, 0], np.int32),
)


def make(**changes):
    options = dict(
        dim=DIM, init_scale=0.4, dropout=0.0, seed=3, c=C, origin_weight=WEIGHT
    )
    return HyperbolicMF(USERS, ITEMS, **options | changes)


def rows(model):
    """Both tables in float64."""
    return [table.numpy().astype(np.float64) for table in model.tables]


def points(model):
    """Users and items in float64."""
    return [oracle.exp0(x, model.c) for x in rows(model)]


def slow_scores(u, v, c=C):
    """[U, I]: (d(0, v)² - d(u, v)²)/2."""
    from_origin = oracle.ball_distance(np.zeros((1, u.shape[1])), v, c)
    return (from_origin**2 - oracle.ball_distance(u, v, c) ** 2) / 2


def slow_loss(u, v):
    user, pos, neg = TRIPLETS
    scores = slow_scores(u, v)
    softplus = np.log1p(np.exp(scores[user, neg] - scores[user, pos]))
    origin = np.zeros((1, u.shape[1]))
    of_users, of_items = (oracle.ball_distance(origin, x, C)[0] ** 2 for x in (u, v))
    norms = of_users[user] + of_items[pos] + of_items[neg]
    return np.mean(softplus + WEIGHT * norms)


def test_scores_are_the_product():
    model = make()
    slow = slow_scores(*points(model))
    users, items = np.arange(USERS), np.arange(ITEMS)
    pairs = model.score(users[:, None], items[None] + 0 * users[:, None])
    np.testing.assert_allclose(pairs, slow, atol=TOLERANCE)
    everything = model.score_all(users)
    assert everything.dtype == tf.float64
    np.testing.assert_allclose(everything, slow, atol=1e-9)
    # Not the order of distances.
    by_distance = HyperTS(
        USERS, ITEMS, dim=DIM, init_scale=0.4, dropout=0.0, seed=3, c=C
    ).score_all(users)
    assert np.any(np.argmax(by_distance, axis=1) != np.argmax(slow, axis=1))


def test_biases_add_to_the_product(rng):
    model = make(item_bias=True)
    plain = make().score_all(np.arange(USERS))
    biases = rng.normal(size=ITEMS).astype(np.float32)
    model.item_biases.table.assign(biases[:, None])
    everything = model.score_all(np.arange(USERS))
    np.testing.assert_allclose(everything, plain + biases, atol=1e-9)


def test_the_loss_is_on_the_products_and_pulls_points_to_the_origin():
    model = make()
    terms = model.train_loss(*TRIPLETS)
    slow = slow_loss(*points(model))
    assert float(terms["total"]) == pytest.approx(slow, rel=TOLERANCE)
    without = make(origin_weight=0.0).train_loss(*TRIPLETS)
    assert float(without["bpr"]) == float(terms["bpr"]) == float(without["total"])


def test_gradients_are_central_differences_of_the_loss():
    model = make()
    with tf.GradientTape() as tape:
        loss = model.train_loss(*TRIPLETS)["total"]
    gradients = [
        tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, model.tables)
    ]
    at, step = rows(model), 1e-6
    for place, gradient in enumerate(gradients):
        slow = np.zeros_like(at[place])
        for index in np.ndindex(slow.shape):
            sides = []
            for sign in (1, -1):
                moved = [x.copy() for x in at]
                moved[place][index] += sign * step
                sides.append(slow_loss(*(oracle.exp0(x, C) for x in moved)))
            slow[index] = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose(gradient, slow, atol=TOLERANCE)
        assert np.any(np.abs(slow) > 0.01)


def test_in_flat_space_it_is_mf_bpr_of_twice_the_rows():
    # d = 2‖u - v‖ at c = 0.
    flat = make(c=0.0)
    bpr = MFBPR(USERS, ITEMS, dim=DIM, init_scale=0.4, dropout=0.0, seed=3, l2=WEIGHT)
    for there, here in zip(
        bpr.trainable_variables, flat.trainable_variables, strict=True
    ):
        there.assign(2 * here)
    users = np.arange(USERS)
    shift = np.asarray(bpr.score_all(users)) - np.asarray(flat.score_all(users))
    # What is left over is ‖u‖²/2 of the user.
    left = np.sum(bpr.user_table.table.numpy().astype(np.float64) ** 2, axis=1) / 2
    np.testing.assert_allclose(shift, np.tile(left[:, None], ITEMS), atol=1e-6)
    for term, value in bpr.train_loss(*TRIPLETS).items():
        ours = float(flat.train_loss(*TRIPLETS)[term])
        assert ours == pytest.approx(float(value), rel=1e-5)


def test_a_triplet_worked_by_hand():
    # At distances 1, 2 and 3 from the origin of the unit ball, along one line; exp_0
    # takes tangents to points of twice their length.
    model = make(dim=1, c=1.0, origin_weight=0.1)
    model.user_table.table.assign(np.full((USERS, 1), 0.5))
    model.item_table.table.assign([[1.0], [-1.5], *[[0.0]] * 10])
    one = np.array([0]), np.array([1]), np.array([0])
    scores = model.score(np.array([0, 0, 0]), np.array([0, 1, 2])).numpy()
    # (4 - 1)/2, (9 - 16)/2, (0 - 1)/2
    np.testing.assert_allclose(scores, [1.5, -3.5, -0.5], rtol=1e-5)
    # log(1 + e^(1.5 + 3.5)) = 5.006715 and 0.1 (1 + 4 + 9)
    assert float(model.train_loss(*one)["total"]) == pytest.approx(6.406715, rel=1e-5)
