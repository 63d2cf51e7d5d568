"""The lift: nearest on the ball is greatest dot product."""

import numpy as np
import pytest

from hyperml_tf.geometry import lift
from tests import ball_oracle as oracle

BALLS = pytest.mark.parametrize("c", (0.0, *oracle.CURVATURES))
# Roundings of 1 - c‖v‖², of which the outermost point here (√c‖v‖ = 0.999) has 0.002.
TOLERANCE = 16 * np.finfo(np.float64).eps / 0.002


def crowd(c, rng, count):
    """Points with √c‖x‖ from 1e-7 to 0.999, half of them uniform, half at the rim."""
    radius = np.concatenate(
        [np.geomspace(1e-7, 0.99, count // 2), rng.uniform(0.98, 0.999, count // 2)]
    )
    scale = 1 / np.sqrt(c) if c else 1.0
    return scale * radius[:, None] * oracle.directions(rng, len(radius))


@BALLS
def test_query_and_item_vectors_equal_their_formulas(c, rng):
    u = crowd(c, rng, 20)

    def query(p, _):
        return [*p, oracle.dot(p, p), 1]

    def item(p, curvature):
        below = 1 - curvature * oracle.dot(p, p)
        return [*oracle.times(2 / below, p), -1 / below, -oracle.dot(p, p) / below]

    expected = oracle.over_rows(query, u, c=c)
    assert oracle.relative_error(lift.lift_query(u), expected).max() <= TOLERANCE
    expected = oracle.over_rows(item, u, c=c)
    assert oracle.relative_error(lift.lift_item(u, c), expected).max() <= TOLERANCE


@pytest.mark.parametrize("c", oracle.CURVATURES)
def test_products_order_the_items_as_their_distances_do(c, rng):
    users, items = crowd(c, rng, 12), crowd(c, rng, 120)
    products = lift.lift_query(users).numpy() @ lift.lift_item(items, c).numpy().T
    for user, product in zip(users, products, strict=True):
        every_user = np.tile(user, (len(items), 1))
        distances = oracle.over_rows(oracle.distance, every_user, items, c=c)
        np.testing.assert_array_equal(np.argsort(-product), np.argsort(distances))


def test_at_zero_curvature_products_order_the_items_as_euclidean_distances_do(rng):
    users, items = crowd(0.0, rng, 12), crowd(0.0, rng, 120)
    products = lift.lift_query(users).numpy() @ lift.lift_item(items, 0.0).numpy().T
    distances = np.linalg.norm(users[:, None] - items, axis=-1)
    np.testing.assert_array_equal(np.argsort(-products), np.argsort(distances))


@BALLS
def test_the_distance_comes_back_from_the_product(c, rng):
    users, items = crowd(c, rng, 40), np.roll(crowd(c, rng, 40), 11, axis=0)
    product = np.sum(lift.lift_query(users) * lift.lift_item(items, c), axis=1)
    expected = (
        oracle.over_rows(oracle.distance, users, items, c=c)
        if c
        else 2 * np.linalg.norm(users - items, axis=1)
    )
    gap = np.linalg.norm(users - items, axis=1)
    size = np.maximum(np.linalg.norm(users, axis=1), np.linalg.norm(items, axis=1))
    # ‖u-v‖² is a difference of squares here: digits go as (‖u‖/‖u-v‖)².
    tolerance = TOLERANCE * np.max((size / gap) ** 2)
    actual = lift.lifted_to_distance(product, users, c)
    assert oracle.relative_error(actual, expected).max() <= tolerance


@BALLS
def test_a_point_is_at_distance_zero_from_itself_up_to_the_lifts_rounding(c, rng):
    users = crowd(c, rng, 40)
    product = np.sum(lift.lift_query(users) * lift.lift_item(users, c), axis=1)
    size = np.linalg.norm(users, axis=1) * 2 / oracle.complement(users, c)
    actual = lift.lifted_to_distance(product, users, c).numpy()
    # The square root of a rounding: why near ties are re-scored (DESIGN §10).
    assert np.all(actual <= 16 * np.sqrt(np.finfo(np.float64).eps) * size)
