"""The softmax loss, the draws of its candidates, and the false ones among them."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.layers.history import KnownItems
from hyperml_tf.layers.shared_negatives import (
    SharedNegatives,
    SharedSoftmaxLoss,
)


def slow_loss(pos, others, temperature):
    shares = [np.exp(s / temperature) for s in (pos, *others)]
    return -np.log(shares[0] / sum(shares))


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0])
def test_the_loss_is_minus_log_of_the_positives_share(rng, temperature):
    pos, others = rng.normal(size=6), rng.normal(size=(6, 9))
    got = SharedSoftmaxLoss(temperature, dtype="float64")(
        tf.constant(pos), tf.constant(others)
    )
    expected = [slow_loss(*row, temperature) for row in zip(pos, others, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_gradient_by_hand_is_the_central_difference(rng):
    pos, others = rng.normal(size=3), rng.normal(size=(3, 4))
    weight, loss, h = rng.normal(size=3), SharedSoftmaxLoss(0.5, dtype="float64"), 1e-6
    scores = tf.constant(np.concatenate([pos[:, None], others], axis=1))

    def total(scores):
        return tf.reduce_sum(weight * loss(scores[:, 0], scores[:, 1:]))

    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = total(scores)
    got = tape.gradient(value, scores).numpy()
    for at in np.ndindex(got.shape):
        step = np.zeros(got.shape)
        step[at] = h
        difference = (total(scores + step) - total(scores - step)) / (2 * h)
        assert got[at] == pytest.approx(float(difference), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("pos", [1e5, -1e5])
def test_scores_of_any_size_give_finite_losses_and_gradients(pos):
    pos, others = tf.Variable([pos]), tf.Variable([[3.0, -1e30, 2e4]])
    with tf.GradientTape() as tape:
        loss = SharedSoftmaxLoss(0.1)(pos, others)
    for value in (loss, *tape.gradient(loss, [pos, others])):
        assert np.all(np.isfinite(value))


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature must be > 0, got 0"):
        SharedSoftmaxLoss(0.0)


ITEMS = 5
TRAIN = np.repeat(np.arange(ITEMS), [8, 4, 2, 1, 1]).astype(np.int32)


def frequencies(sampler, steps=60, count=500):
    draws = SharedNegatives(ITEMS, count, sampler, seed=3)
    draws.adapt(TRAIN)
    drawn = [draws.draw(step, tf.constant([0])) for step in range(steps)]
    return np.bincount(np.concatenate(drawn), minlength=ITEMS) / (steps * count)


@pytest.mark.parametrize(
    ("sampler", "shares"),
    [("uniform", np.full(ITEMS, 0.2)), ("popularity", np.array([8, 4, 2, 1, 1]) / 16)],
)
def test_candidates_are_drawn_with_the_samplers_probabilities(sampler, shares):
    # Five standard deviations of a frequency among 30,000 draws.
    np.testing.assert_allclose(frequencies(sampler), shares, atol=5 * 0.5 / 30000**0.5)


def test_log_probabilities_are_those_of_the_draws():
    draws = SharedNegatives(ITEMS, 3, "popularity", seed=0)
    draws.adapt(TRAIN)
    got = draws.log_probability(tf.range(ITEMS)).numpy()
    np.testing.assert_allclose(np.exp(got), np.array([8, 4, 2, 1, 1]) / 16, rtol=1e-6)


def test_candidates_are_a_function_of_seed_and_step():
    def drawn(seed, step):
        return SharedNegatives(1000, 20, "uniform", seed).draw(step, [0]).numpy()

    np.testing.assert_array_equal(drawn(1, 2), drawn(1, 2))
    assert np.any(drawn(1, 2) != drawn(1, 3)) and np.any(drawn(1, 2) != drawn(2, 2))


def test_in_batch_candidates_are_the_positives():
    draws = SharedNegatives(ITEMS, 99, "in_batch", seed=0)
    np.testing.assert_array_equal(draws.draw(0, tf.constant([4, 0, 4])), [4, 0, 4])


def test_a_sampler_that_needs_counts_says_so():
    with pytest.raises(ValueError, match=r"popularity needs .* call adapt first"):
        SharedNegatives(ITEMS, 3, "popularity", seed=0).draw(0, tf.constant([0]))
    with pytest.raises(ValueError, match="'best' is not known; one of: uniform"):
        SharedNegatives(ITEMS, 3, "best", seed=0)


def test_known_items_are_found_among_candidates_that_repeat(rng):
    train = [[0, 3, 7], [], [2], [3, 1, 9, 8]]
    splits = np.cumsum([0] + [len(items) for items in train])
    known = KnownItems(10, np.concatenate(train).astype(np.int32), splits)
    users, candidates = np.array([3, 1, 0, 0]), rng.integers(10, size=25)
    got = known.among(tf.constant(users), tf.constant(candidates, tf.int32)).numpy()
    expected = [[item in train[user] for item in candidates] for user in users]
    np.testing.assert_array_equal(got, expected)
