"""Scores with offsets of items: exact lists equal the sort of all float64 scores."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry.offsets import OffsetBall, OffsetProduct, with_offsets
from hyperml_tf.serving import exact, measure
from hyperml_tf.serving.catalogue import Catalogue
from tests.serving import oracle

K, USERS, ITEMS, DIM = 10, 20, 1500, 8
RADII = (1e-4, 0.05, 0.3, 0.9, 0.999, 1 - 1e-5)


def slow_keys(u, v, offsets, c):
    """d² - o in NumPy, [B, I]."""
    return oracle.ball_distance(u, v, c) ** 2 - offsets


def of_the_product(v, c):
    """d_c(0, v)², the offset of Hyperbolic MF without biases."""
    return oracle.ball_distance(np.zeros((1, v.shape[1])), v, c)[0] ** 2


def points(rng, count, radius, c):
    x = rng.normal(size=(count, DIM))
    x *= radius / np.linalg.norm(x, axis=1, keepdims=True)
    return (x / np.sqrt(c or 1.0)).astype(np.float32).astype(np.float64)


def ask(ball, u, v, offsets, k=K, excluded=None, mask=None):
    """Items, keys and the share proven by the index of these points."""
    u = with_offsets(tf.constant(u))
    catalogue = Catalogue(ball, with_offsets(tf.constant(v), tf.constant(offsets)))
    index = exact.ExactIndex(catalogue, u)
    if excluded is None:
        excluded = np.full((len(u), 1), len(v))
    arguments = u, tf.constant(excluded, tf.int32), tf.constant(k)
    items, keys, proven = index.attempt(*arguments, mask)
    items, keys = catalogue.scan_unless(proven, *arguments[:2], items, keys, mask)
    return items.numpy(), keys.numpy(), proven.numpy().mean()


def assert_best(found, keys, slow, size=0.0, k=K):
    """The k smallest of `slow`, in order; what is equal to rounding may swap.

    `size` is that of the numbers of which keys are differences.
    """
    assert all(len(set(row)) == k for row in found.tolist())
    near = 1e-11 * (size + np.abs(slow).max(axis=1, keepdims=True))
    mine = np.take_along_axis(slow, found, axis=1)
    best = np.argsort(slow, axis=1, kind="stable")[:, :k]
    best_keys = np.take_along_axis(slow, best, axis=1)
    assert np.all(np.abs(mine - best_keys) <= near)
    assert np.all(np.abs(keys - mine) <= near)
    apart = np.all(np.diff(np.sort(slow)[:, : k + 1]) > 2 * near, axis=1)
    np.testing.assert_array_equal(found[apart], best[apart])
    return apart.mean()


@pytest.mark.parametrize("offset", ["product", "product and biases", "biases"])
@pytest.mark.parametrize("radius", [*RADII, "all"])
@pytest.mark.parametrize("c", [0.0, 1e-3, 1.0, 4.0])
def test_lists_are_those_of_the_slow_oracle(c, radius, offset, rng, monkeypatch):
    monkeypatch.setattr(exact, "_BLOCK", 400)  # several, and the last is filled up
    radii = RADII if radius == "all" else [radius]
    each = -(-(USERS + ITEMS) // len(radii))
    drawn = np.concatenate([points(rng, each, r, c) for r in radii])
    rng.shuffle(drawn)
    u, v = drawn[:USERS], drawn[USERS : USERS + ITEMS]
    offsets = of_the_product(v, c) if offset.startswith("product") else np.zeros(ITEMS)
    if offset.endswith("biases"):
        offsets = offsets + rng.normal(scale=0.3, size=ITEMS)
    found, keys, _ = ask(OffsetBall(c, 0.5), u, v, offsets)
    apart = assert_best(found, keys, slow_keys(u, v, offsets, c), np.abs(offsets).max())
    # Elsewhere offsets of far items are so large that rounding makes ties of near ones.
    assert apart > 0.9 or radius in (1e-4, "all") or c == 1e-3


@pytest.mark.parametrize("c", [1e-3, 0.37, 1.0, 4.0])
@pytest.mark.parametrize("radius", [0.05, 0.3, 0.6, 0.9])
def test_usual_points_are_proven_without_a_scan(c, radius, rng):
    u, v = points(rng, USERS, radius, c), points(rng, ITEMS, 1.0, c)
    v *= rng.uniform(0.2, 1, size=(ITEMS, 1)) * radius
    offsets = of_the_product(v, c)
    found, keys, proven = ask(OffsetBall(c, 0.5), u, v, offsets)
    assert_best(found, keys, slow_keys(u, v, offsets, c), np.abs(offsets).max())
    assert proven == 1


@pytest.mark.parametrize("c", [0.0, 1.0])
def test_bounds_are_above_every_score_and_close(c, rng):
    ball = OffsetBall(1.0, 0.5)
    products = -np.concatenate([10 ** rng.uniform(-12, 11, 20_000), [0.0]])
    single = products.astype(np.float32)
    d2 = 4 * np.arcsinh(np.sqrt(-single.astype(np.float64))) ** 2
    offsets = rng.normal(size=len(d2)) * d2 * (c + 0.5)
    items = tf.constant(np.stack([offsets, offsets], axis=1))
    bounds = ball.upper_bounds(tf.constant(single), ball.upper_offsets(items))
    gap = bounds.numpy().astype(np.float64) - (offsets - d2)
    assert np.all(gap >= 0)
    assert np.all(gap <= 5e-6 * (np.abs(offsets) + d2))


def test_ties_go_to_the_lower_row_with_and_without_a_scan(rng):
    v = np.repeat(points(rng, 5, 0.5, 1.0), 100, axis=0)
    offsets = of_the_product(v, 1.0)
    found, _, proven = ask(OffsetBall(1.0, 0.5), v[:1], v, offsets, k=150)
    assert proven == 0  # 100 equals straddle what is fetched
    slow = slow_keys(v[:1], v, offsets, 1.0)
    np.testing.assert_array_equal(np.diff(found[0]) > 0, np.diff(found[0]) != -99)
    first = np.argsort(np.round(slow, 9), axis=1, kind="stable")[:, :150]
    np.testing.assert_array_equal(found, first)


def test_excluded_and_masked_items_never_come_back(rng):
    u, v = points(rng, USERS, 0.6, 1.0), points(rng, ITEMS, 0.5, 1.0)
    offsets = of_the_product(v, 1.0)
    excluded = np.sort(
        rng.permuted(np.tile(np.arange(ITEMS), (USERS, 1)), axis=1)[:, :99]
    )
    mask = rng.random((USERS, ITEMS)) < 0.3
    slow = slow_keys(u, v, offsets, 1.0)
    out = slow.copy()
    np.put_along_axis(out, excluded, 1e6, axis=1)
    found, _, _ = ask(OffsetBall(1.0, 0.5), u, v, offsets, excluded=excluded)
    np.testing.assert_array_equal(found, np.argsort(out, axis=1)[:, :K])
    out[~mask] = 1e6
    found, _, _ = ask(
        OffsetBall(1.0, 0.5), u, v, offsets, excluded=excluded, mask=tf.constant(mask)
    )
    np.testing.assert_array_equal(found, np.argsort(out, axis=1)[:, :K])


def test_more_than_there_is_gives_all_and_marks_the_rest(rng):
    u, v = points(rng, 1, 0.6, 1.0), points(rng, 30, 0.5, 1.0)
    ball = OffsetBall(1.0, 0.5)
    offsets = of_the_product(v, 1.0)
    found, keys, _ = ask(ball, u, v, offsets, k=99, excluded=[[*range(25), 30]])
    assert found.shape == (1, 30)
    assert set(found[0, :5]) == set(range(25, 30))
    assert np.all(found[0, 5:] == -1) and np.all(np.isinf(keys[0, 5:]))


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_products_with_biases_of_any_size_are_ordered(size, rng):
    u, v = rng.normal(size=(USERS, DIM)), rng.normal(size=(ITEMS, DIM))
    biases = size * rng.normal(size=ITEMS)
    found, keys, _ = ask(OffsetProduct(), u, v, biases)
    assert_best(found, keys, -u @ v.T - biases)


@pytest.mark.parametrize("c", [0.0, 0.37, 1.0, 4.0])
def test_the_tangent_plane_touches_the_score(c, rng):
    """At the item that it was taken at, in value's changes and in both slopes."""
    ball = OffsetBall(c, 0.5)
    u, v = points(rng, 1, 0.7, c), points(rng, 1, 0.6, c)
    near = v + 1e-4 * rng.normal(size=(200, DIM)) / np.sqrt(c or 1)
    near = np.concatenate([v, near])
    rows = with_offsets(tf.constant(near), tf.constant(rng.normal(size=201)))
    query = with_offsets(tf.constant(u))
    reach = ball.reach(query, rows[:1])[:, 0]
    plane = tf.linalg.matvec(ball.search_items(rows), ball.centre(query, reach)[0])
    score = -2 * ball.dissimilarity(query, rows)
    drift = (plane - score).numpy()
    change = np.ptp((score - rows[:, -1]).numpy())
    assert np.ptp(drift) <= 1e-3 * change


@pytest.mark.parametrize("biased", [False, True])
def test_scann_finds_nearly_all_and_orders_it_exactly(biased, rng):
    pytest.importorskip("scann")
    from hyperml_tf.serving.approximate import ScannIndex

    far = measure.FAR_OF_PRODUCT
    u, v = measure.clustered_points(100, 8000, dim=16, seed=1, far=far)
    u, v = u.astype(np.float64), v.astype(np.float64)
    offsets = of_the_product(v, 1.0)
    if biased:
        offsets = rng.normal(scale=0.3, size=8000)
    users = with_offsets(tf.constant(u))
    rows = with_offsets(tf.constant(v), tf.constant(offsets))
    index = ScannIndex(Catalogue(OffsetBall(1.0, 0.5), rows), users)
    nothing = tf.fill([100, 1], 8000)
    found = index.top(users, nothing, tf.constant(K))[0].numpy()
    slow = slow_keys(u, v, offsets, 1.0)
    truth = np.argsort(slow, axis=1)[:, :K]
    assert np.all(np.diff(np.take_along_axis(slow, found, axis=1)) >= -1e-9)
    pairs = zip(truth, found, strict=True)
    assert np.mean([np.isin(t, f).mean() for t, f in pairs]) >= 0.95


@pytest.mark.parametrize("key", ["hyperbolic_mf", "biased", "biased_cml"])
def test_exactness_of_models_with_offsets(key, models):
    line = measure.exactness(models[key], batch=16)
    assert (line["users"], line["lists_differing"], line["lists_wrong"]) == (40, 0, 0)
