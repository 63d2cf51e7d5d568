"""The algebraic laws of the Möbius gyrovector space, and the limits c → 0.

Laws compose functions, so errors add up: in a law over points with the complements
1 - c‖·‖² = a, b … a rounding grows by at most 1/(ab…). Points reach √c‖x‖ = 0.9, where
that is 28 for two points and 750 for four; the tolerances are 20 roundings of it.
"""

import numpy as np
import pytest

from hyperml_tf.geometry import poincare
from tests import ball_oracle as oracle

TWO_POINTS = {"float32": 7e-5, "float64": 1.3e-13}
FOUR_POINTS = {"float32": 2e-3, "float64": 3.4e-12}
LAW = pytest.mark.parametrize("dtype", oracle.DTYPES)
BALLS = pytest.mark.parametrize("c", (0.0, *oracle.CURVATURES))


def points(c, dtype, count, rng, reach=0.9):
    """`count` arrays of 200 points with √c‖x‖ log-spaced from 1e-7 to `reach`."""
    scale = 1 / np.sqrt(c) if c else 1.0
    result = []
    for _ in range(count):
        radius = rng.permutation(np.geomspace(1e-7, reach, 200))[:, None]
        result.append((scale * radius * oracle.directions(rng, 200)).astype(dtype))
    return result


def assert_close(actual, expected, tolerance):
    """Relative to the norm of `expected`, row by row."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    assert oracle.relative_error(actual, expected).max() <= tolerance


def assert_close_beside(actual, expected, *largest, tolerance):
    """As `assert_close`, relative to the largest of several points."""
    gap = np.linalg.norm(np.asarray(actual, float) - expected, axis=-1)
    sizes = [np.linalg.norm(np.asarray(p, float), axis=-1) for p in largest]
    assert np.max(gap / np.max(sizes, axis=0)) <= tolerance


@LAW
@BALLS
def test_zero_is_the_neutral_element_on_both_sides(c, dtype, rng):
    (x,) = points(c, dtype, 1, rng)
    zero = np.zeros_like(x)
    assert_close(poincare.mobius_add(x, zero, c), x, TWO_POINTS[dtype])
    assert_close(poincare.mobius_add(zero, x, c), x, TWO_POINTS[dtype])


@LAW
@BALLS
def test_minus_x_is_the_inverse_of_x(c, dtype, rng):
    (x,) = points(c, dtype, 1, rng)
    np.testing.assert_array_equal(poincare.mobius_add(-x, x, c), np.zeros_like(x))


@LAW
@BALLS
def test_left_cancellation(c, dtype, rng):
    x, y = points(c, dtype, 2, rng)
    back = poincare.mobius_add(-x, poincare.mobius_add(x, y, c), c)
    assert_close_beside(back, y, x, y, tolerance=TWO_POINTS[dtype])


@LAW
@BALLS
def test_distance_is_symmetric(c, dtype, rng):
    x, y = points(c, dtype, 2, rng)
    there, back = poincare.distance(x, y, c), poincare.distance(y, x, c)
    np.testing.assert_array_equal(there, back)


@LAW
@BALLS
def test_distance_obeys_the_triangle_inequality(c, dtype, rng):
    x, y, z = (p.copy() for p in points(c, dtype, 3, rng))
    x[:50], y[:50], z[:50] = (r * x[:50] for r in (0.1, 0.5, 0.9))  # on one geodesic
    direct = poincare.distance(x, z, c).numpy()
    detour = (poincare.distance(x, y, c) + poincare.distance(y, z, c)).numpy()
    assert np.all(direct <= detour * (1 + TWO_POINTS[dtype]))
    np.testing.assert_allclose(direct[:50], detour[:50], rtol=TWO_POINTS[dtype])


@LAW
@BALLS
def test_distance_is_invariant_under_left_translation(c, dtype, rng):
    a, x, y = points(c, dtype, 3, rng)
    moved = poincare.distance(
        poincare.mobius_add(a, x, c), poincare.mobius_add(a, y, c), c
    )
    stayed = poincare.distance(x, y, c).numpy()
    # The moved points are rounded relative to a, however short x and y are.
    unit = 1 / np.sqrt(c) if c else 1.0
    gap = np.abs(moved - stayed) / np.maximum(stayed, unit)
    assert gap.max() <= FOUR_POINTS[dtype]


@LAW
@BALLS
def test_distance_is_the_length_of_the_gyrovector_between(c, dtype, rng):
    x, y = points(c, dtype, 2, rng)
    zero = np.zeros_like(x)
    between = poincare.mobius_add(-x, y, c)
    length = poincare.distance(zero, between, c)
    assert_close(length, poincare.distance(x, y, c), FOUR_POINTS[dtype])


@LAW
@pytest.mark.parametrize("c", oracle.CURVATURES)
def test_distance_from_the_origin_is_twice_artanh_of_the_radius(c, dtype, rng):
    (x,) = points(c, dtype, 1, rng)
    root = np.sqrt(oracle.rounded(c, dtype))
    radius = np.linalg.norm(x.astype(np.float64), axis=1)
    expected = 2 / root * np.arctanh(root * radius)
    actual = poincare.distance(np.zeros_like(x), x, c)
    assert_close(actual, expected, TWO_POINTS[dtype])


@LAW
@BALLS
def test_exp0_and_log0_undo_each_other(c, dtype, rng):
    (x,) = points(c, dtype, 1, rng)
    assert_close(poincare.exp0(poincare.log0(x, c), c), x, TWO_POINTS[dtype])
    assert_close(poincare.log0(poincare.exp0(x, c), c), x, TWO_POINTS[dtype])


@LAW
@BALLS
def test_exp_map_and_log_map_undo_each_other(c, dtype, rng):
    x, y = points(c, dtype, 2, rng)
    there = poincare.exp_map(x, poincare.log_map(x, y, c), c)
    assert_close_beside(there, y, x, y, tolerance=FOUR_POINTS[dtype])
    v = poincare.riemannian_gradient(x, 4 * y, c).numpy()  # any tangent of fair length
    back = poincare.log_map(x, poincare.exp_map(x, v, c), c)
    assert_close_beside(back, v, x, v, tolerance=FOUR_POINTS[dtype])


@LAW
@BALLS
def test_log_map_has_the_length_of_the_distance_in_the_metric_at_x(c, dtype, rng):
    x, y = points(c, dtype, 2, rng)
    tangent = np.linalg.norm(poincare.log_map(x, y, c).numpy(), axis=1)
    length = poincare.conformal_factor(x, c).numpy() * tangent
    assert_close(length, poincare.distance(x, y, c), TWO_POINTS[dtype])


@LAW
@BALLS
def test_maps_at_x_equal_zero_are_the_maps_at_the_origin(c, dtype, rng):
    (y,) = points(c, dtype, 1, rng)
    zero, at_zero = np.zeros_like(y), TWO_POINTS[dtype]
    assert_close(poincare.exp_map(zero, y, c), poincare.exp0(y, c), at_zero)
    assert_close(poincare.log_map(zero, y, c), poincare.log0(y, c), at_zero)


@LAW
@BALLS
def test_scalar_multiplication_is_distributive_and_associative(c, dtype, rng):
    (x,) = points(c, dtype, 1, rng, reach=0.5)
    r, s = 1.25, -0.75  # the points reach 2 artanh 0.5 · 1.25 = 1.4 from the origin
    mul, tolerance = poincare.mobius_scalar_mul, FOUR_POINTS[dtype]
    split = poincare.mobius_add(mul(r, x, c), mul(s, x, c), c)
    assert_close(split, mul(r + s, x, c), tolerance)
    assert_close(mul(r, mul(s, x, c), c), mul(r * s, x, c), tolerance)
    assert_close(mul(1.0, x, c), x, tolerance)
    assert_close(mul(2.0, x, c), poincare.mobius_add(x, x, c), tolerance)


@LAW
@BALLS
def test_scalar_multiplication_scales_the_distance_from_the_origin(c, dtype, rng):
    (x,) = points(c, dtype, 1, rng, reach=0.5)
    factors = rng.uniform(-2, 2, len(x)).astype(dtype)
    zero = np.zeros_like(x)
    actual = poincare.distance(zero, poincare.mobius_scalar_mul(factors, x, c), c)
    expected = np.abs(factors) * poincare.distance(zero, x, c).numpy()
    assert_close(actual, expected, FOUR_POINTS[dtype])


@LAW
@BALLS
def test_distortion_is_at_least_one_and_tends_to_the_conformal_factor(c, dtype, rng):
    x, y = points(c, dtype, 2, rng)
    at_least = 1 - 4 * np.finfo(dtype).eps  # 2/√(ab) - 1 is rounded
    assert np.all(poincare.distortion(x, y, c).numpy() >= at_least)
    limit = 2 / oracle.complement(x, oracle.rounded(c, dtype)) - 1
    assert_close(poincare.distortion(x, x, c), limit, TWO_POINTS[dtype])


@pytest.mark.parametrize("c", [1e-4, 1e-6, 1e-8])
def test_every_operation_tends_to_the_euclidean_one_in_proportion_to_c(c, rng):
    x, y = points(0.0, "float64", 2, rng, reach=0.9)
    gap = np.linalg.norm(x - y, axis=1)
    # The first term of every expansion in c has a coefficient below 8 for norms < 1.
    assert_close(poincare.distance(x, y, c), 2 * gap, 8 * c)
    assert_close(poincare.distortion(x, y, c), np.ones(len(x)), 8 * c)
    assert_close_beside(poincare.mobius_add(x, y, c), x + y, x, y, tolerance=8 * c)
    assert_close_beside(poincare.exp_map(x, y, c), x + y, x, y, tolerance=8 * c)
    assert_close_beside(poincare.log_map(x, y, c), y - x, x, y, tolerance=8 * c)
    assert_close(poincare.exp0(x, c), x, 8 * c)
    assert_close(poincare.log0(x, c), x, 8 * c)
    assert_close(poincare.mobius_scalar_mul(1.5, x, c), 1.5 * x, 8 * c)


@LAW
@BALLS
def test_scaling_the_points_by_the_root_of_c_turns_the_ball_into_the_unit_ball(
    c, dtype, rng
):
    c = c or 0.25
    x, y = points(c, dtype, 2, rng)
    root = np.sqrt(np.asarray(oracle.rounded(c, dtype)))
    big_x, big_y = (root * x).astype(dtype), (root * y).astype(dtype)
    unit = poincare.distance(big_x, big_y, 1.0)
    scaled = root * poincare.distance(x, y, c).numpy()
    # Scaling rounds each point, which is a part 1e-7 of its distance to the other.
    gap = np.linalg.norm(big_x.astype(float) - big_y, axis=1)
    far = gap > 0.1 * np.maximum(*(np.linalg.norm(p, axis=1) for p in (big_x, big_y)))
    assert_close(unit[far], scaled[far], TWO_POINTS[dtype])
