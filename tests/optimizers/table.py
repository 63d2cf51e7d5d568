"""A table and batches for the optimizer tests, and the updates by hand in NumPy.

All numbers that Keras keeps in float32 (rates, decays) are dyadic here, so float64
tables follow the hand arithmetic to float64 rounding.
"""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.geometry.spaces import PoincareBall, declare
from hyperml_tf.optimizers import LazyAdam

ROWS, DIM, RATE = 7, 3, 0.125
MARGIN = 1e-10  # float64
BETA_1, BETA_2, EPSILON = 0.5, 0.75, 2.0**-20

INNER = {
    "sgd": lambda: keras.optimizers.SGD(RATE),
    "adagrad": lambda: keras.optimizers.Adagrad(
        RATE, initial_accumulator_value=0.125, epsilon=EPSILON
    ),
    "lazy adam": lambda: LazyAdam(RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON),
}


def start(c=1.0, reach=0.8):
    """Rows [ROWS, DIM] with √c‖x‖ from 0 to `reach`, float64."""
    way = np.random.default_rng(1).normal(size=(ROWS, DIM))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    return np.linspace(0, reach, ROWS)[:, None] * way / np.sqrt(c or 1.0)


def variable(rows, c=1.0):
    """A table of the ball; of ℝᴰ, undeclared, for c None."""
    table = tf.Variable(rows)
    if c is not None:
        declare(table, PoincareBall(c))
    return table


def batches(count, size=3, scale=1.0):
    """(ids, gradient rows) of `count` steps, ids distinct within each."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        ids = rng.permutation(ROWS)[:size].astype(np.int32)
        yield ids, scale * rng.normal(size=(size, DIM))


def sparse(ids, values):
    return tf.IndexedSlices(tf.constant(values), tf.constant(ids), (ROWS, DIM))


def dense(ids, values):
    total = np.zeros((ROWS, DIM))
    np.add.at(total, ids, values)
    return tf.constant(total)


class ByHand:
    """Eq. 14 around SGD, Adam or AdaGrad as published, row-lazy, on float64 arrays."""

    def __init__(self, rows, kind, c, retraction):
        self.rows, self.kind, self.c, self.retraction = rows.copy(), kind, c, retraction
        self.m, self.v = np.zeros_like(rows), np.zeros_like(rows)
        self.total, self.t = np.full_like(rows, 0.125), 0

    def step(self, ids, gradient):
        x = self.rows[ids]
        squared = np.sum(x**2, axis=1, keepdims=True)
        g = (1 - self.c * squared) ** 2 / 4 * gradient
        move = self.euclidean(ids, g)
        if self.retraction == "exp":
            moved = self.exp_map(x, move)
        else:
            moved = x + move
        size = np.sqrt(self.c) * np.linalg.norm(moved, axis=1, keepdims=True)
        self.rows[ids] = moved * np.minimum(1, (1 - MARGIN) / np.maximum(size, 1e-300))

    def euclidean(self, ids, g):
        self.t += 1
        if self.kind == "sgd":
            return -RATE * g
        if self.kind == "adagrad":  # Duchi et al. 2011, ε under the root as in Keras
            self.total[ids] += g**2
            return -RATE * g / np.sqrt(self.total[ids] + EPSILON)
        # Kingma & Ba 2015, end of section 2: the efficient order, with ε-hat.
        self.m[ids] = BETA_1 * self.m[ids] + (1 - BETA_1) * g
        self.v[ids] = BETA_2 * self.v[ids] + (1 - BETA_2) * g**2
        rate = RATE * np.sqrt(1 - BETA_2**self.t) / (1 - BETA_1**self.t)
        return -rate * self.m[ids] / (np.sqrt(self.v[ids]) + EPSILON)

    def exp_map(self, x, v):
        """Eq. 7 by way of Eq. 5, c > 0."""
        root = np.sqrt(self.c)
        xx = np.sum(x**2, axis=1, keepdims=True)
        size = np.linalg.norm(v, axis=1, keepdims=True)
        size = np.where(size > 0, size, 1)
        y = np.tanh(root * size / (1 - self.c * xx)) * v / (root * size)
        xy = np.sum(x * y, axis=1, keepdims=True)
        yy = np.sum(y**2, axis=1, keepdims=True)
        c = self.c
        above = (1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y
        return above / (1 + 2 * c * xy + c**2 * xx * yy)
