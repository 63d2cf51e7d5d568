"""The exact index gives the order of all float64 distances, wherever points lie."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.geometry.retrieval import InnerProduct
from hyperml_tf.geometry.spaces import Euclidean, PoincareBall
from hyperml_tf.models import HyperML
from hyperml_tf.serving import measure
from hyperml_tf.serving.catalogue import Catalogue, in_blocks
from hyperml_tf.serving.exact import ExactIndex
from tests.serving import oracle

K = 10
# √c‖x‖ of all points of a catalogue; the last is where projection leaves them.
RADII = (1e-7, 1e-4, 0.01, 0.3, 0.9, 0.999, 1 - 1e-5)
# Distances in float64 of float32 points, whose 1 - c‖x‖² is at least 2e-5.
TOLERANCE = 1e-9


def on_sphere(rng, count, dim, radius):
    x = rng.normal(size=(count, dim))
    return (radius * x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def ask(space, users, items, k=K, excluded=None):
    """Items and keys of the index, and the share of queries that it proves."""
    users = tf.constant(users, tf.float64)
    index = ExactIndex(Catalogue(space, tf.constant(items, tf.float64)), users)
    if excluded is None:
        excluded = np.full((len(users), 1), len(items))
    arguments = users, tf.constant(excluded, tf.int32), tf.constant(k)
    found, keys = index.top(*arguments)
    proven = index.attempt(*arguments)[2].numpy().mean()
    return found.numpy(), keys.numpy(), proven


def assert_true_order(found, values, k=K):
    """`found` are the k smallest of `values` [B, I], in order, ties aside."""
    assert all(len(set(row)) == k for row in found.tolist())
    mine = np.take_along_axis(values, found, axis=1)
    np.testing.assert_allclose(mine, np.sort(values)[:, :k], rtol=TOLERANCE)


@pytest.mark.parametrize("c", (1e-4, 1.0, 4.0))
@pytest.mark.parametrize("radius", RADII)
def test_order_on_a_sphere_of_any_radius_is_that_of_float64(c, radius, rng):
    points = on_sphere(rng, 2020, 16, radius / np.sqrt(c))
    users, items = points[:20], points[20:]
    found, _, proven = ask(PoincareBall(c), users, items)
    assert_true_order(found, oracle.ball_distance(users, items, c))
    assert proven == 1  # apart by their angles: float32 decides, no scan


@pytest.mark.parametrize("c", (0.0, 1.0))
def test_order_among_all_radii_at_once_is_that_of_float64(c, rng):
    points = np.concatenate([on_sphere(rng, 300, 16, radius) for radius in RADII])
    rng.shuffle(points)
    users, items = points[:60], points[60:]
    found, _, proven = ask(PoincareBall(c), users, items)
    assert_true_order(found, oracle.ball_distance(users, items, c))
    assert proven >= 0.5  # users at 1e-7 among items at 1e-7 … 1 need the scan


@pytest.mark.parametrize("spread, scanned", [(1e-2, 0), (1e-4, 1), (1e-6, 1)])
def test_items_crowding_one_place_of_the_rim_are_scanned_and_ordered(
    spread, scanned, rng
):
    place = on_sphere(rng, 1, 16, 1)
    crowd = place + spread * rng.normal(size=(2020, 16)) / 4
    crowd *= (1 - 1e-5) / np.linalg.norm(crowd, axis=1, keepdims=True)
    users, items = np.split(crowd.astype(np.float32), [20])
    found, _, proven = ask(PoincareBall(1.0), users, items)
    assert_true_order(found, oracle.ball_distance(users, items, 1.0))
    assert 1 - proven == scanned


def test_float64_points_far_out_are_ordered(rng):
    # HyperTS: tangent vectors of length 10 land at 1 - ‖x‖ = 4e-9.
    tangent = 10 * on_sphere(rng, 520, 16, 1).astype(np.float64)
    points = oracle.exp0(tangent, 1.0)
    found, _, _ = ask(PoincareBall(1.0), points[:20], points[20:])
    distances = oracle.ball_distance(points[:20], points[20:], 1.0)
    mine = np.take_along_axis(distances, found, axis=1)
    # 1 - ‖x‖² itself keeps eight digits here, in whatever order it is summed.
    np.testing.assert_allclose(mine, np.sort(distances)[:, :K], rtol=1e-8)


def test_distances_agree_with_the_formula(rng):
    points = np.concatenate([on_sphere(rng, 300, 16, radius) for radius in RADII])
    rng.shuffle(points)
    users, items = points[:60], points[60:]
    found, keys, _ = ask(PoincareBall(1.0), users, items)
    u = tf.constant(users[:, np.newaxis], tf.float64)
    shown = PoincareBall(1.0).values(tf.constant(keys), u)["distances"]
    expected = oracle.ball_distance(users, items, 1.0)
    expected = np.take_along_axis(expected, found, axis=1)
    np.testing.assert_allclose(shown, expected, rtol=TOLERANCE)


@pytest.mark.parametrize("size", (1e-15, 1.0, 1e15))
def test_inner_products_of_any_size_are_ordered(size, rng):
    users = size * rng.normal(size=(20, 16))
    items = rng.normal(size=(2000, 16))
    found, _, proven = ask(InnerProduct(), users, items)
    assert_true_order(found, -users @ items.T)
    assert proven == 1


def test_euclidean_neighbours_are_ordered(rng):
    points = rng.normal(size=(2020, 16)).astype(np.float32)
    users, items = points[:20], points[20:]
    found, keys, _ = ask(Euclidean(), users, items)
    gap = oracle.ball_distance(users, items, 0.0) / 2
    assert_true_order(found, gap)
    np.testing.assert_allclose(keys, np.sort(gap)[:, :K] ** 2, rtol=TOLERANCE)


@pytest.mark.parametrize("space", (PoincareBall(1.0), InnerProduct()))
def test_ties_go_to_the_lower_row_with_and_without_a_scan(space, rng):
    items = np.repeat(on_sphere(rng, 5, 16, 0.5), 100, axis=0)
    found, _, proven = ask(space, items[:1], items, k=150)
    assert proven == 0  # 100 equals straddle what is fetched
    assert found[0, :100].tolist() == list(range(100))
    assert np.all(np.diff(found[0, 100:]) > 0)


def test_a_zero_query_scores_all_alike_and_takes_the_first_rows(rng):
    found, _, _ = ask(InnerProduct(), np.zeros((1, 16)), rng.normal(size=(500, 16)))
    assert found[0].tolist() == list(range(K))


def test_excluded_items_never_come_back_and_the_rest_keep_their_order(rng):
    points = on_sphere(rng, 520, 16, 0.5)
    users, items = points[:20], points[20:]
    excluded = np.sort(rng.permuted(np.tile(np.arange(500), (20, 1)), axis=1)[:, :200])
    excluded[:10, 100:] = 500  # padding
    distances = oracle.ball_distance(users, items, 1.0)
    found, _, _ = ask(PoincareBall(1.0), users, items, excluded=excluded)
    padded = np.concatenate([distances, np.zeros((20, 1))], axis=1)
    np.put_along_axis(padded, excluded, np.inf, axis=1)
    assert_true_order(found, padded[:, :500])


def test_more_than_there_is_gives_all_and_marks_the_rest(rng):
    points = on_sphere(rng, 31, 16, 0.5)
    found, keys, _ = ask(
        PoincareBall(1.0), points[:1], points[1:], k=99, excluded=[[*range(25), 30]]
    )
    assert found.shape == (1, 30)
    assert set(found[0, :5]) == set(range(25, 30))
    assert np.all(found[0, 5:] == -1) and np.all(np.isinf(keys[0, 5:]))


@pytest.mark.parametrize("key", ["hyperml", "hyperts", "cml", "mf_bpr"])
def test_exactness_finds_nothing_to_report_and_everything_in_a_broken_index(
    key, models, monkeypatch
):
    line = measure.exactness(models[key], batch=16)
    assert (line["users"], line["lists_differing"], line["lists_wrong"]) == (40, 0, 0)
    assert line["exact_scanned_share"] == 0
    assert line["worst_relative_error"] <= 1e-12
    attempt = ExactIndex.attempt

    def backwards(*arguments):
        items, keys, proven = attempt(*arguments)
        return items[:, ::-1], 1.01 * keys, proven

    monkeypatch.setattr(ExactIndex, "attempt", backwards)
    line = measure.exactness(models[key], batch=16)
    assert line["lists_wrong"] == line["lists_differing"] == 40
    assert line["worst_relative_error"] > 1e-3


def test_exactness_counts_the_scans_where_items_crowd_the_rim(rng):
    model = HyperML(
        *(30, 2000), c=1.0, margin=0.5, distortion_weight=0.0,
        dim=8, init_scale=0.1, dropout=0.0, seed=0,
    )  # fmt: skip
    centre = on_sphere(rng, 1, 8, 0.999)
    crowd = centre + 1e-6 * rng.normal(size=(2030, 8))
    model.user_table.table.assign(crowd[:30])
    model.item_table.table.assign(crowd[30:])
    line = measure.exactness(model)
    assert line["exact_scanned_share"] == 1
    assert line["lists_wrong"] == 0
    assert line["worst_relative_error"] <= 1e-9


def test_exactness_of_a_model_without_an_index_is_refused(models):
    with pytest.raises(InputError, match="LRML has no index"):
        measure.exactness(models["lrml"])


@pytest.mark.parametrize("count, size", [(0, 4), (3, 4), (4, 4), (9, 4), (9, 1)])
def test_blocks_join_to_what_one_call_gives(count, size):
    def rows(start, stop):
        return {"row": tf.range(start, stop), "pair": tf.fill([stop - start, 2], 1.0)}

    joined = in_blocks(rows, tf.constant(count), tf.constant(size))
    assert joined["row"].numpy().tolist() == list(range(count))
    assert joined["pair"].shape == (count, 2)
