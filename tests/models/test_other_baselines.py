"""LRML, MLP, GMF, NCF and CML with rank weights against their formulas in NumPy."""

import numpy as np
import pytest

from hyperml_tf.models import GMF, LRML, MLP, NCF, CMLWarp

USERS, ITEMS, DIM, MARGIN = 5, 12, 4, 0.5
TOLERANCE = 1e-5  # float32 weights, sums of a few dozen terms of order 1
LAYERS = 3

USER = np.array([0, 1, 1, 4, 3, 0], np.int32)
POS = np.array([0, 8, 2, 11, 7, 5], np.int32)
NEG = np.array([4, 4, 6, 0, 1, 0], np.int32)
MANY = np.array(
    [[4, 3, 1], [4, 0, 11], [6, 6, 6], [0, 1, 2], [1, 10, 3], [9, 8, 1]], np.int32
)


def tables_of(*layers):
    return [layer.table.numpy().astype(np.float64) for layer in layers]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --- LRML ---------------------------------------------------------------------


@pytest.fixture
def lrml():
    return LRML(
        USERS, ITEMS, dim=DIM, init_scale=0.8, dropout=0.0, seed=2, margin=MARGIN,
        memory_size=3,
    )  # fmt: skip


def slow_relation(model, u, v):
    keys, memory = model.keys.numpy(), model.memory.numpy()
    weights = [
        np.exp(sum(u[d] * v[d] * keys[d, n] for d in range(DIM))) for n in range(3)
    ]
    return sum(w / sum(weights) * memory[n] for n, w in enumerate(weights))


def test_lrml_scores_by_its_formula(lrml):
    users, items = tables_of(lrml.user_table, lrml.item_table)
    got = lrml.score(USER, POS).numpy()
    for u, v, score in zip(users[USER], items[POS], got, strict=True):
        moved = u + slow_relation(lrml, u, v) - v
        assert score == pytest.approx(-(moved @ moved), rel=TOLERANCE)


def test_lrmls_positive_relation_serves_the_negative_pair_too(lrml):
    users, items = tables_of(lrml.user_table, lrml.item_table)
    losses = []
    for u, v, w in zip(users[USER], items[POS], items[NEG], strict=True):
        moved = u + slow_relation(lrml, u, v)
        hinge = MARGIN + np.sum((moved - v) ** 2) - np.sum((moved - w) ** 2)
        losses.append(max(0.0, hinge))
    total = lrml.train_loss(USER, POS, NEG)["total"].numpy()
    assert total == pytest.approx(np.mean(losses), rel=TOLERANCE)


# --- MLP, GMF, NCF --------------------------------------------------------------


def options(**more):
    return dict(
        dim=DIM,
        init_scale=0.7,
        dropout=0.0,
        dense_init="glorot",
        l2=0.0,
        seed=4,
        **more,
    )


def pointwise(kind):
    own = {} if kind is GMF else {"layers": LAYERS}
    model = kind(USERS, ITEMS, **options(**own))
    rng = np.random.default_rng(9)
    for weight in model.weights:
        if weight.shape.rank == 1:  # biases, which start at 0
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def slow_dense(layer, x):
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    return [
        sum(x[i] * kernel[i, j] for i in range(len(x))) + bias[j]
        for j in range(len(bias))
    ]


def slow_gmf(model, user, item):
    users, items = tables_of(*model.tables)
    return users[user] * items[item]


def slow_mlp(model, user, item):
    users, items = tables_of(*model.tables)
    hidden = [*users[user], *items[item]]
    for layer in model.pyramid:
        hidden = [max(0.0, h) for h in slow_dense(layer, hidden)]
    return np.array(hidden)


def slow_ncf(model, user, item):
    parts = slow_gmf(model.gmf, user, item), slow_mlp(model.mlp, user, item)
    return np.concatenate(parts)


SLOW = {GMF: slow_gmf, MLP: slow_mlp, NCF: slow_ncf}


def slow_logit(model, user, item):
    (logit,) = slow_dense(model.head, SLOW[type(model)](model, user, item))
    return logit


@pytest.mark.parametrize("kind", SLOW)
def test_pointwise_models_score_by_their_formula(kind):
    model = pointwise(kind)
    got = model.score(USER, POS).numpy()
    slow = [slow_logit(model, u, i) for u, i in zip(USER, POS, strict=True)]
    np.testing.assert_allclose(got, slow, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("negatives", [NEG, MANY], ids=["one", "three"])
@pytest.mark.parametrize("kind", SLOW)
def test_the_loss_is_the_cross_entropy_of_all_pairs(kind, negatives):
    model = pointwise(kind)
    entropies = []
    for row, user in enumerate(USER):
        entropies.append(-np.log(sigmoid(slow_logit(model, user, POS[row]))))
        for item in np.atleast_1d(negatives[row]):
            entropies.append(-np.log(1 - sigmoid(slow_logit(model, user, item))))
    total = model.train_loss(USER, POS, negatives)["total"].numpy()
    assert total == pytest.approx(np.mean(entropies), rel=TOLERANCE)


def test_the_pyramid_halves_its_layers():
    model = MLP(USERS, ITEMS, **options(layers=LAYERS))
    shapes = [tuple(layer.kernel.shape) for layer in model.pyramid]
    assert shapes == [(8, 4), (4, 2), (2, 1)]
    assert tuple(model.head.kernel.shape) == (1, 1)


def test_ncf_starts_from_its_parts_with_halved_heads():
    gmf, mlp, ncf = pointwise(GMF), pointwise(MLP), pointwise(NCF)
    ncf.start_from(gmf, mlp)
    expected = [
        0.5 * (slow_logit(gmf, u, i) + slow_logit(mlp, u, i))
        for u, i in zip(USER, POS, strict=True)
    ]
    got = ncf.score(USER, POS).numpy()
    np.testing.assert_allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE)


def test_the_papers_initialiser_bounds_the_kernels():
    model = MLP(USERS, ITEMS, **options(layers=LAYERS) | dict(dense_init="paper"))
    assert max(abs(layer.kernel.numpy()).max() for layer in model.pyramid) <= 0.7


@pytest.mark.parametrize("make", [lambda: pointwise(GMF), lambda: pointwise(NCF)])
def test_l2_adds_the_mean_squared_rows_of_a_pair(make):
    model = make()
    plain = model.train_loss(USER, POS, NEG)["total"].numpy()
    model.l2 = 0.125
    sides = (model.tables,) if isinstance(model, GMF) else (
        model.gmf.tables, model.mlp.tables,
    )  # fmt: skip
    squared = [
        sum(np.sum(t[0].table.numpy()[u] ** 2) + np.sum(t[1].table.numpy()[i] ** 2)
            for t in sides)
        for u, p, n in zip(USER, POS, NEG, strict=True) for i in (p, n)
    ]  # fmt: skip
    got = model.train_loss(USER, POS, NEG)["total"].numpy()
    assert got - plain == pytest.approx(0.125 * np.mean(squared), rel=1e-4)


# --- CML with rank weights ------------------------------------------------------


def test_cml_warp_weighs_the_nearest_negative_by_the_estimated_rank():
    model = CMLWarp(
        USERS, ITEMS, dim=DIM, init_scale=0.5, dropout=0.0, seed=6, margin=0.3
    )
    users, items = tables_of(model.user_table, model.item_table)
    losses = []
    for user, pos, negatives in zip(USER, POS, MANY, strict=True):
        near = np.sum((users[user] - items[pos]) ** 2)
        far = [np.sum((users[user] - items[k]) ** 2) for k in negatives]
        impostors = sum(0.3 + near - f > 0 for f in far)
        rank = int(ITEMS * impostors / len(negatives))
        losses.append(np.log(1 + rank) * max(0.0, 0.3 + near - min(far)))
    total = model.train_loss(USER, POS, MANY)["total"].numpy()
    assert 0 < total == pytest.approx(np.mean(losses), rel=TOLERANCE)


def test_cml_warp_takes_one_negative_as_the_sampler_gives_it():
    model = CMLWarp(
        USERS, ITEMS, dim=DIM, init_scale=0.5, dropout=0.0, seed=6, margin=0.3
    )
    total = model.train_loss(*model.arrange(USER, POS, MANY[:, 0]))["total"]
    assert total.numpy() == model.train_loss(USER, POS, MANY[:, :1])["total"].numpy()


# --- several negatives ------------------------------------------------------------


def test_each_of_several_negatives_makes_a_triplet(lrml):
    users, pos, neg = (part.numpy() for part in lrml.arrange(USER, POS, MANY))
    np.testing.assert_array_equal(users, np.repeat(USER, 3))
    np.testing.assert_array_equal(pos, np.repeat(POS, 3))
    np.testing.assert_array_equal(neg, MANY.ravel())


def test_the_hardest_negative_is_the_one_that_scores_highest(lrml):
    lrml.negative_choice = "hardest"
    *_, chosen = lrml.arrange(USER, POS, MANY)
    scores = lrml.score(USER[:, None], MANY).numpy()
    expected = MANY[np.arange(len(MANY)), scores.argmax(axis=1)]
    np.testing.assert_array_equal(chosen.numpy(), expected)


# --- the whole catalogue ----------------------------------------------------------


@pytest.mark.parametrize("kind", [LRML, *SLOW, CMLWarp])
def test_score_all_orders_the_catalogue_as_score_does(kind, lrml):
    model = lrml if kind is LRML else None
    if kind in SLOW:
        model = pointwise(kind)
    elif kind is CMLWarp:
        model = CMLWarp(
            USERS, ITEMS, dim=DIM, init_scale=0.5, dropout=0.0, seed=6, margin=0.3
        )
    users = np.arange(USERS, dtype=np.int32)
    pairs = model.score(users[:, None], np.arange(ITEMS)[None] + 0 * users[:, None])
    everything = model.score_all(users).numpy()
    assert everything.shape == (USERS, ITEMS) and everything.dtype == np.float64
    np.testing.assert_allclose(everything, pairs, atol=2e-5)


@pytest.mark.parametrize("kind", SLOW)
@pytest.mark.parametrize("shapes", [((4, 1), (3,)), ((4,), ()), ((1,), (2, 3))])
def test_pairs_are_broadcast_both_ways(kind, shapes):
    model = pointwise(kind)
    users, items = (np.arange(np.prod(s, dtype=int)).reshape(s) % 3 for s in shapes)
    both = np.broadcast_arrays(users, items)
    np.testing.assert_allclose(
        model.score(users, items), model.score(*both), rtol=TOLERANCE
    )
