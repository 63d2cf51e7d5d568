"""The fused softmax steps against the TensorFlow path, itself tested against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.geometry import poincare
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.kernels.softmax_steps import FusedSoftmaxSteps
from hyperml_tf.models.softmax import SoftmaxRecommender
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer, in_their_spaces

USERS, ITEMS, BATCH = 40, 70, 37
RATE = 0.02
# Adam's first steps move by about RATE whatever the gradient: where a gradient is all
# but 0, its rounding decides. So after few steps, against the tables' size of 0.5.
TOLERANCE = 2e-4


@pytest.fixture
def data(make_interactions, rng):
    train = [
        rng.choice(ITEMS, size=3 + user % 5, replace=False) for user in range(USERS)
    ]
    return make_interactions([list(items) for items in train], ITEMS)


def trained(data, options, fused, pairs):
    model = SoftmaxRecommender(
        USERS, ITEMS, init_scale=0.9 / options["dim"] ** 0.5, seed=1, **options
    )
    model.adapt(data)
    optimizer = in_their_spaces(LazyAdam(RATE), model.trainable_variables)
    model.compile(optimizer)
    optimizer.build(model.trainable_variables)
    users, pos = (tf.constant(side, tf.int32) for side in pairs)
    if fused:
        terms = FusedSoftmaxSteps(model, optimizer, BATCH)(users, pos, None)
        losses = np.stack([terms["total"], terms["softmax"]], axis=1)
    else:
        losses = []
        for start in range(0, len(users), BATCH):
            batch = slice(start, start + BATCH)
            terms = model.step(users[batch], pos[batch], pos[batch])
            losses.append([terms["total"], terms["softmax"]])
    return model, np.array(losses)


CASES = {
    "sphere": dict(points="sphere"),
    "sphere, flat": dict(points="sphere", c=0.0, radius=1.5),
    "cosine": dict(points="sphere", similarity="dot", radius=1.0, temperature=0.3),
    "clipped": dict(points="clipped", radius=0.9),
    "clipped, near the rim": dict(points="clipped", radius=0.97),
    "tangent": dict(points="tangent", c=0.5, l2=0.01),
    "tangent, flat": dict(points="tangent", c=0.0),
    "ball": dict(points="ball", l2=0.003),
    "dot": dict(points="tangent", c=0.0, similarity="dot", l2=0.01),
    "popularity": dict(points="sphere", shared_sampler="popularity"),
    "in batch": dict(points="sphere", shared_sampler="in_batch"),
    "known masked": dict(points="sphere", mask_known=True),
    "history": dict(points="sphere", history=1.0),
    "history, few items": dict(
        points="ball",
        history=0.3,
        history_dropout=0.0,
        history_items=2,
        mask_known=True,
    ),
    "history, flat": dict(
        points="tangent", c=0.0, similarity="dot", history=0.5, l2=0.01
    ),
    "no correction": dict(shared_sampler="popularity", log_q=False),
}


# Both a dimension that fills the tiles of the products and one that does not.
@pytest.mark.parametrize(
    ("case", "dim"),
    [*((case, 5) for case in CASES), ("sphere", 32), ("ball", 32), ("dot", 32)],
)
def test_fused_steps_do_what_the_tensorflow_path_does(data, rng, case, dim):
    options = {"dim": dim, "shared_negatives": 45} | CASES[case]
    count = 3 * BATCH + 11  # the last batch is smaller
    pairs = rng.integers(USERS, size=count), rng.integers(ITEMS, size=count)
    ours, our_losses = trained(data, options, True, pairs)
    slow, slow_losses = trained(data, options, False, pairs)
    np.testing.assert_allclose(our_losses, slow_losses, rtol=1e-5, atol=1e-5)
    for one, other in zip(ours.trainable_weights, slow.trainable_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=TOLERANCE)
    assert int(ours.optimizer.iterations) == int(slow.optimizer.iterations) == 4


def test_fused_steps_have_the_same_bits_each_time(data, rng):
    pairs = rng.integers(USERS, size=90), rng.integers(ITEMS, size=90)
    options = {"dim": 8, "shared_negatives": 20}
    (one, _), (other, _) = (trained(data, options, True, pairs) for _ in range(2))
    for first, second in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("options", "optimizer"),
    [
        ({"dropout": 0.5}, LazyAdam()),
        ({"item_bias": True}, LazyAdam()),
        ({}, LazyAdam(clipnorm=1.0)),
        ({"points": "ball"}, LazyAdam()),
    ],
)
def test_what_has_no_fused_steps_is_refused(options, optimizer):
    model = SoftmaxRecommender(USERS, ITEMS, dim=4, **options)
    with pytest.raises(KernelUnavailable):
        FusedSoftmaxSteps(model, optimizer, BATCH)


def test_points_that_crowd_near_the_rim_keep_their_distances(rng):
    """There the Gram matrix alone leaves no digit of them: against float64."""
    model = SoftmaxRecommender(
        USERS, ITEMS, dim=8, points="clipped", radius=0.999, shared_negatives=30
    )
    place = rng.normal(size=8)
    for layer in (model.user_table, model.item_table):
        rows = place / np.linalg.norm(place) + 1e-4 * rng.normal(size=layer.table.shape)
        layer.table.assign(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    users, pos = rng.integers(USERS, size=16), rng.integers(ITEMS, size=16)
    drawn = model.shared.draw(0, None).numpy()
    u, v = (
        model.radius * layer.table.numpy().astype(np.float64)
        for layer in (model.user_table, model.item_table)
    )
    scores = -poincare.squared_distance(u[users][:, None], v[None]).numpy()
    scores = np.exp(scores / model.softmax.temperature)
    own = scores[np.arange(16), pos]
    others = scores[:, drawn] * (drawn != pos[:, None])
    expected = np.mean(-np.log(own / (own + others.sum(axis=1))))
    steps = FusedSoftmaxSteps(model, PoincareOptimizer(LazyAdam(0.0)), 16)
    got = steps(tf.constant(users, tf.int32), tf.constant(pos, tf.int32), None)
    assert float(got["softmax"][0]) == pytest.approx(expected, rel=1e-4)
