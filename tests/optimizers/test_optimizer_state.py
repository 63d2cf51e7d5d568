"""Optimizers written down and read back: configs, checkpoints, strategies."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer
from tests.optimizers import table as tables

EXAMPLES = {
    "poincare sgd": lambda: PoincareOptimizer(tables.INNER["sgd"](), "exp"),
    "poincare adagrad": lambda: PoincareOptimizer(tables.INNER["adagrad"]()),
    "poincare lazy adam": lambda: PoincareOptimizer(tables.INNER["lazy adam"]()),
    "poincare adam": lambda: PoincareOptimizer(keras.optimizers.Adam(0.01)),
    "lazy adam": lambda: tables.INNER["lazy adam"](),
}
EVERY = pytest.mark.parametrize("name", EXAMPLES)


def step(optimizer, table, ids, gradient):
    optimizer.apply_gradients([(tables.sparse(ids, gradient), table)])


@EVERY
def test_config_round_trip(name):
    optimizer = EXAMPLES[name]()
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    registered = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(registered) is type(optimizer)
    assert registered.get_config() == optimizer.get_config()
    table, other = (tables.variable(tables.start(), 0.37) for _ in range(2))
    for ids, gradient in tables.batches(3):
        step(optimizer, table, ids, gradient)
        step(again, other, ids, gradient)
    np.testing.assert_array_equal(table.numpy(), other.numpy())


def test_a_learning_rate_schedule_survives_the_config():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    optimizer = PoincareOptimizer(LazyAdam(schedule))
    again = PoincareOptimizer.from_config(optimizer.get_config())
    table, other = (tables.variable(tables.start(), 0.37) for _ in range(2))
    for ids, gradient in tables.batches(3):
        step(optimizer, table, ids, gradient)
        step(again, other, ids, gradient)
    np.testing.assert_array_equal(table.numpy(), other.numpy())
    assert float(again.learning_rate) == 0.5 * 0.5**2  # that of the third step


@EVERY
def test_a_restored_optimizer_makes_the_same_next_step_bit_for_bit(name, tmp_path):
    steps = list(tables.batches(6))
    table, optimizer = tables.variable(tables.start(), 0.37), EXAMPLES[name]()
    for ids, gradient in steps[:3]:
        step(optimizer, table, ids, gradient)
    path = tf.train.Checkpoint(table=table, optimizer=optimizer).write(
        str(tmp_path / "checkpoint")
    )
    fresh, other = (
        tables.variable(np.zeros_like(tables.start()), 0.37),
        EXAMPLES[name](),
    )
    other.build([fresh])
    status = tf.train.Checkpoint(table=fresh, optimizer=other).read(path)
    status.assert_consumed()
    np.testing.assert_array_equal(fresh.numpy(), table.numpy())
    for ids, gradient in steps[3:]:
        step(optimizer, table, ids, gradient)
        step(other, fresh, ids, gradient)
    np.testing.assert_array_equal(fresh.numpy(), table.numpy())
    assert other.iterations.numpy() == 6


@pytest.mark.slow
def test_two_replicas_equal_one_process():
    # In a process of its own: devices are fixed when TensorFlow starts.
    program = """
import hyperml_tf, numpy as np, tensorflow as tf
from tests.optimizers import table as tables
from hyperml_tf.geometry.spaces import PoincareBall, declare
from hyperml_tf.optimizers import PoincareOptimizer

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def train(strategy, steps):
    with strategy.scope():
        table = tf.Variable(tables.start(), aggregation=tf.VariableAggregation.MEAN)
        declare(table, PoincareBall(0.37))
        optimizer = PoincareOptimizer(tables.INNER["lazy adam"]())
        optimizer.build([table])

    @tf.function
    def step(ids, gradient):
        def replica(part_ids, part):
            sparse = tf.IndexedSlices(part, part_ids, tf.constant([7, 3]))
            optimizer.apply_gradients([(sparse, table)])
        n = strategy.num_replicas_in_sync
        split = lambda x: strategy.experimental_distribute_values_from_function(
            lambda context: tf.split(x, n)[context.replica_id_in_sync_group])
        strategy.run(replica, (split(ids), split(gradient)))

    for ids, gradient in steps:
        step(tf.constant(ids), tf.constant(gradient))
    return table.numpy()

steps = [(np.repeat(i, 2), np.repeat(g, 2, axis=0)) for i, g in tables.batches(4, 4)]
one = train(tf.distribute.get_strategy(), steps)
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), steps)
assert np.abs(one - tables.start()).max() > 0.1
np.testing.assert_allclose(one, two, atol=1e-12)
print("equal")
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert result.stdout.endswith("equal\n"), result.stderr[-2000:]
