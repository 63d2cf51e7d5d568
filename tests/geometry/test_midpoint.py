"""The gyromidpoint against the hyperboloid's centroid, by mpmath at 50 digits."""

import mpmath
import numpy as np
import pytest

from hyperml_tf.geometry import poincare
from hyperml_tf.geometry.midpoint import gyromidpoint, mean
from tests import ball_oracle as oracle

CURVED = pytest.mark.parametrize("c", oracle.CURVATURES)
# Roundings of 1 - c‖x‖², of which the outermost point here (√c‖x‖ = 0.999) has 0.002.
TOLERANCE = 16 * np.finfo(np.float64).eps / 0.002


def bag(c, rng, count):
    """`count` points with √c‖x‖ from 0.001 to 0.999, and their weights."""
    radius = rng.choice([1e-3, 0.1, 0.5, 0.9, 0.999], size=count) / np.sqrt(c or 1)
    return radius[:, None] * oracle.directions(rng, count), rng.uniform(0, 2, count)


def centroid(points, weights, c):
    """Σ w_i X_i, scaled back to the hyperboloid and projected to the ball.

    X = ((1 + c‖x‖²)/√c, 2x)/(1 - c‖x‖²), of which -c(-X_0² + ‖X_1..D‖²) = 1.
    """
    c = mpmath.mpf(c)
    time, space = mpmath.mpf(0), [mpmath.mpf(0)] * points.shape[1]
    for weight, row in zip(oracle.exact(weights), points, strict=True):
        x = oracle.exact(row)
        below = 1 - c * oracle.dot(x, x)
        time += weight * (1 + c * oracle.dot(x, x)) / (mpmath.sqrt(c) * below)
        space = [s + weight * 2 * a / below for s, a in zip(space, x, strict=True)]
    length = mpmath.sqrt(c * (time**2 - oracle.dot(space, space)))
    return [s / (length + mpmath.sqrt(c) * time) for s in space]


@CURVED
@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_it_is_the_hyperboloids_centroid(c, count, rng):
    for _ in range(5):
        points, weights = bag(c, rng, count)
        expected = np.array([centroid(points, weights, c)], np.float64)
        actual = gyromidpoint(points, weights, c).numpy()[None]
        assert oracle.relative_error(actual, expected).max() <= TOLERANCE


@CURVED
def test_of_two_points_it_is_halfway_on_the_geodesic(c, rng):
    points, _ = bag(c, rng, 2)
    middle = gyromidpoint(points, np.ones(2), c).numpy()
    whole, first, second = (
        float(oracle.distance(oracle.exact(a), oracle.exact(b), mpmath.mpf(c)))
        for a, b in (points, (points[0], middle), (middle, points[1]))
    )
    assert first == pytest.approx(whole / 2, rel=1e-9)
    assert second == pytest.approx(whole / 2, rel=1e-9)


@CURVED
def test_it_moves_with_its_points_under_left_translation(c, rng):
    points, weights = bag(c, rng, 6)
    points *= 0.9
    (by,) = 0.6 * oracle.directions(rng, 1) / np.sqrt(c)
    moved = gyromidpoint(poincare.mobius_add(by, points, c), weights, c)
    expected = poincare.mobius_add(by, gyromidpoint(points, weights, c), c)
    np.testing.assert_allclose(moved, expected, rtol=1e-7, atol=1e-9 / np.sqrt(c))


def test_in_flat_space_it_is_the_mean(rng):
    points, weights = bag(0.0, rng, 7)
    expected = np.average(points, axis=0, weights=weights)
    np.testing.assert_allclose(gyromidpoint(points, weights, 0.0), expected, rtol=1e-12)
    np.testing.assert_allclose(mean(points, weights), expected, rtol=1e-12)
    points /= 2
    nearly = gyromidpoint(points, weights, 1e-9)
    np.testing.assert_allclose(nearly, expected / 2, rtol=1e-6)


@pytest.mark.parametrize("dtype", oracle.DTYPES)
def test_points_on_the_rim_have_a_middle_inside_the_ball(dtype, rng):
    points = poincare.project(oracle.directions(rng, 50).astype(dtype))
    for some in (points[:1], points[:2], points):
        middle = gyromidpoint(some, np.ones(len(some)), 1.0).numpy()
        assert np.isfinite(middle).all() and np.linalg.norm(middle) < 1


@pytest.mark.parametrize("function", [mean, lambda x, w: gyromidpoint(x, w, 1.0)])
def test_nothing_lies_at_the_origin(function):
    points = np.full((2, 3, 4), 0.1)
    weights = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(function(points, weights), [[0] * 4, [0.1] * 4])
