"""Distance, its square and distortion against the printed formulas at 50 digits."""

import numpy as np
import pytest

from hyperml_tf.geometry import poincare
from tests import ball_oracle as oracle

# The contract of the module: 1 - c‖x‖² loses digits to rounding as x nears the rim,
# 2e-14 of it in float64 and 3e-4 in float32 at √c‖x‖ = 1 - 1e-4.
WITHIN_99 = {"float32": 2e-5, "float64": 1e-11}
TO_THE_RIM = {"float32": 1e-3, "float64": 1e-11}
GRID = pytest.mark.parametrize("dtype", oracle.DTYPES)
BALLS = pytest.mark.parametrize("c", oracle.CURVATURES)


def assert_within_contract(actual, expected, x, y, c, dtype, factor=1.0):
    error = oracle.relative_error(actual, expected)
    outermost = np.sqrt(
        1 - np.minimum(oracle.complement(x, c), oracle.complement(y, c))
    )
    inner = outermost <= 0.9901
    assert np.asarray(actual).dtype == dtype
    assert inner.sum() > 50
    assert error[inner].max() <= factor * WITHIN_99[dtype]
    assert error.max() <= factor * TO_THE_RIM[dtype]


@GRID
@BALLS
def test_distance_equals_the_artanh_formula(c, dtype):
    x, y = oracle.pairs(c, dtype)
    expected = oracle.over_rows(oracle.distance, x, y, c=oracle.rounded(c, dtype))
    actual = poincare.distance(x, y, c)
    assert_within_contract(actual, expected, x, y, c, dtype)


@GRID
def test_distance_equals_the_arcosh_formula_in_the_unit_ball(dtype):
    x, y = oracle.pairs(1.0, dtype)
    expected = oracle.over_rows(lambda p, q, _: oracle.distance_arcosh(p, q), x, y, c=1)
    assert_within_contract(poincare.distance(x, y), expected, x, y, 1.0, dtype)


@GRID
@BALLS
def test_squared_distance_equals_the_square_of_the_formula(c, dtype):
    x, y = oracle.pairs(c, dtype)
    c_seen = oracle.rounded(c, dtype)
    expected = oracle.over_rows(oracle.squared_distance, x, y, c=c_seen)
    actual = poincare.squared_distance(x, y, c)
    # Squaring doubles a relative error.
    assert_within_contract(actual, expected, x, y, c, dtype, factor=2)


@GRID
@BALLS
def test_distortion_equals_the_printed_quotient(c, dtype):
    x, y = oracle.pairs(c, dtype)
    expected = oracle.over_rows(oracle.distortion, x, y, c=oracle.rounded(c, dtype))
    actual = poincare.distortion(x, y, c)
    # The quotient is d_D/d_E - 1 with d_D/d_E >= 2: subtracting doubles at most.
    assert_within_contract(actual, expected, x, y, c, dtype, factor=2)


@GRID
@BALLS
@pytest.mark.parametrize("dim", [1, 2, 64, 128])
def test_distance_keeps_its_contract_in_other_dimensions(dim, c, dtype, rng):
    way = oracle.directions(rng, 24, dim)
    radius = np.tile([1e-7, 0.3, 0.99], 8)[:, None] / np.sqrt(c)
    x = (radius * way).astype(dtype)
    y = (radius * np.roll(way, 1, axis=0)).astype(dtype)
    expected = oracle.over_rows(oracle.distance, x, y, c=oracle.rounded(c, dtype))
    apart = np.any(x != y, axis=1)  # in one dimension both can be the same point
    actual = poincare.distance(x, y, c).numpy()
    assert np.all(actual[~apart] == 0)
    error = oracle.relative_error(actual[apart], expected[apart])
    assert error.max() <= WITHIN_99[dtype]


@GRID
def test_at_zero_curvature_distance_is_twice_the_euclidean(dtype):
    x, y = oracle.pairs(0.0, dtype)
    gap = x.astype(np.float64) - y.astype(np.float64)
    expected = 2 * np.linalg.norm(gap, axis=1)
    error = oracle.relative_error(poincare.distance(x, y, 0.0), expected)
    # One rounding per coordinate's difference and square, of the sum and the root.
    assert error.max() <= 4 * np.finfo(dtype).eps


@GRID
def test_the_literal_formulas_agree_with_the_oracle_where_they_are_sound(dtype):
    x, y = oracle.pairs(1.0, dtype)
    gap = np.linalg.norm(x - y, axis=1)
    sound = (gap > 0.05) & (oracle.complement(x, 1) > 0.01)
    sound &= oracle.complement(y, 1) > 0.01
    x, y = x[sound], y[sound]
    expected = oracle.over_rows(oracle.distance, x, y, c=1)
    # arcosh(1 + 2q) and artanh near 1 lose about eps/q and eps/(1 - c‖w‖²).
    tolerance = {"float32": 2e-3, "float64": 4e-12}[dtype]
    for literal in (poincare.distance_arcosh, poincare.distance_artanh):
        assert oracle.relative_error(literal(x, y), expected).max() <= tolerance


@GRID
@BALLS
def test_distance_broadcasts_over_leading_axes(c, dtype):
    x, y = (p[:12] for p in oracle.pairs(c, dtype))
    table = poincare.distance(x[:, None], y[None], c).numpy()
    assert table.shape == (12, 12)
    one_by_one = [[float(poincare.distance(p, q, c)) for q in y[:3]] for p in x[:3]]
    np.testing.assert_array_equal(table[:3, :3], np.array(one_by_one, dtype))
