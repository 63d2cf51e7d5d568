"""Gradients: finite everywhere, and equal to mpmath's central differences."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry import poincare
from hyperml_tf.layers import DistortionLoss, PullPushLoss
from tests import ball_oracle as oracle

MEASURES = ("distance", "squared_distance", "distortion")
# As in test_gyrovector_operations, with twice the chain. The slope of asinh(z)/z, which
# is what is left of distortion's gradient, cancels by 1/z² where its closed form is
# used, from z² = 0.01 on: two digits.
ROUNDINGS = {"distance": 16, "squared_distance": 16, "distortion": 16 + 100}
GRID = pytest.mark.parametrize("dtype", oracle.DTYPES)
BALLS = pytest.mark.parametrize("c", oracle.CURVATURES)


def gradients(function, *arguments):
    """Value and gradients by every argument, as arrays."""
    tensors = [tf.constant(a) for a in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return value.numpy(), [g.numpy() for g in tape.gradient(value, tensors)]


@GRID
@BALLS
@pytest.mark.parametrize("name", MEASURES)
def test_gradient_equals_central_differences(name, c, dtype):
    x, y = oracle.pairs(c, dtype, repeats=1)
    c_seen = oracle.rounded(c, dtype)
    _, (by_x, by_y) = gradients(lambda p, q: getattr(poincare, name)(p, q, c), x, y)
    formula = getattr(oracle, name)
    condition = 1 / oracle.complement(x, c_seen) + 1 / oracle.complement(y, c_seen)
    for actual, first, second in ((by_x, x, y), (by_y, y, x)):
        expected = oracle.gradient_rows(formula, first, second, c=c_seen)
        error = oracle.relative_error(actual, expected)
        assert actual.dtype == dtype
        assert np.all(error <= ROUNDINGS[name] * np.finfo(dtype).eps * condition)


def edge_points(c, dtype):
    """Points from zero over the rim to far outside, and neighbours of each."""
    way = np.array([0.6, -0.8, 0.0])
    reach = [0, 1e-30, 1e-7, 0.5, 1 - 1e-6, 1, 1 + 1e-6, 1.5, 100]
    x = np.outer(reach, way) / (np.sqrt(c) if c else 1)
    x = np.concatenate([x, -x, x[:, ::-1], np.nextafter(x, 1)]).astype(dtype)
    every = np.arange(len(x))
    return x[np.repeat(every, len(x))], x[np.tile(every, len(x))]


@GRID
@pytest.mark.parametrize("c", (0.0, *oracle.CURVATURES))
@pytest.mark.parametrize("name", MEASURES)
def test_value_and_gradient_are_finite_everywhere(name, c, dtype):
    x, y = edge_points(c, dtype)
    value, grads = gradients(lambda p, q: getattr(poincare, name)(p, q, c), x, y)
    assert np.all(np.isfinite(value))
    assert all(np.all(np.isfinite(g)) for g in grads)


@GRID
def test_value_and_gradient_are_finite_everywhere_when_compiled_by_xla(dtype):
    # TensorFlow's own kernel takes the slope of √ at 0 to be 0 where that above is 0;
    # XLA does not, and gives NaN for a root that is masked only afterwards.
    x, y = edge_points(1.0, dtype)

    @tf.function(jit_compile=True)
    def compiled(x, y):
        values = [getattr(poincare, name)(x, y, 1.0) for name in MEASURES]
        return values, [tf.gradients(value, [x, y]) for value in values]

    values, grads = compiled(tf.constant(x), tf.constant(y))
    for array in tf.nest.flatten([values, grads]):
        assert np.all(np.isfinite(array))


@GRID
@pytest.mark.parametrize("c", (0.0, *oracle.CURVATURES))
def test_both_losses_have_finite_gradients_everywhere(c, dtype):
    x, y = edge_points(c, dtype)
    user, pos_item, neg_item = x, y, np.roll(y, 1, axis=0)
    distortion_loss, pull_push_loss = (
        DistortionLoss(c, dtype=dtype),
        PullPushLoss(0.5, dtype=dtype),
    )

    def pull_push(user, pos_item, neg_item):
        squared = poincare.squared_distance
        return pull_push_loss(squared(user, pos_item, c), squared(user, neg_item, c))

    for loss in (distortion_loss, pull_push):
        value, grads = gradients(loss, user, pos_item, neg_item)
        assert np.all(np.isfinite(value))
        assert all(np.all(np.isfinite(g)) for g in grads)


@GRID
def test_the_maps_have_finite_gradients_inside_and_on_the_rim(dtype):
    x, y = edge_points(1.0, dtype)
    inside = np.linalg.norm(x, axis=1) < 1.1
    x, y = x[inside], y[inside]
    for function in (
        poincare.mobius_add,
        poincare.exp_map,
        poincare.log_map,
        lambda p, q: poincare.exp0(p) + poincare.log0(q),
        lambda p, q: poincare.project(p) + poincare.mobius_scalar_mul(0.5, q),
    ):
        value, grads = gradients(function, x, y)
        assert np.all(np.isfinite(value))
        assert all(np.all(np.isfinite(g)) for g in grads)


@GRID
@BALLS
def test_the_gradient_where_the_points_coincide_is_the_symmetric_one(c, dtype):
    (x, _) = oracle.pairs(c, dtype)
    for name in ("distance", "squared_distance"):
        _, grads = gradients(lambda p, q, n=name: getattr(poincare, n)(p, q, c), x, x)
        for g in grads:
            np.testing.assert_array_equal(g, np.zeros_like(x))
    # distortion(x, y) → 2/√(ab) - 1, so ∂/∂x at x = y is 2cx/a².
    _, grads = gradients(lambda p, q: poincare.distortion(p, q, c), x, x)
    c_seen = oracle.rounded(c, dtype)
    a = oracle.complement(x, c_seen)
    expected = 2 * c_seen * x.astype(float) / a[:, None] ** 2
    for g in grads:
        error = oracle.relative_error(g, expected)
        assert np.all(error <= ROUNDINGS["distance"] * np.finfo(dtype).eps * 2 / a)


@GRID
@BALLS
def test_gradients_of_both_losses_equal_central_differences(c, dtype):
    x, y = oracle.pairs(c, dtype, repeats=1)
    inner = oracle.complement(x, c) > 0.015  # each loss adds two pairs of any radius
    user, pos_item, neg_item = x[inner], y[inner], np.roll(x[inner], 7, axis=0)
    c_seen, margin = oracle.rounded(c, dtype), 2.0

    def pull_push(u, p, n):
        positive, negative = (poincare.squared_distance(u, v, c) for v in (p, n))
        return PullPushLoss(margin, dtype=dtype)(positive, negative)

    def pull_push_formula(u, p, n, curvature):
        positive, negative = (oracle.squared_distance(u, v, curvature) for v in (p, n))
        return max(0, margin + positive - negative)

    def distortion_formula(u, p, n, curvature):
        return oracle.distortion(u, p, curvature) + oracle.distortion(u, n, curvature)

    condition = sum(
        1 / oracle.complement(p, c_seen) for p in (user, pos_item, neg_item)
    )
    for name, loss, formula in (
        ("squared_distance", pull_push, pull_push_formula),
        ("distortion", DistortionLoss(c, dtype=dtype), distortion_formula),
    ):
        value, grads = gradients(loss, user, pos_item, neg_item)
        rows = user, pos_item, neg_item
        expected = oracle.over_rows(formula, *rows, c=c_seen)
        scale = np.maximum(expected, oracle_sum(rows, c_seen))
        tolerance = ROUNDINGS[name] * np.finfo(dtype).eps * condition
        assert np.all(np.abs(value - expected) <= tolerance * scale)
        by_user = oracle.gradient_rows(formula, *rows, c=c_seen)
        # Two pairs pull at the user; what they add up to can cancel.
        parts = np.linalg.norm(grads[1], axis=1) + np.linalg.norm(grads[2], axis=1)
        size = np.maximum(np.linalg.norm(by_user, axis=1), parts)
        gap = np.linalg.norm(grads[0] - by_user, axis=1)
        assert np.all(gap <= tolerance * size)


def oracle_sum(rows, c):
    """The larger of what the losses add up: both squared distances and the margin."""
    user, pos_item, neg_item = rows
    return 2.0 + sum(
        oracle.over_rows(oracle.squared_distance, user, item, c=c)
        for item in (pos_item, neg_item)
    )
