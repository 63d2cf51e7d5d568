"""Riemannian Adam by the laws that make it Riemannian, and parallel transport."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry import poincare
from hyperml_tf.geometry.spaces import PoincareBall, declare
from hyperml_tf.optimizers import LazyAdam, RiemannianAdam

# float64 throughout; a step is a dozen operations away from the rim.
TOLERANCE = 1e-9
CURVATURES = [0.37, 1.0, 4.0]


def points(rng, rows, c, radius=0.7):
    x = rng.normal(size=(rows, 4))
    lengths = radius * rng.random((rows, 1)) / np.sqrt(c)
    return lengths * x / np.linalg.norm(x, axis=1, keepdims=True)


def on_ball(x, c):
    table = tf.Variable(x, dtype=tf.float64)
    declare(table, PoincareBall(c))
    return table


def step_towards(optimizer, table, target, c, rows=None):
    rows = np.arange(len(target)) if rows is None else np.asarray(rows)
    with tf.GradientTape() as tape:
        here = tf.gather(table, rows)
        loss = tf.reduce_sum(poincare.squared_distance(here, target[rows], c))
    optimizer.minimize(loss, [table], tape)


@pytest.mark.parametrize("c", CURVATURES)
def test_transport_keeps_length_in_the_metric(c, rng):
    x, y, v = points(rng, 9, c), points(rng, 9, c), rng.normal(size=(9, 4))
    moved = poincare.parallel_transport(x, y, v, c).numpy()
    before = 2 / (1 - c * np.sum(x**2, 1)) * np.linalg.norm(v, axis=1)
    after = 2 / (1 - c * np.sum(y**2, 1)) * np.linalg.norm(moved, axis=1)
    np.testing.assert_allclose(after, before, rtol=TOLERANCE)


@pytest.mark.parametrize("c", CURVATURES)
def test_transport_carries_a_geodesics_own_direction_along_it(c, rng):
    x, y = points(rng, 9, c), points(rng, 9, c)
    ahead = poincare.parallel_transport(x, y, poincare.log_map(x, y, c), c)
    np.testing.assert_allclose(ahead, -poincare.log_map(y, x, c), rtol=1e-8)


def test_transport_changes_nothing_at_c_0_and_scales_from_the_origin(rng):
    x, y, v = points(rng, 5, 1.0), points(rng, 5, 1.0), rng.normal(size=(5, 4))
    np.testing.assert_allclose(poincare.parallel_transport(x, y, v, 0.0), v)
    from_origin = poincare.parallel_transport(0 * x, y, v, 1.0)
    scale = 1 - np.sum(y**2, 1, keepdims=True)  # λ_0/λ_y
    np.testing.assert_allclose(from_origin, scale * v, rtol=TOLERANCE)


@pytest.mark.parametrize("c", CURVATURES)
def test_the_first_step_has_the_length_of_the_learning_rate(c, rng):
    start, target = points(rng, 6, c), points(rng, 6, c)
    table = on_ball(start, c)
    step_towards(RiemannianAdam(0.05, epsilon=0.0), table, target, c)
    moved = poincare.distance(start, table.numpy(), c).numpy()
    np.testing.assert_allclose(moved, 0.05, rtol=1e-7)  # learning rate is float32


@pytest.mark.parametrize("c", CURVATURES)
def test_a_run_moved_by_an_isometry_is_the_run_moved_by_it(c, rng):
    start, target = points(rng, 4, c), points(rng, 4, c)
    shift = points(rng, 1, c)
    table, moved_table = (
        on_ball(start, c),
        on_ball(poincare.mobius_add(shift, start, c).numpy(), c),
    )
    moved_target = poincare.mobius_add(shift, target, c).numpy()
    optimizer, moved_optimizer = RiemannianAdam(0.05), RiemannianAdam(0.05)
    for _ in range(20):
        step_towards(optimizer, table, target, c)
        step_towards(moved_optimizer, moved_table, moved_target, c)
    expected = poincare.mobius_add(shift, table.numpy(), c)
    np.testing.assert_allclose(moved_table.numpy(), expected, rtol=1e-6, atol=1e-8)


def test_rows_outside_the_batch_rest(rng):
    start, target = points(rng, 6, 1.0), points(rng, 6, 1.0)
    table, optimizer = on_ball(start, 1.0), RiemannianAdam(0.05)
    for _ in range(3):
        step_towards(optimizer, table, target, 1.0, rows=[1, 4, 4])
    rest = [0, 2, 3, 5]
    np.testing.assert_array_equal(table.numpy()[rest], start[rest])
    assert np.all(table.numpy()[[1, 4]] != start[[1, 4]])


def test_it_reaches_its_target(rng):
    start, target = points(rng, 5, 1.0), points(rng, 5, 1.0)
    table, optimizer = on_ball(start, 1.0), RiemannianAdam(0.02)
    for _ in range(400):
        step_towards(optimizer, table, target, 1.0)
    assert np.max(poincare.distance(table.numpy(), target, 1.0)) < 1e-2


def test_undeclared_variables_get_lazy_adam(rng):
    start, target = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    tables = tf.Variable(start), tf.Variable(start)
    for table, optimizer in zip(tables, (RiemannianAdam(), LazyAdam()), strict=True):
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum((tf.gather(table, [0, 2]) - target[[0, 2]]) ** 2)
            optimizer.minimize(loss, [table], tape)
    np.testing.assert_array_equal(tables[0].numpy(), tables[1].numpy())


def test_the_second_moment_is_one_number_a_row(rng):
    table, optimizer = on_ball(points(rng, 6, 1.0), 1.0), RiemannianAdam()
    optimizer.build([table])
    assert [tuple(v.shape) for v in optimizer.variables[1:]] == [(6, 4), (6, 1)]
