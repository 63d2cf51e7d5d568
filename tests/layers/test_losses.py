"""The two terms of the objective, and the two exact facts about it."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry import poincare
from hyperml_tf.layers import DistortionLoss, GyrovectorDistance, PullPushLoss
from tests import ball_oracle as oracle

MARGIN, WEIGHT = 0.5, 0.25
# A few dozen roundings on points with 1 - c‖x‖² >= 0.19.
TOLERANCE = 1e-13


def triplets(c, rng, reach=0.9, count=40):
    """Users, positives, negatives [count, 4] in float64."""
    radius = np.geomspace(1e-6, reach, count)[:, None] / np.sqrt(c)
    return [
        rng.permutation(radius * oracle.directions(rng, count, 4)) for _ in range(3)
    ]


def objective(c, margin, weight, points):
    """L_P + γ L_D of every triplet through the layers; its gradients by the points."""
    points = [tf.constant(p) for p in points]
    squared = GyrovectorDistance(c, squared=True, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(points)
        user, pos_item, neg_item = points
        layer = PullPushLoss(dtype="float64")
        layer.margin = margin  # the constructor takes none that turns the hinge off
        pull_push = layer(squared(user, pos_item), squared(user, neg_item))
        loss = pull_push + weight * DistortionLoss(c, dtype="float64")(*points)
    return loss.numpy(), [g.numpy() for g in tape.gradient(loss, points)]


def test_pull_push_is_the_positive_part_of_margin_plus_difference():
    positive, negative = [1.0, 1.0, 0.2, 0.0], [0.75, 1.6, 0.7, 0.0]
    loss = PullPushLoss(0.5)(tf.constant(positive), tf.constant(negative))
    np.testing.assert_allclose(loss, [0.75, 0.0, 0.0, 0.5], atol=1e-7)


@pytest.mark.parametrize("c", oracle.CURVATURES)
def test_the_objective_equals_equations_11_to_13(c, rng):
    points = triplets(c, rng)

    def formula(user, pos_item, neg_item, curvature):
        positive = oracle.distance(user, pos_item, curvature) ** 2
        negative = oracle.distance(user, neg_item, curvature) ** 2
        distortion = sum(
            oracle.distortion(user, item, curvature) for item in (pos_item, neg_item)
        )
        return max(0, MARGIN + positive - negative) + WEIGHT * distortion

    expected = oracle.over_rows(formula, *points, c=c)
    loss, _ = objective(c, MARGIN, WEIGHT, points)
    # The hinge subtracts two squared distances of up to (2/√c · artanh .9 · 2)².
    largest = (4 * np.arctanh(0.9)) ** 2 / c
    np.testing.assert_allclose(loss, expected, rtol=TOLERANCE, atol=TOLERANCE * largest)


def test_a_negative_margin_and_an_unknown_loss_are_refused():
    with pytest.raises(ValueError, match="margin must be >= 0"):
        PullPushLoss(-0.1)
    with pytest.raises(ValueError, match="one of: hinge, softplus"):
        PullPushLoss(loss="mse")


@pytest.mark.parametrize("c", (1e-4, 0.25, 0.37, 4.0))
def test_curvature_is_a_scale_of_points_margin_and_weight(c, rng):
    # (c, m, γ) on x is (1, cm, cγ) on √c x, up to the factor 1/c of the loss.
    points = triplets(c, rng)
    loss, gradients = objective(c, MARGIN, WEIGHT, points)
    scaled = [np.sqrt(c) * p for p in points]
    unit_loss, unit_gradients = objective(1.0, c * MARGIN, c * WEIGHT, scaled)
    scale = np.abs(unit_loss / c) + np.max(unit_loss / c) * 1e-2
    assert np.max(np.abs(loss - unit_loss / c) / scale) <= 10 * TOLERANCE
    for gradient, unit in zip(gradients, unit_gradients, strict=True):
        expected = np.sqrt(c) * unit / c  # the chain rule through √c x
        gap = np.linalg.norm(gradient - expected, axis=1)
        size = np.linalg.norm(expected, axis=1)
        assert np.all(gap <= 10 * TOLERANCE * (size + 1e-2 * size.max()))


def test_at_zero_curvature_the_objective_is_cmls_with_a_quarter_of_the_margin(rng):
    points = user, pos_item, neg_item = triplets(1.0, rng, reach=3.0)
    loss, gradients = objective(0.0, MARGIN, 0.0, points)
    near, far = user - pos_item, user - neg_item
    cml = MARGIN / 4 + np.sum(near**2, axis=1) - np.sum(far**2, axis=1)
    active = (cml > 0)[:, None]
    np.testing.assert_allclose(loss, 4 * np.maximum(cml, 0), rtol=0, atol=1e-12)
    by_hand = [2 * (near - far), -2 * near, 2 * far]
    assert 1 < active.sum() < 39  # both sides of the hinge are tried
    for gradient, expected in zip(gradients, by_hand, strict=True):
        np.testing.assert_allclose(gradient, 4 * active * expected, atol=1e-12)


def test_at_zero_curvature_distortion_is_a_constant_without_gradient(rng):
    points = triplets(1.0, rng)
    with_weight, gradients = objective(0.0, MARGIN, WEIGHT, points)
    without, bare = objective(0.0, MARGIN, 0.0, points)
    np.testing.assert_allclose(with_weight - without, 2 * WEIGHT, atol=1e-13)
    for gradient, expected in zip(gradients, bare, strict=True):
        np.testing.assert_array_equal(gradient, expected)


def test_distortion_shrinks_when_a_pair_is_scaled_towards_the_origin(rng):
    points = triplets(1.0, rng)
    _, gradients = objective(1.0, -1e6, 1.0, points)  # the hinge is off
    # d/dt L_D(t · points) at t = 1.
    slope = sum(np.sum(p * g, axis=1) for p, g in zip(points, gradients, strict=True))
    assert np.all(slope > 0)


def test_measuring_against_twice_the_euclidean_distance_only_halves_the_gradient(rng):
    # d_D >= 2 d_E, so |d_D - 2 d_E|/(2 d_E) = (1 + Eq. 12)/2 - 1.
    user, item, _ = (tf.constant(p) for p in triplets(1.0, rng))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(user)
        twice = 2 * tf.norm(user - item, axis=1)
        against_twice = tf.abs(poincare.distance(user, item) - twice) / twice
        printed = poincare.distortion(user, item)
    gradient = tape.gradient(against_twice, user)
    half = tape.gradient(printed, user) / 2
    # Near-coinciding pairs lose digits in the quotient, not in ours.
    np.testing.assert_allclose(gradient, half, rtol=1e-7, atol=1e-9)
