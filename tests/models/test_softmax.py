"""SoftmaxRecommender against its formulas in NumPy, one pair after the other."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.models.mf_softmax import MFSoftmax
from hyperml_tf.models.softmax import SoftmaxRecommender
from hyperml_tf.optimizers import LazyAdam

USERS, ITEMS, DIM = 8, 20, 4
TOLERANCE = 2e-5  # float32 scores of the order of 10

CASES = {
    "sphere": dict(points="sphere"),
    "sphere of c = 2": dict(points="sphere", c=2.0, radius=0.5),
    "sphere, flat": dict(points="sphere", c=0.0, radius=1.5),
    "cosine": dict(points="sphere", similarity="dot", radius=1.0, temperature=0.3),
    "clipped": dict(points="clipped", radius=0.9),
    "tangent": dict(points="tangent", c=0.5),
    "ball": dict(points="ball"),
    "dot": dict(points="tangent", c=0.0, similarity="dot"),
}


def model_of(case, **more):
    options = (
        dict(init_scale=0.4, shared_negatives=6, seed=3, dim=DIM) | CASES[case] | more
    )
    return SoftmaxRecommender(USERS, ITEMS, **options)


def slow_point(model, row):
    row, norm = np.asarray(row, np.float64), np.linalg.norm(row)
    if model.place == "sphere":
        return model.radius * row / norm
    if model.place == "clipped":
        return model.radius * row
    if model.place == "ball" or model.c == 0:
        return row
    root = model.c**0.5
    return np.tanh(root * norm) / (root * norm) * row


def slow_score(model, u, v):
    """u·v or -d² by arcosh (Eq. 4), of rows of the tables."""
    u, v = slow_point(model, u), slow_point(model, v)
    if model.similarity == "dot":
        return u @ v
    gap = np.sum((u - v) ** 2)
    if not model.c:
        return -4 * gap
    a, b = 1 - model.c * u @ u, 1 - model.c * v @ v
    return -(np.arccosh(1 + 2 * model.c * gap / (a * b)) ** 2) / model.c


def slow_losses(model, users, pos, candidates, known=None, log_q=None):
    tables = model.user_table.table.numpy(), model.item_table.table.numpy()
    losses = []
    for user, item in zip(users, pos, strict=True):
        kept = [
            j for j in candidates if j != item and (not known or j not in known[user])
        ]
        exponents = [
            slow_score(model, tables[0][user], tables[1][j]) / model.softmax.temperature
            - (0 if log_q is None else log_q[j])
            for j in (item, *kept)
        ]
        shares = np.exp(exponents)
        losses.append(-np.log(shares[0] / shares.sum()))
    return np.array(losses)


USER = np.array([0, 1, 1, 7, 3], np.int32)
POS = np.array([0, 5, 2, 19, 7], np.int32)
CANDIDATES = np.array([4, 5, 5, 0, 11, 19], np.int32)  # some are positives, one twice


@pytest.mark.parametrize("case", CASES)
def test_the_loss_is_the_mean_of_minus_log_shares(case):
    model = model_of(case)
    got = model.loss_among(USER, POS, CANDIDATES)["softmax"]
    expected = slow_losses(model, USER, POS, CANDIDATES).mean()
    assert float(got) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_central_differences(case):
    model = model_of(case)
    table = model.item_table.table
    with tf.GradientTape() as tape:
        total = model.loss_among(USER, POS, CANDIDATES)["total"]
    got = tf.convert_to_tensor(tape.gradient(total, table)).numpy()
    start = table.numpy()
    for row, column in ((5, 0), (19, 2), (11, 1), (0, 3)):
        values = []
        for by in (1e-2, -1e-2):  # float32 losses; the error is O(1e-4)
            moved = start.copy()
            moved[row, column] += by
            table.assign(moved)
            values.append(slow_losses(model, USER, POS, CANDIDATES).mean())
        table.assign(start)
        difference = (values[0] - values[1]) / 2e-2
        assert got[row, column] == pytest.approx(difference, rel=5e-3, abs=1e-3)


def test_the_penalty_is_on_the_rows_looked_up():
    model = model_of("dot", l2=0.1)
    users, items = (t.table.numpy() for t in (model.user_table, model.item_table))
    terms = model.loss_among(USER, POS, CANDIDATES)
    squares = [np.sum(rows**2) / len(rows) for rows in (users[USER], items[POS])]
    squares.append(np.sum(items[CANDIDATES] ** 2) / len(CANDIDATES))
    expected = float(terms["softmax"]) + 0.1 * sum(squares)
    assert float(terms["total"]) == pytest.approx(expected, rel=TOLERANCE)


TRAIN = [[0, 4], [5, 2, 11], [1], [7, 19], [3], [2], [2], [19, 5, 0]]


def test_with_history_the_loss_is_that_of_the_rows_with_the_other_items(
    make_interactions,
):
    model = model_of("sphere", history=0.8, history_dropout=0.0)
    model.adapt(make_interactions(TRAIN, ITEMS))
    own, items = (t.table.numpy() for t in (model.user_table, model.item_table))
    # A user a pair, so that each row can be without the pair's own positive.
    rows = []
    for user, positive in zip(USER, POS, strict=True):
        others = [item for item in TRAIN[user] if item != positive]
        rows.append(own[user] + 0.8 * items[others].sum(axis=0) / len(others) ** 0.5)
    slow = model_of("sphere")
    slow.item_table.table.assign(items)
    slow.user_table.table.assign(np.concatenate([rows, own[len(rows) :]]))
    expected = slow.loss_among(np.arange(len(rows)), POS, CANDIDATES)["softmax"]
    got = model.loss_among(USER, POS, CANDIDATES)["softmax"]
    assert float(got) == pytest.approx(float(expected), rel=TOLERANCE)


def test_with_history_users_are_ranked_by_rows_with_all_their_items(make_interactions):
    model = model_of("sphere", history=0.8)
    with pytest.raises(ValueError, match="call adapt first"):
        model.score_all(USER)
    data = make_interactions(TRAIN, ITEMS)
    model.adapt(data)
    model.compile()
    model.fit(data.triplets(batch_size=4), epochs=1, verbose=0)
    own, items = (t.table.numpy() for t in (model.user_table, model.item_table))
    slow = model_of("sphere")
    slow.item_table.table.assign(items)
    slow.user_table.table.assign(
        [
            row + 0.8 * items[mine].sum(axis=0) / len(mine) ** 0.5
            for row, mine in zip(own, TRAIN, strict=True)
        ]
    )
    users = np.arange(len(TRAIN), dtype=np.int32)
    np.testing.assert_allclose(
        model.score_all(users), slow.score_all(users), rtol=1e-5, atol=1e-6
    )
    pairs = users[:, None], np.arange(4)[None]
    np.testing.assert_allclose(model.score(*pairs), slow.score(*pairs), rtol=1e-5)
    points, expected = model.retrieval_points(), slow.retrieval_points()
    np.testing.assert_allclose(points.users, expected.users, rtol=1e-5, atol=1e-6)


def test_known_items_are_masked_and_popular_ones_corrected(make_interactions):
    options = dict(mask_known=True, shared_sampler="popularity")
    model = model_of("sphere", **options)
    model.adapt(make_interactions(TRAIN, ITEMS))
    counts = np.bincount(np.concatenate(TRAIN), minlength=ITEMS)
    log_q = np.log(np.maximum(counts, 1) / counts.sum())
    got = model.loss_among(USER, POS, CANDIDATES)["softmax"]
    expected = slow_losses(model, USER, POS, CANDIDATES, TRAIN, log_q).mean()
    assert float(got) == pytest.approx(expected, rel=TOLERANCE)


def test_a_step_trains_among_the_candidates_of_its_number():
    model = model_of("sphere")
    losses = [float(model.train_loss(USER, POS, POS, step)["total"]) for step in (4, 5)]
    drawn = [model.shared.draw(step, POS).numpy() for step in (4, 5)]
    expected = [slow_losses(model, USER, POS, items).mean() for items in drawn]
    np.testing.assert_allclose(losses, expected, rtol=TOLERANCE)
    assert losses[0] != losses[1]


def test_a_step_moves_only_the_rows_of_its_batch():
    model = model_of("sphere")
    model.compile(LazyAdam(0.1))
    before = [weight.numpy() for weight in model.trainable_weights]
    drawn = model.shared.draw(0, POS).numpy()
    model.step(USER, POS, POS)
    for weight, old, rows in zip(
        model.trainable_weights, before, (set(USER), {*POS, *drawn}), strict=True
    ):
        moved = set(np.flatnonzero(np.any(weight.numpy() != old, axis=1)))
        assert moved == rows


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bias", [False, True])
def test_the_catalogue_is_ordered_as_pairs_score(case, bias, rng):
    model = model_of(case, item_bias=bias)
    if bias:
        model.item_biases.table.assign(rng.normal(size=(ITEMS, 1)))
    users = np.arange(USERS, dtype=np.int32)
    everything = model.score_all(users).numpy()
    pairs = model.score(users[:, None], np.arange(ITEMS)[None]).numpy()
    rows = [t.table.numpy() for t in (model.user_table, model.item_table)]
    formula = np.array([[slow_score(model, u, v) for v in rows[1]] for u in rows[0]])
    if bias:
        formula = formula + model.item_biases.table.numpy()[:, 0]
    order = np.argsort(formula, axis=1)
    for values in (everything, pairs):
        np.testing.assert_array_equal(np.argsort(values, axis=1), order)


def test_the_flat_twin_of_a_sphere_is_the_cosine_model():
    radius, temperature = 0.7, 1.2
    flat = model_of("sphere", c=0.0, radius=radius, temperature=temperature)
    cosine = model_of("cosine", temperature=temperature / (8 * radius**2))
    losses = [
        float(model.loss_among(USER, POS, CANDIDATES)["total"])
        for model in (flat, cosine)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=TOLERANCE)


@pytest.mark.parametrize(("cosine", "case"), [(True, "cosine"), (False, "dot")])
def test_softmax_mf_is_the_product_of_points_on_a_sphere_or_anywhere(cosine, case):
    options = dict(init_scale=0.4, shared_negatives=6, seed=3, dim=DIM)
    model = MFSoftmax(USERS, ITEMS, cosine=cosine, temperature=0.3, **options)
    same = model_of(case, temperature=0.3)
    losses = [m.loss_among(USER, POS, CANDIDATES)["total"] for m in (model, same)]
    assert float(losses[0]) == float(losses[1])
    again = MFSoftmax.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert (again.place, again.radius, again.c) == (model.place, 1.0, 0.0)
    with pytest.raises(TypeError, match="similarity"):
        MFSoftmax(USERS, ITEMS, similarity="distance")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": 1.0}, "radius must be above 0 and below 1/√c"),
        ({"c": 4.0, "radius": 0.5}, "radius must be above 0 and below 1/√c"),
        ({"similarity": "angle"}, "'angle' is not known; one of: distance, dot"),
        ({"points": "torus"}, "'torus' is not known; one of: sphere, clipped"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxRecommender(USERS, ITEMS, **options)


def test_config_makes_the_model_again():
    model = model_of("clipped", l2=0.1, mask_known=True)
    again = SoftmaxRecommender.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
