"""PoincareOptimizer: its arithmetic, and what it leaves alone."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry import poincare
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer
from tests.optimizers import table as tables

KINDS = pytest.mark.parametrize("kind", tables.INNER)
RETRACTIONS = pytest.mark.parametrize("retraction", ["projection", "exp"])
# Dozens of float64 roundings a step, on rows with 1 - c‖x‖² >= 0.3 at the start.
TOLERANCE = 1e-12


def optimizer_of(kind, retraction="projection"):
    return PoincareOptimizer(tables.INNER[kind](), retraction)


def run(optimizer, table, steps, form=tables.sparse):
    for ids, gradient in steps:
        optimizer.apply_gradients([(form(ids, gradient), table)])
    return table.numpy()


@KINDS
@RETRACTIONS
@pytest.mark.parametrize("c", [0.37, 1.0, 4.0])
def test_steps_equal_hand_arithmetic(kind, retraction, c):
    by_hand = tables.ByHand(tables.start(c), kind, c, retraction)
    table = tables.variable(tables.start(c), c)
    optimizer = optimizer_of(kind, retraction)
    for ids, gradient in tables.batches(4):
        by_hand.step(ids, gradient)
        run(optimizer, table, [(ids, gradient)])
        np.testing.assert_allclose(table.numpy(), by_hand.rows, atol=TOLERANCE)


@KINDS
def test_at_zero_curvature_a_step_is_the_inner_one_with_a_quarter_of_the_gradient(kind):
    by_hand = tables.ByHand(tables.start(), kind, 0.0, "projection")
    for retraction in ("projection", "exp"):
        table = tables.variable(tables.start(), 0.0)
        run(optimizer_of(kind, retraction), table, tables.batches(1, scale=8))
        expected = tables.start()
        for ids, gradient in tables.batches(1, scale=8):
            by_hand.t = 0
            by_hand.m[:], by_hand.v[:], by_hand.total[:] = 0, 0, 0.125
            expected[ids] += by_hand.euclidean(ids, gradient / 4)
        np.testing.assert_allclose(table.numpy(), expected, atol=TOLERANCE)


@KINDS
def test_without_rescaling_a_step_is_the_inner_one_brought_back(kind):
    by_hand = tables.ByHand(tables.start(), kind, 1.0, "projection")
    table = tables.variable(tables.start(), 1.0)
    optimizer = PoincareOptimizer(tables.INNER[kind](), rescale=False)
    for ids, gradient in tables.batches(4, scale=0.1):
        x = by_hand.rows[ids]
        squared = np.sum(x**2, axis=1, keepdims=True)
        # What the hand arithmetic will multiply with (1 - c‖x‖²)²/4.
        by_hand.step(ids, gradient * 4 / (1 - squared) ** 2)
        run(optimizer, table, [(ids, gradient)])
        np.testing.assert_allclose(table.numpy(), by_hand.rows, atol=TOLERANCE)


def test_sgd_in_the_unit_ball_is_equation_14_to_the_letter():
    theta = np.array([[0.6, 0.0]])
    table = tables.variable(theta, 1.0)
    gradient = np.array([[-1.0, 2.0]])
    optimizer = PoincareOptimizer(keras.optimizers.SGD(0.5))
    optimizer.apply_gradients([(tf.constant(gradient), table)])
    # (1 - 0.36)² / 4 = 0.1024; 0.6 + 0.5 · 0.1024 · 1 and 0 - 0.5 · 0.1024 · 2.
    np.testing.assert_allclose(table.numpy(), [[0.6512, -0.1024]], atol=1e-15)


@RETRACTIONS
@pytest.mark.parametrize("kind", ["sgd", "adagrad"])
def test_sparse_equals_dense_at_every_step_of_sgd_and_adagrad(kind, retraction):
    ends = [
        run(
            optimizer_of(kind, retraction),
            tables.variable(tables.start()),
            tables.batches(5),
            form,
        )
        for form in (tables.sparse, tables.dense)
    ]
    np.testing.assert_allclose(ends[0], ends[1], atol=TOLERANCE)


@RETRACTIONS
def test_lazy_adam_equals_dense_adam_for_rows_touched_first(retraction):
    options = dict(beta_1=tables.BETA_1, beta_2=tables.BETA_2, epsilon=tables.EPSILON)
    inners = [
        adam(tables.RATE, **options) for adam in (LazyAdam, keras.optimizers.Adam)
    ]
    every_row = np.arange(tables.ROWS, dtype=np.int32)
    first, second = every_row[:4], every_row[4:]
    ends = []
    for inner in inners:
        table = tables.variable(tables.start())
        optimizer = PoincareOptimizer(inner, retraction)
        run(optimizer, table, [(first, np.ones((4, 3)))])
        after_one = table.numpy()
        run(optimizer, table, [(second, np.full((3, 3), -2.0))])
        ends.append((after_one, table.numpy()))
    (lazy_one, lazy_two), (dense_one, dense_two) = ends
    np.testing.assert_allclose(lazy_one, dense_one, atol=TOLERANCE)
    # First touch at step two: bias correction by the global step in both.
    np.testing.assert_allclose(lazy_two[second], dense_two[second], atol=TOLERANCE)
    # The rows of step one rest under the lazy form and drift on under the dense.
    np.testing.assert_array_equal(lazy_two[first], lazy_one[first])
    assert np.all(dense_two[first] != dense_one[first])


@KINDS
@RETRACTIONS
def test_rows_outside_the_batch_are_bit_identical_afterwards(kind, retraction):
    table = tables.variable(tables.start())
    optimizer = optimizer_of(kind, retraction)
    run(optimizer, table, tables.batches(3, size=tables.ROWS))
    for ids, gradient in tables.batches(5):
        before = table.numpy()
        after = run(optimizer, table, [(ids, gradient)])
        others = np.setdiff1d(np.arange(tables.ROWS), ids)
        np.testing.assert_array_equal(after[others], before[others])
        assert np.all(after[ids] != before[ids])


@KINDS
@RETRACTIONS
def test_repeated_ids_give_the_step_of_the_summed_gradient(kind, retraction):
    repeated = np.array([2, 5, 2, 2, 6], np.int32)
    gradient = np.random.default_rng(3).normal(size=(5, tables.DIM))
    summed = np.stack([gradient[[0, 2, 3]].sum(axis=0), gradient[1], gradient[4]])
    ends = [
        run(
            optimizer_of(kind, retraction),
            tables.variable(tables.start()),
            [step, step],
        )
        for step in ((repeated, gradient), (np.array([2, 5, 6], np.int32), summed))
    ]
    np.testing.assert_allclose(ends[0], ends[1], atol=TOLERANCE)


def test_stock_dense_adam_inside_moves_and_retracts_the_whole_table():
    every_row = np.arange(tables.ROWS, dtype=np.int32)
    optimizer = PoincareOptimizer(keras.optimizers.Adam(0.5))
    table = tables.variable(tables.start())
    outward = -tables.start() - 0.01
    run(optimizer, table, [(every_row, outward)] * 2)
    before = table.numpy()
    for _ in range(20):  # only row 0 has a gradient, the others coast outwards
        run(optimizer, table, [(every_row[:1], outward[:1])])
    after = table.numpy()
    assert np.all(after[1:] != before[1:])
    radius = np.linalg.norm(after, axis=1)
    np.testing.assert_allclose(radius[1:], 1 - tables.MARGIN, rtol=1e-14)


@KINDS
@RETRACTIONS
@pytest.mark.parametrize("form", [tables.sparse, tables.dense])
def test_a_start_outside_the_ball_comes_back(kind, retraction, form):
    outside = np.full((tables.ROWS, tables.DIM), 3.0)
    outside[0] *= 1e6
    every_row = np.arange(tables.ROWS, dtype=np.int32)
    table = tables.variable(outside)
    optimizer = optimizer_of(kind, retraction)
    rows = run(optimizer, table, [(every_row, np.ones_like(outside))], form)
    assert np.all(np.linalg.norm(rows, axis=1) <= 1 - tables.MARGIN * 0.99)
    # The rescaled gradient is all but zero out there: the row comes straight in.
    cosine = np.sum(rows * outside, axis=1) / np.linalg.norm(rows, axis=1)
    np.testing.assert_array_less(0, cosine)


@RETRACTIONS
def test_a_variable_without_a_declared_ball_gets_the_inner_update_alone(retraction):
    for kind, inner in tables.INNER.items():
        wrapped, bare = (tables.variable(5 * tables.start(), None) for _ in range(2))
        steps = list(tables.batches(3))
        run(optimizer_of(kind, retraction), wrapped, steps)
        run(inner(), bare, steps)
        np.testing.assert_array_equal(wrapped.numpy(), bare.numpy())


def test_tables_and_other_variables_share_one_optimizer():
    table, bias = tables.variable(tables.start()), tf.Variable([3.0, 4.0])
    optimizer = optimizer_of("sgd")
    gradient = np.ones((tables.ROWS, tables.DIM))
    optimizer.apply_gradients([(tf.constant(gradient), table), (tf.ones(2), bias)])
    by_hand = tables.ByHand(tables.start(), "sgd", 1.0, "projection")
    by_hand.step(np.arange(tables.ROWS), gradient)
    np.testing.assert_allclose(table.numpy(), by_hand.rows, atol=TOLERANCE)
    np.testing.assert_array_equal(bias.numpy(), [2.875, 3.875])


@KINDS
@RETRACTIONS
def test_it_converges_to_a_known_point(kind, retraction):
    target = np.array([[0.3, -0.5, 0.2]])
    table = tables.variable(np.array([[-0.7, 0.1, 0.6]]))
    inner = tables.INNER[kind]()
    optimizer = PoincareOptimizer(inner, retraction)
    optimizer.build([table])

    @tf.function
    def descend(steps):
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                loss = poincare.squared_distance(table, target, 1.0)
            optimizer.minimize(loss, [table], tape)

    for rate in (0.125, 2.0**-6, 2.0**-10, 2.0**-16):
        optimizer.learning_rate = rate if kind == "lazy adam" else 0.125
        descend(tf.constant(400))
    # Adam circles around the minimum at a distance of its rate.
    np.testing.assert_allclose(table.numpy(), target, atol=2.0**-16)


INNER_AT_LARGE_RATES = {
    "sgd": lambda: keras.optimizers.SGD(10.0),
    "adagrad": lambda: keras.optimizers.Adagrad(1.0),
    "lazy adam": lambda: LazyAdam(0.5),
    "dense adam": lambda: keras.optimizers.Adam(0.5),
}


@RETRACTIONS
@pytest.mark.parametrize("kind", INNER_AT_LARGE_RATES)
def test_no_row_leaves_the_ball_in_10000_random_steps(kind, retraction):
    c, rows = 0.37, 20
    table = tables.variable(np.zeros((rows, 3), np.float32), c)
    optimizer = PoincareOptimizer(INNER_AT_LARGE_RATES[kind](), retraction)
    optimizer.build([table])

    @tf.function
    def walk():
        largest = tf.constant(0.0)
        for step in tf.range(10_000):
            seed = tf.stack([step, 0])
            ids = tf.random.stateless_uniform([4], seed, 0, rows, tf.int32)
            gradient = 100 * tf.random.stateless_normal([4, 3], seed)
            slices = tf.IndexedSlices(gradient, ids, tf.constant([rows, 3]))
            optimizer.apply_gradients([(slices, table)])
            # NaN would lose any comparison: count it as far outside.
            norm = tf.reduce_sum(table * table, axis=1)
            norm = tf.where(tf.math.is_finite(norm), norm, 1e9)
            largest = tf.maximum(largest, tf.reduce_max(norm))
        return largest

    largest = np.sqrt(c) * np.sqrt(walk().numpy())
    assert optimizer.iterations.numpy() == 10_000
    # The margin of 1e-5 but for rounding; the steps were large enough to get there.
    assert 0.999 < largest < 1 - 0.9e-5


def test_a_learning_rate_schedule_inside_is_followed():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    optimizer = PoincareOptimizer(keras.optimizers.SGD(schedule))
    table = tables.variable(np.zeros((1, 2)))
    positions = []
    for _ in range(4):
        optimizer.apply_gradients([(tf.constant([[-1e-3, 0.0]], tf.float64), table)])
        positions.append(table.numpy()[0, 0])
    # A quarter of the gradient at the origin; iterations 0 and 1 are before the drop.
    steps = np.diff([0.0, *positions]) / (1e-3 / 4)
    np.testing.assert_allclose(steps, [0.5, 0.5, 0.25, 0.25], rtol=1e-6)
    assert optimizer.iterations is optimizer.inner.iterations


def test_the_learning_rate_is_the_inner_ones():
    optimizer = optimizer_of("sgd")
    assert float(optimizer.learning_rate) == tables.RATE
    optimizer.learning_rate = 0.5
    assert float(optimizer.inner.learning_rate) == 0.5
    table = tables.variable(np.zeros((1, 2)))
    optimizer.apply_gradients([(tf.constant([[-0.5, 0.0]], tf.float64), table)])
    np.testing.assert_allclose(table.numpy(), [[0.5 * 0.5 / 4, 0]])


def test_an_unknown_retraction_is_refused():
    with pytest.raises(ValueError, match="projection, exp"):
        PoincareOptimizer(keras.optimizers.SGD(), retraction="geodesic")


def test_the_curvature_of_each_step_is_its_tables():
    curvatures = (0.0, 0.37, 1.0)
    balls = [tables.variable(tables.start(), c) for c in curvatures]
    optimizer = optimizer_of("lazy adam")
    for ids, gradient in tables.batches(3):
        slices = tables.sparse(ids, gradient)
        optimizer.apply_gradients([(slices, table) for table in balls])
    for c, table in zip(curvatures, balls, strict=True):
        alone = tables.variable(tables.start(), c)
        run(optimizer_of("lazy adam"), alone, tables.batches(3))
        np.testing.assert_array_equal(table.numpy(), alone.numpy())


# What inner optimizers carry beside their step, on gradients of length 1.7 and more.
CARRIED = {
    "clipnorm": dict(clipnorm=0.5),
    "clipvalue": dict(clipvalue=0.25),
    "global_clipnorm": dict(global_clipnorm=0.5),
    "weight_decay": dict(weight_decay=0.5),
}


@pytest.mark.parametrize("form", [tables.sparse, tables.dense])
@pytest.mark.parametrize("option", CARRIED)
def test_what_the_inner_optimizer_carries_acts_as_without_the_wrapper(option, form):
    steps = list(tables.batches(3))
    for kind in (keras.optimizers.SGD, LazyAdam):
        wrapped, bare, plain = (
            run(optimizer, tables.variable(tables.start(), None), steps, form)
            for optimizer in (
                PoincareOptimizer(kind(0.1, **CARRIED[option])),
                kind(0.1, **CARRIED[option]),
                kind(0.1),
            )
        )
        np.testing.assert_array_equal(wrapped, bare)
        assert np.any(wrapped != plain)


def test_clipping_is_of_the_euclidean_gradient():
    table = tables.variable(np.array([[0.6, 0.0]]))
    inner = keras.optimizers.SGD(0.5, clipnorm=0.5)
    gradient = tf.constant([[-3.0, 4.0]], tf.float64)  # of length 5
    PoincareOptimizer(inner).apply_gradients([(gradient, table)])
    # As in the test of Eq. 14: 0.1024 · 0.5 · (0.3, -0.4).
    np.testing.assert_allclose(table.numpy(), [[0.61536, -0.02048]], rtol=1e-6)


def test_weight_decay_shrinks_rows_of_the_ball_but_those_excluded():
    table, other = (tables.variable(tables.start()) for _ in range(2))
    optimizer = PoincareOptimizer(keras.optimizers.SGD(0.5, weight_decay=0.25))
    optimizer.exclude_from_weight_decay([other])
    nothing = tables.sparse(np.array([0], np.int32), np.zeros((1, tables.DIM)))
    optimizer.apply_gradients([(nothing, table), (nothing, other)])
    np.testing.assert_allclose(table.numpy(), 0.875 * tables.start(), rtol=1e-12)
    np.testing.assert_array_equal(other.numpy(), tables.start())


@pytest.mark.parametrize(
    "inner, error",
    [
        (keras.optimizers.SGD(use_ema=True), "use_ema"),
        (PoincareOptimizer(keras.optimizers.SGD()), "does more than its update_step"),
        (keras.mixed_precision.LossScaleOptimizer(LazyAdam()), "does more than"),
        (keras.optimizers.legacy.SGD(), "must be an optimizer of tf_keras"),
        (1e-3, "got float"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_inner_optimizer_that_cannot_be_honoured_is_refused(inner, error):
    with pytest.raises((TypeError, ValueError), match=error) as refused:
        PoincareOptimizer(inner)
    assert "\n" not in str(refused.value)
