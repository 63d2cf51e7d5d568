"""Models in Keras's hands: a training step, what it counts, and that it learns."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.evaluation import protocol
from hyperml_tf.models import DEFINITIONS, Popularity
from hyperml_tf.models.base import metric_init_scale
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer

OPTIONS = {
    "hyperml": dict(c=1.0, margin=0.5, distortion_weight=0.1),
    "hyperts": dict(c=1.0, margin=0.5, distortion_weight=0.1),
    "cml": dict(margin=0.5),
    "mf_bpr": dict(l2=1e-4),
}
BATCH = tuple(np.array(ids, np.int32) for ids in ([0, 1, 2], [0, 1, 1], [2, 3, 0]))


def compiled(key, users, items, inner, dropout=0.0):
    scale = 0.01 if key == "mf_bpr" else metric_init_scale(16)
    options = dict(dim=16, init_scale=scale, dropout=dropout, seed=1) | OPTIONS[key]
    model = DEFINITIONS[key].model(users, items, **options)
    model.compile(PoincareOptimizer(inner), jit_compile=False)
    return model


def one_batch():
    return tf.data.Dataset.from_tensors(BATCH).repeat()


@pytest.mark.parametrize("key", OPTIONS)
def test_a_step_of_fit_moves_the_rows_of_the_batch_down_the_gradient(key):
    model = compiled(key, 4, 6, keras.optimizers.SGD(0.5))
    before = float(model.train_loss(*BATCH)["total"])
    users, items = (t.table.numpy() for t in (model.user_table, model.item_table))
    history = model.fit(one_batch(), steps_per_epoch=1, verbose=0).history
    assert set(history) == {f"loss/{term}" for term in model.terms}
    assert history["loss/total"] == [pytest.approx(before, rel=1e-5)]
    assert float(model.train_loss(*BATCH)["total"]) < before
    moved_users = np.any(model.user_table.table.numpy() != users, axis=1)
    moved_items = np.any(model.item_table.table.numpy() != items, axis=1)
    np.testing.assert_array_equal(moved_users, [True, True, True, False])
    np.testing.assert_array_equal(moved_items, [True] * 4 + [False] * 2)


def test_steps_are_counted_until_the_first_loss_that_is_not_finite():
    model = compiled("mf_bpr", 4, 6, keras.optimizers.SGD(0.1))
    model.fit(one_batch(), steps_per_epoch=3, verbose=0)
    assert model.finite_steps.numpy() == 3
    users, items = (t.table.numpy() for t in (model.user_table, model.item_table))
    model.user_table.table.assign(users * np.nan)
    model.fit(one_batch(), steps_per_epoch=2, verbose=0)
    model.user_table.table.assign(users)
    model.item_table.table.assign(items)
    history = model.fit(one_batch(), steps_per_epoch=1, verbose=0).history
    assert np.isfinite(history["loss/total"][0])  # sound again, but not counted
    assert model.finite_steps.numpy() == 3
    assert model.optimizer.iterations.numpy() == 6


def hierarchy(make_interactions, rng, users=240, depth=5):
    """A binary tree of genres: a user likes what lies near the path to one leaf.

    Each node of the tree holds the same number of items, so those near the root,
    which many like, are the popular ones, and popularity is a baseline worth beating.
    """
    node_items = 4
    nodes = 2 ** (depth + 1) - 1
    num_items = nodes * node_items
    train, valid, test, negatives = [], [], [], []
    for _ in range(users):
        node = nodes - 1 - rng.integers(2**depth)
        path = []
        while node >= 0:
            path.extend(range(node * node_items, (node + 1) * node_items))
            node = (node - 1) // 2 if node else -1
        liked = rng.permutation(path)[:14]
        others = np.setdiff1d(np.arange(num_items), liked)
        train.append(liked[:-2].tolist())
        valid.append(liked[-2])
        test.append(liked[-1])
        negatives.append(rng.permutation(others)[:100])
    return make_interactions(train, num_items, valid, test, np.array(negatives))


@pytest.mark.slow
@pytest.mark.parametrize("key", OPTIONS)
def test_a_hierarchy_is_learned_well_enough_to_beat_popularity(
    key, make_interactions, rng
):
    interactions = hierarchy(make_interactions, rng)
    size = interactions.num_users, interactions.num_items
    floor = Popularity(*size)
    floor.adapt(interactions)
    model = compiled(key, *size, LazyAdam(0.01), dropout=0.2)
    sampler = TripletSampler(interactions, seed=1)
    model.fit(
        sampler.dataset(128),
        steps_per_epoch=sampler.steps_per_epoch(128),
        epochs=30,
        verbose=0,
    )
    # Of 240 users' hits at 0.5 the standard error is 0.03: ahead by three of them
    # among sampled negatives, and ahead in the full catalogue.
    for ranking, lead in ((protocol.sampled, 0.1), (protocol.full, 0.0)):
        learned = ranking(model, interactions, "test").summary()
        popular = ranking(floor, interactions, "test").summary()
        assert learned["hr10"] > popular["hr10"] + lead
        assert learned["ndcg10"] > popular["ndcg10"] + lead
