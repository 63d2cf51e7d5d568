"""Embeddings, dropout and the distance layer as Keras layers."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf import layers
from hyperml_tf.geometry.row_space import PoincareBall, UnitBall, row_space

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
        (layers.RowEmbedding(2, 2, 0.1), None),
        (layers.UnitBallEmbedding(2, 2, 0.1), UnitBall()),
        (layers.PoincareEmbedding(2, 2, 0.1, c=0.37), PoincareBall(0.37)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_embedding_declares_where_its_rows_lie(layer, space):
    assert row_space(layer.table) == space


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
    spaces = {row_space(weight) for weight in again.weights}
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
