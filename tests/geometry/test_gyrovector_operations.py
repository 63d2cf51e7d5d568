"""Every other function of `poincare` against its printed formula at 50 digits.

The tolerance is a count of roundings. Each function is a chain of some ten operations,
off by eps/2 each, on 1 - c‖x‖², whose own relative error is the rounding of c‖x‖²
divided by it. So an error may be ROUNDINGS · eps · (1/a + 1/b), where a and b are
1 - c‖x‖² of the points involved, relative to the norm of the result.
"""

import numpy as np
import pytest

from hyperml_tf.geometry import poincare
from tests import ball_oracle as oracle

ROUNDINGS = 8
GRID = pytest.mark.parametrize("dtype", oracle.DTYPES)
BALLS = pytest.mark.parametrize("c", oracle.CURVATURES)


def assert_rounded(actual, expected, condition, dtype):
    error = oracle.relative_error(actual, expected)
    assert np.asarray(actual).dtype == dtype
    assert np.all(error <= ROUNDINGS * np.finfo(dtype).eps * condition)


def tangents(dtype, scale, count):
    """Vectors [count, DIM] of norm scale · (1e-7 … 3)."""
    rng = np.random.default_rng(11)
    size = np.resize(np.geomspace(1e-7, 3, 9), count)[:, None]
    return (scale * size * oracle.directions(rng, count)).astype(dtype)


@GRID
@BALLS
def test_conformal_factor_equals_its_formula(c, dtype):
    x, _ = oracle.pairs(c, dtype)
    c_seen = oracle.rounded(c, dtype)
    expected = oracle.over_rows(oracle.conformal_factor, x, c=c_seen)
    condition = 1 / oracle.complement(x, c_seen)
    assert_rounded(poincare.conformal_factor(x, c), expected, condition, dtype)


@GRID
@BALLS
def test_mobius_add_equals_equation_5(c, dtype):
    x, y = oracle.pairs(c, dtype)
    c_seen = oracle.rounded(c, dtype)
    condition = 1 / oracle.complement(x, c_seen) + 1 / oracle.complement(y, c_seen)
    for left in (x, -x):  # -x ⊕ y is where the printed form cancels
        expected = oracle.over_rows(oracle.mobius_add, left, y, c=c_seen)
        assert_rounded(poincare.mobius_add(left, y, c), expected, condition, dtype)


@GRID
@BALLS
@pytest.mark.parametrize("r", [-2.5, 1e-3, 0.3, 1.0, 7.0])
def test_mobius_scalar_mul_equals_equation_6(r, c, dtype):
    x, _ = oracle.pairs(c, dtype)
    c_seen, r_seen = oracle.rounded(c, dtype), oracle.rounded(r, dtype)

    def formula(point, curvature):
        return oracle.mobius_scalar_mul(r_seen, point, curvature)

    expected = oracle.over_rows(formula, x, c=c_seen)
    condition = 1 / oracle.complement(x, c_seen)
    assert_rounded(poincare.mobius_scalar_mul(r, x, c), expected, condition, dtype)


@GRID
@BALLS
def test_exp_map_equals_equation_7(c, dtype):
    x, _ = oracle.pairs(c, dtype)
    a = oracle.complement(x, c)
    c_seen = oracle.rounded(c, dtype)
    v = (a[:, None] * tangents(dtype, 1 / np.sqrt(c), len(x))).astype(dtype)
    expected = oracle.over_rows(oracle.exp_map, x, v, c=c_seen)
    step = np.sqrt(c) * np.linalg.norm(v, axis=1) / a
    condition = 1 / a + np.cosh(step) ** 2  # the step's end has 1 - c‖·‖² = sech²
    actual = poincare.exp_map(x, v, c)
    # Where the step undoes x the sum is smaller than what was rounded.
    condition *= np.maximum(
        1, np.linalg.norm(x, axis=1) / np.linalg.norm(expected, axis=1)
    )
    assert_rounded(actual, expected, condition, dtype)


@GRID
@BALLS
def test_log_map_equals_equation_8(c, dtype):
    x, y = oracle.pairs(c, dtype)
    c_seen = oracle.rounded(c, dtype)
    expected = oracle.over_rows(oracle.log_map, x, y, c=c_seen)
    condition = 1 / oracle.complement(x, c_seen) + 1 / oracle.complement(y, c_seen)
    assert_rounded(poincare.log_map(x, y, c), expected, condition, dtype)


@GRID
@BALLS
def test_exp0_and_log0_equal_equations_7_and_8_at_the_origin(c, dtype):
    x, _ = oracle.pairs(c, dtype)
    c_seen = oracle.rounded(c, dtype)
    v = tangents(dtype, 1 / np.sqrt(c), len(x))
    expected = oracle.over_rows(oracle.exp0, v, c=c_seen)
    assert_rounded(poincare.exp0(v, c), expected, 1.0, dtype)
    expected = oracle.over_rows(oracle.log0, x, c=c_seen)
    condition = 1 / oracle.complement(x, c_seen)
    assert_rounded(poincare.log0(x, c), expected, condition, dtype)


@GRID
@pytest.mark.parametrize("c", [0.37, 1.0])
def test_series_and_closed_form_meet_without_a_step(c, dtype):
    # Both maps turn from one to the other where √c‖·‖ is about 0.1.
    radius = np.linspace(0.05, 0.15, 201)[:, None] / np.sqrt(c)
    x = (radius * oracle.directions(np.random.default_rng(3), 201)).astype(dtype)
    c_seen = oracle.rounded(c, dtype)
    for name in ("exp0", "log0"):
        expected = oracle.over_rows(getattr(oracle, name), x, c=c_seen)
        assert_rounded(getattr(poincare, name)(x, c), expected, 1.0, dtype)


@GRID
@BALLS
def test_riemannian_gradient_equals_equation_14(c, dtype):
    x, gradient = oracle.pairs(c, dtype)
    c_seen = oracle.rounded(c, dtype)
    expected = oracle.over_rows(oracle.riemannian_gradient, x, gradient, c=c_seen)
    condition = 2 / oracle.complement(x, c_seen)  # squared
    actual = poincare.riemannian_gradient(x, gradient, c)
    assert_rounded(actual, expected, condition, dtype)


@GRID
@BALLS
def test_project_leaves_the_inside_alone_and_stops_the_rest_at_the_margin(c, dtype):
    margin = {"float32": 1e-5, "float64": 1e-10}[dtype]
    reach = np.array([0, 1e-7, 0.5, 1 - 1.1 * margin, 1, 1.5, 1e3, 1e15])
    way = oracle.directions(np.random.default_rng(5), len(reach))
    x = (reach[:, None] * way / np.sqrt(c)).astype(dtype)
    projected = poincare.project(x, c).numpy()
    np.testing.assert_array_equal(projected[:4], x[:4])
    expected = (1 - margin) * way[4:] / np.sqrt(c)
    # x, its norm and the scaling are rounded.
    tolerance = 4 * np.finfo(dtype).eps
    assert oracle.relative_error(projected[4:], expected).max() <= tolerance
    assert np.all(oracle.complement(projected, oracle.rounded(c, dtype)) > margin)


@GRID
def test_project_twice_is_project_once_up_to_rounding(dtype, rng):
    x = (3 * rng.normal(size=(500, 8))).astype(dtype)
    once = poincare.project(x).numpy()
    tolerance = 4 * np.finfo(dtype).eps
    assert oracle.relative_error(poincare.project(once), once).max() <= tolerance


@GRID
def test_at_zero_curvature_every_function_is_the_euclidean_one(dtype):
    x, y = oracle.pairs(0.0, dtype)
    c, eps = 0.0, np.finfo(dtype).eps
    np.testing.assert_array_equal(poincare.conformal_factor(x, c), 2)
    np.testing.assert_array_equal(poincare.mobius_add(x, y, c), x + y)
    np.testing.assert_array_equal(poincare.exp_map(x, y, c), x + y)
    np.testing.assert_array_equal(poincare.exp0(x, c), x)
    np.testing.assert_array_equal(poincare.project(100 * x, c), 100 * x)
    np.testing.assert_array_equal(poincare.riemannian_gradient(x, y, c), y / 4)
    # The vectorised 1/√1 of float32 is one unit off 1.
    for actual, expected in (
        (poincare.log_map(x, y, c), y - x),
        (poincare.log0(x, c), x),
        (poincare.distortion(x, y, c), np.ones(len(x))),
        (poincare.mobius_scalar_mul(-2.5, x, c), np.float64(-2.5) * x),
    ):
        assert oracle.relative_error(actual, expected).max() <= 2 * eps


@GRID
@BALLS
def test_zero_is_a_point_like_any_other(c, dtype):
    zero = np.zeros((1, 3), dtype)
    for value in (
        poincare.mobius_add(zero, zero, c),
        poincare.mobius_scalar_mul(3.0, zero, c),
        poincare.exp_map(zero, zero, c),
        poincare.log_map(zero, zero, c),
        poincare.exp0(zero, c),
        poincare.log0(zero, c),
        poincare.project(zero, c),
        poincare.distance(zero, zero, c),
    ):
        np.testing.assert_array_equal(value, np.zeros_like(value))


@GRID
def test_the_far_outside_stays_finite(dtype):
    x = np.array([[1.0, 0.0], [0.6, 0.8], [2.0, 0.0], [1e4, -1e4]], dtype)
    y = x[::-1].copy()
    for value in (
        poincare.conformal_factor(x),
        poincare.mobius_add(x, y),
        poincare.mobius_add(x, -x),
        poincare.mobius_scalar_mul(2.0, x),
        poincare.exp_map(x, y),
        poincare.log_map(x, y),
        poincare.log0(x),
        poincare.distance(x, y),
        poincare.distortion(x, y),
        poincare.riemannian_gradient(x, y),
    ):
        assert np.all(np.isfinite(value))
