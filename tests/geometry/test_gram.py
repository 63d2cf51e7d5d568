"""Distances of all pairs by a Gram matrix, against the printed formula in mpmath."""

import mpmath
import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry import gram, poincare

mpmath.mp.dps = 50

# Absolute, in d² at c = 1 where ab >= NEAR_RIM, and relative where it is below.
ABSOLUTE = {np.float32: 3e-5, np.float64: 1e-13}
RELATIVE = {np.float32: 3e-4, np.float64: 1e-12}


def oracle(x, y, c):
    """d_c(x, y)² by arcosh of Eq. 4, in 50 digits."""
    gap = mpmath.fsum((p - q) ** 2 for p, q in zip(x, y, strict=True))
    if not c:
        return 4 * gap
    a, b = (1 - c * mpmath.fsum(p * p for p in z) for z in (x, y))
    return mpmath.acosh(1 + 2 * c * gap / (a * b)) ** 2 / c


def oracle_gradient(x, y, c):
    """∂d²/∂x by central differences, of which 50 digits lose nothing that counts."""
    h = mpmath.mpf(10) ** -20

    def moved(k, by):
        return oracle([p + by * (k == j) for j, p in enumerate(x)], y, c)

    return [(moved(k, h) - moved(k, -h)) / (2 * h) for k in range(len(x))]


def exact(points):
    return [[mpmath.mpf(float(p)) for p in point] for point in points]


def sphere(rng, rows, norm, dtype, dim=5):
    x = rng.normal(size=(rows, dim))
    return (norm * x / np.linalg.norm(x, axis=1, keepdims=True)).astype(dtype)


def with_near_pairs(rng, norm, dtype):
    """x [4, D] and y [6, D]: y_0 = x_0, the next ones close to x_1, x_2, x_3."""
    x, y = (sphere(rng, rows, norm, dtype) for rows in (4, 6))
    y[0] = x[0]
    for row, apart in ((1, 1e-2), (2, 1e-4), (3, 1e-6)):
        y[row] = x[row] * dtype(1 - apart) + dtype(apart) * y[row]
    return x, y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", [0.01, 0.5, 0.7, 0.87, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("c", [0.0, 1.0])
def test_values_are_those_of_the_formula_for_near_pairs_too(rng, c, norm, dtype):
    x, y = with_near_pairs(rng, norm, dtype)
    got = gram.squared_distances(x, y, c).numpy()
    expected = np.array([[float(oracle(p, q, c)) for q in exact(y)] for p in exact(x)])
    # What the rounding of 1 - ‖x‖² itself costs near the rim, in every formula.
    rim = np.finfo(dtype).eps / (1 - norm**2) if c else 0
    allowed = ABSOLUTE[dtype] + (RELATIVE[dtype] + 4 * rim) * expected
    assert np.all(np.abs(got - expected) <= allowed)


@pytest.mark.parametrize("c", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("norm", [0.01, 0.5, 0.7, 0.9])
def test_gradients_by_hand_are_those_of_the_formula(rng, norm, c):
    x, y = with_near_pairs(rng, norm, np.float32)
    weight = rng.normal(size=(4, 6)).astype(np.float32)
    x_variable, y_variable = tf.Variable(x), tf.Variable(y)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(
            weight * gram.squared_distances(x_variable, y_variable, c)
        )
    got = tape.gradient(total, [x_variable, y_variable])
    xs, ys = exact(x), exact(y)
    expected_x, expected_y = np.zeros(x.shape), np.zeros(y.shape)
    for i, j in np.ndindex(weight.shape):
        w = float(weight[i, j])
        expected_x[i] += w * np.array(oracle_gradient(xs[i], ys[j], c), float)
        expected_y[j] += w * np.array(oracle_gradient(ys[j], xs[i], c), float)
    scale = max(np.abs(expected_x).max(), np.abs(expected_y).max())
    np.testing.assert_allclose(got[0], expected_x, atol=1e-5 * scale)
    np.testing.assert_allclose(got[1], expected_y, atol=1e-5 * scale)


def test_near_the_rim_a_product_alone_would_be_wrong(rng):
    """That the second computation is needed: the same without it, by its constant."""
    x, y = with_near_pairs(rng, 0.999, np.float32)
    expected = poincare.squared_distance(
        tf.cast(x, tf.float64)[:, tf.newaxis], tf.cast(y, tf.float64)
    ).numpy()
    guarded = gram.squared_distances(x, y).numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gram, "CLOSE", 0.0)
        plain = gram.squared_distances(x, y).numpy()
    assert np.abs(guarded - expected)[3, 3] < 1e-3 < np.abs(plain - expected)[3, 3]


def test_points_beyond_the_rim_give_finite_values_and_gradients(rng):
    x, y = (tf.Variable(sphere(rng, 3, 1.2, np.float32)) for _ in range(2))
    with tf.GradientTape() as tape:
        squared = gram.squared_distances(x, y)
    for gradient in (squared, *tape.gradient(squared, [x, y])):
        assert np.all(np.isfinite(gradient))


def test_distances_of_one_point_to_itself_are_zero_on_any_radius(rng):
    x = sphere(rng, 8, 0.999, np.float32)
    assert np.all(np.diag(gram.squared_distances(x, x).numpy()) == 0)
