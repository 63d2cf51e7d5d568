"""What `c` and the points may be."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry import poincare
from tests import ball_oracle as oracle

X = np.array([[0.3, -0.2, 0.1], [0.05, 0.4, -0.6]])
Y = np.array([[-0.1, 0.25, 0.35], [0.05, 0.4, -0.6001]])
C = 0.37
OF_TWO_POINTS = (
    poincare.mobius_add,
    poincare.exp_map,
    poincare.log_map,
    poincare.distance,
    poincare.squared_distance,
    poincare.distortion,
    poincare.riemannian_gradient,
)
OF_ONE_POINT = (
    poincare.conformal_factor,
    poincare.exp0,
    poincare.log0,
    poincare.project,
)


@pytest.mark.parametrize(
    "c",
    [
        np.float64(C),
        np.array(C),
        tf.constant(C, tf.float64),
        tf.Variable(C, dtype=tf.float64),
    ],
    ids=["numpy scalar", "numpy array", "float64 tensor", "variable"],
)
def test_c_may_be_any_scalar_and_keeps_its_float64_digits(c):
    expected = oracle.over_rows(oracle.distance, X, Y, c=C)
    # float32 would be off by 1e-8 already in c.
    np.testing.assert_allclose(poincare.distance(X, Y, c), expected, rtol=1e-14)
    for function in OF_TWO_POINTS:
        np.testing.assert_array_equal(function(X, Y, c), function(X, Y, C))
    for function in OF_ONE_POINT:
        np.testing.assert_array_equal(function(X, c), function(X, C))


def test_a_float64_c_works_with_float32_points():
    x, y = X.astype(np.float32), Y.astype(np.float32)
    expected = poincare.distance(x, y, C)
    for c in (np.float64(C), np.float32(C), tf.constant(C, tf.float64)):
        assert poincare.distance(x, y, c).dtype == tf.float32
        np.testing.assert_array_equal(poincare.distance(x, y, c), expected)


def test_a_variable_c_is_read_anew_and_differentiated():
    c = tf.Variable(1.0, dtype=tf.float64)
    slope_at = tf.function(lambda: tf.gradients(poincare.distance(X, Y, c), c)[0])
    for value in (0.0, C, 1.0):
        c.assign(value)
        low = oracle.over_rows(oracle.distance, X, Y, c=value + 1e-6).sum()
        high = oracle.over_rows(oracle.distance, X, Y, c=value + 3e-6).sum()
        # One-sided, since c >= 0: off by the second derivative times 2e-6.
        assert slope_at().numpy() == pytest.approx((high - low) / 2e-6, rel=1e-4)


@pytest.mark.parametrize(
    "c", [-1.0, -1, np.float32(-0.5), np.int64(-1), float("nan"), float("inf")]
)
def test_a_curvature_that_is_none_is_refused(c):
    for function in OF_TWO_POINTS:
        with pytest.raises(ValueError, match="c must be a finite number >= 0"):
            function(X, Y, c)
    for function in OF_ONE_POINT:
        with pytest.raises(ValueError, match="c must be a finite number >= 0"):
            function(X, c)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float16", "bool"])
def test_points_that_are_not_float32_or_float64_are_refused(dtype):
    points = tf.cast(X, dtype)
    for function in OF_TWO_POINTS:
        with pytest.raises(TypeError, match="points must be float32 or float64"):
            function(points, points, 1.0)
    for function in OF_ONE_POINT:
        with pytest.raises(TypeError, match="points must be float32 or float64"):
            function(points, 1.0)


def test_a_number_beside_a_float64_point_is_never_rounded_to_float32():
    expected = oracle.over_rows(
        lambda x, c: oracle.mobius_scalar_mul(oracle.mpmath.mpf(0.3), x, c), X, c=C
    )
    actual = poincare.mobius_scalar_mul(0.3, X, C)
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


def test_lists_are_taken_as_float32_points():
    value = poincare.distance([0.0, 0.0], [0.6, 0.0])
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx(2 * np.arctanh(0.6), rel=1e-6)
