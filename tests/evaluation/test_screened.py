"""Counting in float32 against long doubles, and against the ranking by all scores."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.evaluation import protocol
from hyperml_tf.evaluation.screened import Screen
from hyperml_tf.geometry.retrieval import InnerProduct, Points
from hyperml_tf.geometry.spaces import PoincareBall
from hyperml_tf.models import MFBPR, HyperML

USERS, ITEMS, DIM = 50, 333, 8


def screen_of(users, items, measure=None):
    measure = measure or InnerProduct()
    points = Points(
        measure, *(tf.constant(x, tf.float64) for x in (users, items)), None
    )
    queries, lifted = measure.lift_query(points.users), measure.lift_item(points.items)
    exact = [x.numpy().astype(np.longdouble) for x in (queries, lifted)]
    return Screen(points), exact[0] @ exact[1].T


def counted(screen, products, rng, known=7):
    """What is counted, and what is right, for a random target of each user."""
    users, targets = np.arange(len(products)), rng.integers(0, ITEMS, len(products))
    row = np.repeat(users, known)
    item = np.concatenate([rng.choice(ITEMS, known, replace=False) for _ in users])
    row, item = (x[item != targets[row]] for x in (row, item))
    better, unsure = screen.count(users, *map(np.int32, (targets, row, item)))
    target = products[users, targets]
    candidates = products.copy()
    candidates[row, item] = -np.inf
    expected = (candidates > target[:, np.newaxis]).sum(axis=1)
    return better, unsure, expected, np.abs(candidates - target[:, np.newaxis])


@pytest.mark.parametrize("scale", [1e-25, 1e-3, 1.0, 1e7, 1e14])
@pytest.mark.parametrize("apart", [1.0, 1e-6, 1e-9])
def test_counts_are_those_of_exact_products(scale, apart, rng):
    """Where all items differ by less than float32 sees, too."""
    users = rng.normal(size=(USERS, DIM)) * scale
    items = (1 + apart * rng.normal(size=(ITEMS, DIM))) * scale
    better, unsure, expected, _ = counted(*screen_of(users, items), rng)
    assert unsure.mean() < 0.02
    assert np.array_equal(better[~unsure], expected[~unsure])


def test_items_that_tie_are_left_to_the_caller(rng):
    items = rng.normal(size=(ITEMS, DIM))
    items[1::2] = items[:-1:2]
    screen, products = screen_of(rng.normal(size=(USERS, DIM)), items)
    _, unsure, _, apart = counted(screen, products, rng, known=0)
    assert np.array_equal(unsure, (apart == 0).sum(axis=1) > 1)
    assert unsure.mean() > 0.9


def test_what_float32_cannot_hold_is_left_to_the_caller(rng):
    users, items = rng.normal(size=(USERS, DIM)), rng.normal(size=(ITEMS, DIM))
    for users_times, items_times in ((1e20, 1e20), (np.nan, 1.0), (1.0, np.inf)):
        bad = users.copy(), items.copy()
        bad[0][3] *= users_times
        bad[1][5] *= items_times
        with np.errstate(invalid="ignore"):
            screen, _ = screen_of(*bad)
        nothing = np.zeros(0, np.int32)
        targets = np.zeros(USERS, np.int32)
        assert screen.count(np.arange(USERS), targets, nothing, nothing).unsure.all()


def test_distances_near_the_edge_of_the_ball_are_counted_rightly(rng):
    """Where products are large and cancel."""
    points = rng.normal(size=(USERS + ITEMS, DIM))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points *= 1 - 10.0 ** rng.uniform(-5, 0, size=(len(points), 1))
    ball = PoincareBall(1.0)
    better, unsure, expected, _ = counted(
        *screen_of(points[:USERS], points[USERS:], ball), rng
    )
    assert unsure.mean() < 0.2
    assert np.array_equal(better[~unsure], expected[~unsure])


@pytest.mark.parametrize("model", [HyperML, MFBPR])
def test_ranks_are_those_by_all_scores(model, make_interactions, rng, monkeypatch):
    """Bit for bit, with items that tie and items that nearly do."""
    users, items = 60, 500
    lists = [rng.permutation(items)[: rng.integers(2, 40)] for _ in range(users)]
    data = make_interactions(
        [row[2:].tolist() for row in lists],
        items,
        [row[0] for row in lists],
        [row[1] for row in lists],
        np.full((users, 5), -1),
    )
    made = model(users, items, dim=DIM, init_scale=0.3)
    table = made.item_table.table.numpy()
    table[100:200] = table[:100]
    table[200:300] = table[:100] * np.float32(1 + 1e-6)
    made.item_table.table.assign(table)
    screened = [protocol.full(made, data, split) for split in ("valid", "test")]
    monkeypatch.setattr(protocol, "_screen", lambda *_: None)
    for split, found in zip(("valid", "test"), screened, strict=True):
        expected = protocol.full(made, data, split)
        assert np.array_equal(found.ranks, expected.ranks)
        assert np.array_equal(found.candidates, expected.candidates)
    assert (screened[1].ranks % 1 == 0.5).any()  # ties, of the rows that are twice
