"""Users who were not in training, by their items: each model its way, in NumPy."""

import numpy as np
import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.models import (
    CML,
    EASE,
    IALS,
    LRML,
    MFBPR,
    MLP,
    NCF,
    HyperbolicMF,
    HyperML,
    HyperTS,
    ItemKNN,
    MFSoftmax,
    Popularity,
    SoftmaxRecommender,
)
from tests.serving.oracle import ball_distance, exp0, on_sphere

TRAIN = [[0, 1, 2], [1, 2], [2, 3, 0, 5], [4, 1], [5, 4, 3], [1, 3], [6, 0]]
USERS, ITEMS = len(TRAIN), 7
HISTORIES = [[2, 3, 0, 5], [1], [6, 4, 1]]
PADDED = np.array([[2, 3, 0, 5, 7], [1, 7, 7, 7, 7], [7, 6, 1, 4, 7]], np.int32)
WIDE = {"dim": 5, "init_scale": 0.4, "seed": 3}


@pytest.fixture
def data(make_interactions):
    return make_interactions(TRAIN, ITEMS)


def rows(model, side="item"):
    return getattr(model, f"{side}_table").table.numpy().astype(np.float64)


def midpoint(points, c):
    """The hyperboloid's centroid, from its coordinates."""
    if c == 0:
        return points.mean(axis=0)
    squares = c * np.sum(points**2, axis=1, keepdims=True)
    lifted = np.hstack([1 + squares, 2 * np.sqrt(c) * points]) / (1 - squares)
    time, *space = lifted.sum(axis=0)
    length = np.sqrt(time**2 - np.dot(space, space))
    return np.array(space) / (length + time) / np.sqrt(c)


def placed(points, c, users):
    """Midpoints of the histories, as far out as the median of users [U, D]."""
    middles = np.array([midpoint(points[history], c) for history in HISTORIES])
    return on_sphere(middles, np.median(np.linalg.norm(users, axis=1)))


def scores(model):
    return model.score_histories(PADDED).numpy()


@pytest.mark.parametrize("c", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", [HyperML, HyperTS])
def test_users_of_the_ball_are_at_the_gyromidpoint_of_their_items(kind, c):
    model = kind(USERS, ITEMS, c=c, **WIDE)
    users, points = rows(model, "user"), rows(model)
    users[0] *= 0.1  # a median, not a mean
    model.user_table.table.assign(users)
    if kind is HyperTS and c:
        users, points = exp0(users, c), exp0(points, c)
    distance = ball_distance(placed(points, c, users), points, c)
    order = np.argsort(-scores(model), axis=1)
    np.testing.assert_array_equal(order, np.argsort(distance, axis=1))


def test_with_item_biases_the_scores_have_them():
    model = HyperML(USERS, ITEMS, item_bias=True, **WIDE)
    biases = np.linspace(-1, 1, ITEMS)[:, None].astype(np.float32)
    model.item_biases.table.assign(biases)
    users = placed(rows(model), 1.0, rows(model, "user"))
    squared = ball_distance(users, rows(model), 1.0) ** 2
    np.testing.assert_allclose(scores(model), biases[:, 0] - squared, rtol=1e-9)


def test_hyperbolic_mf_scores_the_gyromidpoint():
    model = HyperbolicMF(USERS, ITEMS, c=2.0, **WIDE)
    points = exp0(rows(model), 2.0)
    users = placed(points, 2.0, exp0(rows(model, "user"), 2.0))
    squared = ball_distance(users, points, 2.0) ** 2
    norms = ball_distance(np.zeros((1, 5)), points, 2.0) ** 2
    np.testing.assert_allclose(scores(model), (norms - squared) / 2, rtol=1e-6)


@pytest.mark.parametrize("kind", [CML, MFBPR])
def test_euclidean_users_are_at_the_mean_of_their_items(kind):
    model = kind(USERS, ITEMS, **WIDE)
    users, items = placed(rows(model), 0.0, rows(model, "user")), rows(model)
    expected = users @ items.T
    if kind is CML:
        expected = 2 * expected - np.sum(items**2, axis=1)
        expected -= np.sum(users**2, axis=1, keepdims=True)
    np.testing.assert_allclose(scores(model), expected, rtol=1e-6, atol=1e-9)


def test_users_of_a_sphere_are_on_it():
    model = SoftmaxRecommender(USERS, ITEMS, item_bias=True, **WIDE)
    points = on_sphere(rows(model), model.radius)
    users = placed(points, model.c, points)
    expected = -(ball_distance(users, points, model.c) ** 2)
    np.testing.assert_allclose(scores(model), expected, rtol=1e-6, atol=1e-9)


def test_cosines_are_with_the_mean_direction():
    model = MFSoftmax(USERS, ITEMS, cosine=True, **WIDE)
    points = on_sphere(rows(model), 1.0)
    users = placed(points, 0.0, points)
    np.testing.assert_allclose(scores(model), users @ points.T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", [ItemKNN, EASE])
def test_items_of_a_user_in_training_score_as_that_user(kind, data):
    model = kind(USERS, ITEMS)
    model.adapt(data)
    padded = np.array([[*mine, *[ITEMS] * (4 - len(mine))] for mine in TRAIN], np.int32)
    again = model.score_histories(padded).numpy()
    np.testing.assert_array_equal(again, model.score_all(np.arange(USERS)))


def test_ials_solves_for_the_factors_that_training_tends_to(data):
    model = IALS(USERS, ITEMS, dim=3, l2=0.5, alpha=4.0, iterations=500)
    model.adapt(data)
    items = rows(model)
    for history, mine in zip(HISTORIES, scores(model), strict=True):
        confidence = np.ones(ITEMS)
        confidence[history] = 4.0
        system = items.T @ (confidence[:, None] * items) + 0.5 * np.eye(3)
        user = np.linalg.solve(system, 4.0 * items[history].sum(axis=0))
        np.testing.assert_allclose(mine, items @ user, rtol=1e-9, atol=1e-12)
    # The first history is that of a user in training: by the library's own steps.
    trained = model.score_all(np.array([2])).numpy()[0]
    np.testing.assert_allclose(scores(model)[0], trained, atol=1e-3)


def test_popularity_is_the_same_for_everyone(data):
    model = Popularity(USERS, ITEMS)
    model.adapt(data)
    np.testing.assert_array_equal(scores(model), [model.counts.numpy()] * 3)


@pytest.mark.parametrize("kind", [LRML, MLP, NCF])
def test_a_model_whose_score_needs_more_than_a_point_says_so(kind):
    model = kind(USERS, ITEMS, dim=8)
    assert not model.folds_in_by
    with pytest.raises(InputError, match=f"{kind.__name__} needs a user in training"):
        model.score_histories(PADDED)


def test_a_user_without_items_is_finite():
    for model in (HyperML(USERS, ITEMS, **WIDE), MFBPR(USERS, ITEMS, **WIDE)):
        nothing = np.full((1, 2), ITEMS, np.int32)
        assert np.isfinite(model.score_histories(nothing)).all()
