"""PoincareOptimizer on the unit ball: norms end at most 1, and only when they must."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.spaces import UnitBall, declare
from hyperml_tf.optimizers import PoincareOptimizer
from tests.optimizers import table as tables


def unit_ball_variable(rows):
    table = tf.Variable(rows)
    declare(table, UnitBall())
    return table


@pytest.mark.parametrize("form", [tables.sparse, tables.dense])
@pytest.mark.parametrize("kind", tables.INNER)
def test_a_step_is_the_inner_one_divided_by_a_norm_beyond_one(kind, form):
    steps = list(tables.batches(6, size=tables.ROWS, scale=4.0))
    table = unit_ball_variable(tables.start(reach=1.5))
    optimizer = PoincareOptimizer(tables.INNER[kind]())
    by_hand = tables.ByHand(tables.start(reach=1.5), kind, 0.0, "projection")
    lengths = []
    for ids, gradient in steps:
        optimizer.apply_gradients([(form(ids, gradient), table)])
        moved = by_hand.rows[ids] + by_hand.euclidean(ids, gradient)
        norm = np.linalg.norm(moved, axis=1, keepdims=True)
        by_hand.rows[ids] = moved / np.maximum(1, norm)
        lengths.extend(norm)
    np.testing.assert_allclose(table.numpy(), by_hand.rows, atol=1e-12)
    assert min(lengths) < 0.9 < 1.1 < max(lengths)  # some were brought back


def test_rows_beyond_one_come_back_and_others_rest():
    rows = np.array([[3.0, 4.0], [0.3, 0.4], [30.0, 40.0]])
    table = unit_ball_variable(rows)
    optimizer = PoincareOptimizer(keras.optimizers.SGD(1.0))
    slices = tf.IndexedSlices(tf.zeros((2, 2), tf.float64), tf.constant([0, 1]), (3, 2))
    optimizer.apply_gradients([(slices, table)])
    np.testing.assert_allclose(table.numpy()[:2], [[0.6, 0.8], [0.3, 0.4]], rtol=1e-15)
    np.testing.assert_array_equal(table.numpy()[2], rows[2])


def test_a_zero_row_without_gradient_stays_zero():
    table = unit_ball_variable(np.zeros((2, 3)))
    optimizer = PoincareOptimizer(keras.optimizers.Adagrad(0.1))
    optimizer.apply_gradients([(tf.zeros((2, 3), tf.float64), table)])
    np.testing.assert_array_equal(table.numpy(), np.zeros((2, 3)))


def test_an_undeclared_variable_is_not_bounded():
    table = tf.Variable([[3.0, 4.0]])
    optimizer = PoincareOptimizer(keras.optimizers.SGD(1.0))
    optimizer.apply_gradients([(tf.constant([[-3.0, -4.0]]), table)])
    np.testing.assert_array_equal(table.numpy(), [[6.0, 8.0]])
