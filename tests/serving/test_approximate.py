"""ScaNN around shifted centres finds nearly all, and orders what it finds exactly."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.geometry.retrieval import InnerProduct
from hyperml_tf.geometry.spaces import Euclidean, PoincareBall
from hyperml_tf.serving import measure
from hyperml_tf.serving.catalogue import Catalogue
from tests.serving import oracle

pytest.importorskip("scann")
from hyperml_tf.serving.approximate import ScannIndex

QUERIES, ITEMS, K = 100, 8000, 10
MEASURES = {
    "ball": PoincareBall(1.0),
    "euclidean": Euclidean(),
    "product": InnerProduct(),
}


@pytest.fixture(scope="module")
def points():
    return measure.clustered_points(QUERIES, ITEMS, dim=16, seed=1)


@pytest.fixture(scope="module", params=MEASURES)
def index(request, points):
    users, items = (tf.constant(side, tf.float64) for side in points)
    return ScannIndex(Catalogue(MEASURES[request.param], items), users)


def keys_of(index, points):
    """What orders the items, from the formulas: [B, I]."""
    users, items = (side.astype(np.float64) for side in points)
    if isinstance(index.catalogue.measure, PoincareBall):
        return oracle.ball_distance(users, items, 1.0)
    if isinstance(index.catalogue.measure, Euclidean):
        return oracle.ball_distance(users, items, 0.0)
    return -users @ items.T


def ask(index, points, k, excluded=None):
    if excluded is None:
        excluded = np.full((QUERIES, 1), ITEMS)
    users = tf.constant(points[0], tf.float64)
    excluded = tf.constant(excluded, tf.int32)
    return index.top(users, excluded, tf.constant(k))[0].numpy()


def test_nearly_all_neighbours_are_found_in_their_true_order(index, points):
    keys = keys_of(index, points)
    truth = np.argsort(keys, axis=1)[:, :K]
    users = tf.constant(points[0], tf.float64)
    recalls = []
    # ScaNN draws its clusters anew for each index, so the mean of several.
    for each in (index, *(ScannIndex(index.catalogue, users) for _ in range(4))):
        found = ask(each, points, K)
        mine = np.take_along_axis(keys, found, axis=1)
        assert np.all(np.diff(mine, axis=1) >= 0)
        recalls += [np.isin(t, f).mean() for t, f in zip(truth, found, strict=True)]
    assert np.mean(recalls) >= 0.95


def test_what_the_candidates_cannot_answer_is_scanned(index, points):
    keys = keys_of(index, points)
    # More excluded than there are candidates: all but the 20 farthest.
    order = np.argsort(keys, axis=1)
    found = ask(index, points, K, np.sort(order[:, :-20], axis=1))
    np.testing.assert_array_equal(found, order[:, -20:-10])
    everything = ask(index, points, ITEMS + 5)
    assert everything.shape == (QUERIES, ITEMS)
    assert np.array_equal(np.sort(everything[0]), np.arange(ITEMS))


def test_clustered_points_reach_from_the_centre_to_the_rim(points):
    users, items = points
    assert users.shape == (QUERIES, 16) and items.dtype == np.float32
    factor = 1 / (1 - np.linalg.norm(items.astype(np.float64), axis=1) ** 2)
    assert factor.min() < 1.3 and factor.max() > 10


def test_few_items_are_refused_with_the_remedy(points):
    few = Catalogue(PoincareBall(1.0), tf.constant(points[1][:999], tf.float64))
    with pytest.raises(InputError, match="999 items are too few"):
        ScannIndex(few, tf.constant(points[0], tf.float64))


@pytest.mark.slow
def test_the_measurements_run(points):
    line = measure.retrieval(items=3000, dim=16, queries=200, batch=50)
    assert line["scann_recall10"] >= 0.95
    assert 0 <= line["exact_scanned_share"] <= 1
    line = measure.retrieval_by_product(items=3000, dim=16, queries=200, batch=50)
    assert line["scann_recall10"] >= 0.95 and line["name"] == "retrieval_product"
    for index in ("exact", "scann"):
        made = measure.export(items=3000, dim=16, index=index)
        assert made["name"] == f"export_{index}" and made["megabytes"] > 0.1
        line = measure.latency(items=3000, dim=16, calls=50, index=index)
        assert 0 < line["p50_ms"] <= line["p99_ms"]
