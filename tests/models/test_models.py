"""Each model's score and loss against its formula, written the slow way in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry import poincare
from hyperml_tf.models import DEFINITIONS, Popularity
from hyperml_tf.models.base import metric_init_scale
from tests import ball_oracle as oracle

USERS, ITEMS, DIM = 6, 9, 4
MARGIN, WEIGHT, L2, C = 0.5, 0.25, 0.125, 0.37
# float32 tables with 1 - c‖x‖² >= 0.1, a mean over the batch.
TOLERANCE = 1e-5
TRAINED = ("hyperml", "hyperts", "cml", "mf_bpr")

BATCH = (
    np.array([0, 1, 1, 5, 3, 0, 2, 4], np.int32),
    np.array([0, 8, 2, 2, 7, 5, 1, 3], np.int32),
    np.array([4, 4, 6, 0, 1, 0, 8, 7], np.int32),
)


def make(key, dropout=0.0, seed=3, init_scale=0.5, **changes):
    own = {
        "hyperml": dict(c=C, margin=MARGIN, distortion_weight=WEIGHT),
        "hyperts": dict(c=C, margin=MARGIN, distortion_weight=WEIGHT),
        "cml": dict(margin=MARGIN),
        "mf_bpr": dict(l2=L2),
    }[key]
    options = dict(dim=DIM, init_scale=init_scale, dropout=dropout, seed=seed)
    return DEFINITIONS[key].model(USERS, ITEMS, **options | own | changes)


def rows(model):
    """Both tables in float64."""
    tables = model.user_table.table, model.item_table.table
    return [table.numpy().astype(np.float64) for table in tables]


def into_ball(x, c):
    """What dropout scaled out of the ball, pulled back to its rim."""
    norm = np.sqrt(c) * np.linalg.norm(x)
    return x if norm <= 1 - 1e-5 else x * (1 - 1e-5) / norm


def exp0(v, c):
    norm = np.sqrt(c) * np.linalg.norm(v)
    return v * np.tanh(norm) / norm if norm else v


def arcosh_distance(x, y, c):
    """Eq. 4 on √c times the points, divided by √c."""
    xx, yy, gap = c * x @ x, c * y @ y, c * (x - y) @ (x - y)
    return np.arccosh(1 + 2 * gap / ((1 - xx) * (1 - yy))) / np.sqrt(c)


def slow_score(key, u, v):
    if key == "cml":
        return -((u - v) @ (u - v))
    if key == "mf_bpr":
        return u @ v
    if key == "hyperts":
        u, v = exp0(u, C), exp0(v, C)
    return -arcosh_distance(into_ball(u, C), into_ball(v, C), C)


def slow_loss(key, u, v, w):
    """One triplet's total."""
    if key == "cml":
        return max(0.0, MARGIN + (u - v) @ (u - v) - (u - w) @ (u - w))
    if key == "mf_bpr":
        bpr = -np.log(1 / (1 + np.exp(-(u @ v - u @ w))))
        return bpr + L2 * (u @ u + v @ v + w @ w)
    if key == "hyperts":
        u, v, w = (exp0(x, C) for x in (u, v, w))
    u, v, w = (into_ball(x, C) for x in (u, v, w))
    near, far = arcosh_distance(u, v, C), arcosh_distance(u, w, C)
    distortion = sum(
        abs(d - np.linalg.norm(u - x)) / np.linalg.norm(u - x)
        for d, x in ((near, v), (far, w))
    )
    return max(0.0, MARGIN + near**2 - far**2) + WEIGHT * distortion


@pytest.mark.parametrize("key", TRAINED)
def test_score_equals_its_formula(key):
    model = make(key)
    users, items = rows(model)
    expected = [[slow_score(key, u, v) for v in items] for u in users]
    every_pair = np.arange(USERS)[:, None], np.arange(ITEMS)[None]
    np.testing.assert_allclose(model.score(*every_pair), expected, atol=TOLERANCE)
    one_by_one = model(every_pair)
    np.testing.assert_array_equal(one_by_one, model.score(*every_pair))


@pytest.mark.parametrize("key", TRAINED)
def test_train_loss_is_the_mean_of_its_formula(key):
    model = make(key)
    users, items = rows(model)
    triplets = zip(*BATCH, strict=True)
    losses = [slow_loss(key, users[i], items[j], items[k]) for i, j, k in triplets]
    terms = model.train_loss(*BATCH)
    assert tuple(terms) == model.terms
    assert float(terms["total"]) == pytest.approx(np.mean(losses), rel=TOLERANCE)


@pytest.mark.parametrize("key", TRAINED)
def test_train_loss_masks_each_row_of_a_triplet_once(key):
    # Scale 1: dropout takes rows out of the ball, which HyperML pulls back.
    model, step = make(key, dropout=0.5, init_scale=1.0), tf.constant(7, tf.int64)
    users, items = rows(model)
    user_mask = model.user_dropout(tf.ones([8, DIM]), step).numpy()
    item_mask = model.item_dropout(tf.ones([16, DIM]), step).numpy()
    assert {0.0, 2.0} == set(np.unique(user_mask)) == set(np.unique(item_mask))
    user = users[BATCH[0]] * user_mask  # serves both pairs
    item = np.concatenate([items[BATCH[1]], items[BATCH[2]]]) * item_mask
    losses = [
        slow_loss(key, *row) for row in zip(user, item[:8], item[8:], strict=True)
    ]
    masked = float(model.train_loss(*BATCH, step)["total"])
    # Points on the rim have 1 - c‖x‖² = 2e-5, of which float32 keeps 3e-3.
    tolerance = 3e-3 if key == "hyperml" else TOLERANCE
    assert masked == pytest.approx(np.mean(losses), rel=tolerance)
    assert masked != float(model.train_loss(*BATCH)["total"])
    assert masked != float(model.train_loss(*BATCH, step + 1)["total"])


@pytest.mark.parametrize("key", ["hyperml", "hyperts"])
def test_the_terms_of_the_objective_add_up(key):
    terms = make(key).train_loss(*BATCH)
    expected = float(terms["pull_push"]) + WEIGHT * float(terms["distortion"])
    assert float(terms["total"]) == pytest.approx(expected, rel=1e-6)
    assert float(terms["distortion"]) >= 2  # two pairs of at least 1 each


@pytest.mark.parametrize("key", TRAINED)
def test_score_all_orders_the_catalogue_as_score_does(key):
    model = make(key)
    users = np.arange(USERS)
    all_scores = model.score_all(users).numpy()
    scores = model.score(users[:, None], np.arange(ITEMS)[None]).numpy()
    assert all_scores.shape == (USERS, ITEMS) and all_scores.dtype == np.float64
    np.testing.assert_array_equal(np.argsort(all_scores), np.argsort(scores))
    if (points := model.retrieval_points()) is not None:
        gaps = points.measure.dissimilarity(points.users[:, None], points.items)
        np.testing.assert_array_equal(np.argsort(all_scores), np.argsort(-gaps))


def test_hyperts_ranks_points_at_the_rim_where_they_were_trained():
    model = make("hyperts")
    long_rows = model.item_table.table * 1000
    for dtype in (tf.float32, tf.float64):
        points = model.points(tf.cast(long_rows, dtype))
        reach = np.sqrt(C) * np.linalg.norm(points, axis=-1)
        np.testing.assert_allclose(reach, 1 - 1e-5, rtol=2e-7)


def test_hyperts_is_hyperml_on_the_mapped_points():
    tangent, ball = make("hyperts"), make("hyperml")
    for table, points in (
        (tangent.user_table, ball.user_table),
        (tangent.item_table, ball.item_table),
    ):
        points.table.assign(poincare.exp0(table.table, C))
    every_pair = np.arange(USERS)[:, None], np.arange(ITEMS)[None]
    scores = ball.score(*every_pair)
    np.testing.assert_allclose(tangent.score(*every_pair), scores, rtol=1e-5)
    for term, value in ball.train_loss(*BATCH).items():
        assert float(tangent.train_loss(*BATCH)[term]) == pytest.approx(
            float(value), rel=1e-5
        )


def test_hyperml_at_zero_curvature_is_cml_with_a_quarter_of_the_margin():
    step = tf.constant(5, tf.int64)
    flat = make("hyperml", dropout=0.5, c=0.0, distortion_weight=0.0)
    cml = make("cml", dropout=0.5, margin=MARGIN / 4)  # same seed: same rows and masks
    results = []
    for model in (flat, cml):
        with tf.GradientTape() as tape:
            loss = model.train_loss(*BATCH, step)["total"]
        tables = [model.user_table.table, model.item_table.table]
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, tables)]
        results.append((loss, gradients))
    (loss, gradients), (cml_loss, cml_gradients) = results
    np.testing.assert_allclose(loss, 4 * cml_loss, rtol=1e-6)
    for gradient, expected in zip(gradients, cml_gradients, strict=True):
        np.testing.assert_allclose(gradient, 4 * expected, atol=1e-6)
    users = np.arange(USERS)
    np.testing.assert_allclose(flat.score_all(users), cml.score_all(users), rtol=1e-12)


@pytest.mark.parametrize("key", TRAINED)
def test_equal_seeds_give_equal_models_and_users_and_items_differ(key):
    first, again, other = make(key), make(key), make(key, seed=4)
    for ours, theirs in zip(rows(first), rows(again), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(rows(first), rows(other), strict=True):
        assert np.all(ours != theirs)
    users, items = rows(first)
    assert np.all(users != items[:USERS])


def test_mf_bpr_stays_finite_for_a_difference_that_underflows_a_sigmoid():
    model = make("mf_bpr", l2=0.0)
    model.user_table.table.assign(tf.fill([USERS, DIM], 30.0))
    model.item_table.table.assign(
        tf.linspace(-30.0, 30.0, ITEMS)[:, None] * tf.ones(DIM)
    )
    one = [tf.constant([i]) for i in (0, 0, ITEMS - 1)]
    with tf.GradientTape() as tape:
        loss = model.train_loss(*one)["total"]
    gradient = tape.gradient(loss, model.user_table.table)
    assert float(loss) == pytest.approx(DIM * 30 * 60)  # softplus(t) = t for large t
    assert np.all(np.isfinite(gradient.values))


def test_popularity_scores_by_training_interactions(make_interactions):
    model = Popularity(3, 5)
    model.adapt(make_interactions([[0, 2], [2, 3], [2, 0]], 5))
    counts = [2, 0, 3, 1, 0]
    np.testing.assert_array_equal(model.score_all(np.arange(3)), [counts] * 3)
    items = np.array([[2, 1], [0, 4]])
    scores = model.score(np.array([[0], [2]]), items)
    np.testing.assert_array_equal(scores, [[3, 0], [2, 0]])


def test_the_initial_scale_of_metric_models_is_the_papers():
    assert metric_init_scale(64) == pytest.approx((3 * 0.01**2 / 128) ** (1 / 3))
    assert metric_init_scale(64) == pytest.approx(0.01328, abs=1e-5)


def test_cmls_norm_penalty_is_the_distortion_of_points_near_the_origin():
    # Distortion = 1 + p + O(‖·‖⁴): the gap, relative to p, goes with ‖·‖².
    gaps = []
    for radius in (0.3, 0.003):
        model = make("cml", init_scale=radius, norm_penalty=1.0)
        model.pull_push.margin = -1e6  # turns the hinge off
        users, items = rows(model)
        penalty = float(model.train_loss(*BATCH)["total"])
        user, pos, neg = users[BATCH[0]], items[BATCH[1]], items[BATCH[2]]
        exact = [
            float(oracle.distortion(oracle.exact(x), oracle.exact(y), 1.0))
            for other in (pos, neg)
            for x, y in zip(user, other, strict=True)
        ]
        flat = 2 * np.mean(exact) - 2
        gaps.append(abs(penalty - flat) / flat)
    assert gaps[0] < 1 and gaps[1] < 3e-4 * gaps[0]
