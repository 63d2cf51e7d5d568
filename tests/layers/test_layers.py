"""Embeddings, dropout and the distance layer as Keras layers."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf import layers
from hyperml_tf.geometry.spaces import Euclidean, PoincareBall, UnitBall, space_of
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer, RiemannianAdam

EXAMPLES = [
    layers.RowEmbedding(5, 3, 0.1, seed=4),
    layers.UnitBallEmbedding(5, 3, 0.1, seed=4),
    layers.PoincareEmbedding(5, 3, 0.1, c=0.37, seed=4, name="users"),
    layers.GyrovectorDistance(0.37, squared=True),
    layers.PullPushLoss(0.2),
    layers.DistortionLoss(4.0),
    layers.RowDropout(0.3, seed=9),
]


@pytest.mark.parametrize("layer", EXAMPLES, ids=lambda layer: type(layer).__name__)
def test_config_round_trip(layer):
    written = keras.layers.serialize(layer)
    again = keras.layers.deserialize(written)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    for ours, theirs in zip(again.weights, layer.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the seed is in the config


@pytest.mark.parametrize(
    "layer, space",
    [
        (layers.RowEmbedding(2, 2, 0.1), Euclidean()),
        (layers.UnitBallEmbedding(2, 2, 0.1), UnitBall()),
        (layers.PoincareEmbedding(2, 2, 0.1, c=0.37), PoincareBall(0.37)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_embedding_declares_where_its_rows_lie(layer, space):
    assert space_of(layer.table) == space


def test_initial_rows_are_uniform_within_the_scale():
    scale = 0.02
    table = layers.PoincareEmbedding(2000, 16, scale, seed=1).table.numpy()
    assert table.dtype == np.float32
    assert np.abs(table).max() <= scale
    counts, _ = np.histogram(table, bins=20, range=(-scale, scale))
    expected = table.size / 20
    # Chi-square, 19 degrees of freedom: 43.8 is the 99.9th percentile.
    assert np.sum((counts - expected) ** 2 / expected) < 43.8


def test_equal_seeds_give_equal_tables_and_different_ones_do_not():
    first, again, other = (
        layers.RowEmbedding(20, 4, 0.1, seed=seed).table.numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.all(first != other)


def test_a_lookup_gives_rows_and_a_sparse_gradient():
    layer = layers.PoincareEmbedding(6, 2, 0.1, seed=0)
    ids = tf.constant([[4, 1], [4, 0]])
    with tf.GradientTape() as tape:
        rows = layer(ids)
        loss = tf.reduce_sum(rows)
    np.testing.assert_array_equal(rows, layer.table.numpy()[ids.numpy()])
    gradient = tape.gradient(loss, layer.table)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_array_equal(gradient.indices, [4, 1, 4, 0])


def test_the_distance_layer_squares_on_demand():
    x, y = tf.constant([[0.0, 0.0]]), tf.constant([[0.6, 0.0]])
    expected = 2 * np.arctanh(0.6)
    distance = layers.GyrovectorDistance()(x, y)
    squared = layers.GyrovectorDistance(squared=True)(x, y)
    np.testing.assert_allclose(distance, [expected], rtol=1e-6)
    np.testing.assert_allclose(squared, [expected**2], rtol=1e-6)


def test_a_functional_model_of_these_layers_is_saved_and_loaded(tmp_path):
    user, item = (keras.Input((), dtype=tf.int32) for _ in range(2))
    users = layers.PoincareEmbedding(5, 3, 0.3, c=0.37, seed=1)
    items = layers.PoincareEmbedding(7, 3, 0.3, c=0.37, seed=2)
    output = layers.GyrovectorDistance(0.37)(users(user), items(item))
    model = keras.Model([user, item], output)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    ids = [np.array([0, 4, 2]), np.array([6, 0, 2])]
    np.testing.assert_array_equal(again(ids), model(ids))
    spaces = {space_of(weight) for weight in again.weights}
    assert spaces == {PoincareBall(0.37)}


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_zeroes_at_its_rate_and_scales_the_survivors(rate):
    rows = np.full((1000, 64), 3.0, np.float32)
    masked = layers.RowDropout(rate, seed=5)(rows, 0).numpy()
    dropped = masked == 0
    np.testing.assert_allclose(masked[~dropped], 3 / (1 - rate), rtol=1e-6)
    deviation = np.sqrt(rate * (1 - rate) / rows.size)
    assert abs(dropped.mean() - rate) < 4 * deviation
    # Each column and each row too: no coordinate is favoured.
    assert np.abs(dropped.mean(axis=0) - rate).max() < 5 * deviation * np.sqrt(64)
    assert np.abs(dropped.mean(axis=1) - rate).max() < 5 * deviation * np.sqrt(1000)


def test_the_mask_is_a_function_of_seed_and_step_alone():
    rows = np.ones((40, 8), np.float32)
    layer = layers.RowDropout(0.5, seed=5)
    first = layer(rows, tf.constant(7, tf.int64)).numpy()
    again = layers.RowDropout(0.5, seed=5)(rows, tf.constant(7, tf.int64)).numpy()
    next_step = layer(rows, tf.constant(8, tf.int64)).numpy()
    other_seed = layers.RowDropout(0.5, seed=6)(rows, tf.constant(7, tf.int64)).numpy()
    np.testing.assert_array_equal(first, again)
    for other in (next_step, other_seed):  # 320 fair coins: 160 ± 9 agree
        assert 110 < np.sum(first == other) < 210


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 3, 3), (2, 4)])
def test_dropout_takes_any_shape(shape):
    masked = layers.RowDropout(0.5)(np.ones(shape, np.float32), 1).numpy()
    assert masked.shape == shape
    assert set(np.unique(masked)) <= {0.0, 2.0}


def test_dropout_of_rate_zero_is_the_identity():
    rows = tf.random.stateless_normal([4, 3], [1, 2])
    np.testing.assert_array_equal(layers.RowDropout(0.0)(rows, 3), rows)


def test_dropout_masks_the_gradient_as_it_masks_the_rows():
    rows, layer = tf.ones([6, 4]), layers.RowDropout(0.5, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        masked = layer(rows, 3)
    np.testing.assert_array_equal(tape.gradient(masked, rows), masked)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_an_impossible_dropout_rate_is_refused(rate):
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\)"):
        layers.RowDropout(rate)


BOUNDED = [
    layers.PoincareEmbedding(9, 3, 0.1, c=4.0, seed=1),
    layers.UnitBallEmbedding(9, 3, 0.1, seed=1),
]


@pytest.mark.parametrize("layer", BOUNDED, ids=lambda layer: type(layer).__name__)
def test_a_plain_optimizer_cannot_leave_the_ball(layer):
    optimizer = keras.optimizers.Adam(0.5)
    for _ in range(5):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(layer(tf.range(6)) ** 2)  # pushes outwards
        optimizer.minimize(loss, [layer.table], tape)
    space = space_of(layer.table)
    norms = space.inverse_radius * np.linalg.norm(layer.table.numpy(), axis=1)
    np.testing.assert_allclose(norms[:6], space.rim(tf.float32), rtol=1e-6)
    assert np.all(norms[6:] < 0.5)


@pytest.mark.parametrize("optimizer", [PoincareOptimizer(LazyAdam()), RiemannianAdam()])
def test_our_optimizers_leave_rows_outside_the_batch_to_rest(optimizer):
    layer = layers.PoincareEmbedding(9, 3, 0.1, seed=1)
    outside = np.full((9, 3), 2.0, np.float32)  # a constraint would bring all back
    layer.table.assign(outside)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer([0, 4]))
    optimizer.minimize(loss, [layer.table], tape)
    resting = [1, 2, 3, 5, 6, 7, 8]
    np.testing.assert_array_equal(layer.table.numpy()[resting], outside[resting])
    assert np.all(np.linalg.norm(layer.table.numpy()[[0, 4]], axis=1) < 1)
    assert layer.table.constraint is not None


def test_constraints_of_other_variables_stay():
    table = layers.PoincareEmbedding(4, 2, 0.1, seed=1).table
    other = tf.Variable([1.0, -1.0], constraint=tf.nn.relu)
    optimizer = PoincareOptimizer(keras.optimizers.SGD(0.5))
    optimizer.apply_gradients([(tf.zeros([4, 2]), table), (tf.zeros(2), other)])
    np.testing.assert_array_equal(other.numpy(), [1.0, 0.0])


@pytest.mark.slow
def test_under_two_replicas_a_plain_optimizer_cannot_leave_the_ball_either():
    # In a process of its own: devices are fixed when TensorFlow starts.
    program = """
import hyperml_tf, numpy as np, tensorflow as tf, tf_keras as keras
from hyperml_tf import layers
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
plain, ours = keras.optimizers.Adam, lambda rate: PoincareOptimizer(LazyAdam(rate))
for make in (plain, ours):
    with strategy.scope():
        layer = layers.PoincareEmbedding(9, 3, 0.1, c=4.0, seed=1)
        optimizer = make(0.5)
        optimizer.build([layer.table])

    def replica():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(layer(tf.range(9)) ** 2)
        optimizer.minimize(loss, [layer.table], tape)

    step = tf.function(lambda: strategy.run(replica))
    for _ in range(5):
        step()
    norms = [2 * np.linalg.norm(t, axis=1) for t in layer.table.values]
    np.testing.assert_array_equal(*norms)
    assert np.all(norms[0] < 1) and np.all(norms[0] > 0.9), norms
print("inside")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.stdout.endswith("inside\n"), done.stderr[-2000:]
