"""Sampled and full ranking against loops over users and items."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.evaluation import protocol
from hyperml_tf.models import Recommender

USERS, ITEMS, NEGATIVES = 40, 30, 12


class Table(Recommender):
    """Scores read from a [U, I] array."""

    def __init__(self, scores):
        super().__init__(*scores.shape)
        self.scores = tf.constant(scores)

    def score(self, users, items):
        users = tf.broadcast_to(users, tf.shape(items))
        return tf.gather_nd(self.scores, tf.stack([users, items], axis=-1))

    def score_all(self, users):
        return tf.cast(tf.gather(self.scores, users), tf.float64)


@pytest.fixture
def interactions(make_interactions, rng):
    """Random lists; some users have nothing held out, some negatives are padding."""
    train, valid, test, negatives = [], [], [], []
    for user in range(USERS):
        items = rng.permutation(ITEMS)
        size = rng.integers(0, 10)
        held_out = user % 5 != 0
        train.append(items[:size].tolist())
        valid.append(items[size] if held_out else -1)
        test.append(items[size + 1] if held_out else -1)
        row = np.full(NEGATIVES, -1)
        count = rng.integers(0, NEGATIVES + 1)
        row[:count] = items[size + 2 : size + 2 + count]
        negatives.append(row)
    return make_interactions(train, ITEMS, valid, test, np.array(negatives))


@pytest.fixture
def scores(rng):
    """[U, I] with many ties and some NaN."""
    scores = rng.integers(0, 7, size=(USERS, ITEMS)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.05] = np.nan
    return scores


def position(target, others):
    """1 + better + half the tied; last for NaN."""
    if np.isnan(target):
        return 1 + len(others)
    better = sum(1 for other in others if other > target)
    return 1 + better + sum(1 for other in others if other == target) / 2


@pytest.mark.parametrize("split", ["valid", "test"])
def test_sampled_ranks_equal_a_loop_over_the_stored_negatives(
    split, interactions, scores
):
    held_out = getattr(interactions, f"{split}_item")
    ranking = protocol.sampled(Table(scores), interactions, split)
    for user in range(USERS):
        stored = getattr(interactions, f"{split}_negatives")[user]
        negatives = [item for item in stored if item >= 0]
        if held_out[user] < 0:
            assert np.isnan(ranking.ranks[user]) and ranking.candidates[user] == 0
            continue
        target = scores[user, held_out[user]]
        assert ranking.ranks[user] == position(target, scores[user, negatives])
        assert ranking.candidates[user] == 1 + len(negatives)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_full_ranks_equal_a_loop_over_the_catalogue(
    split, interactions, scores, monkeypatch
):
    monkeypatch.setattr(protocol, "_FULL_BLOCK_BYTES", 8 * ITEMS * 7)  # several blocks
    held_out = getattr(interactions, f"{split}_item")
    ranking = protocol.full(Table(scores), interactions, split)
    for user in range(USERS):
        if held_out[user] < 0:
            assert np.isnan(ranking.ranks[user]) and ranking.candidates[user] == 0
            continue
        left_out = set(interactions.train_item[interactions.train_user == user])
        left_out |= {held_out[user]}
        if split == "test":
            left_out |= {interactions.valid_item[user]}
        others = [item for item in range(ITEMS) if item not in left_out]
        target = scores[user, held_out[user]]
        assert ranking.ranks[user] == position(target, scores[user, others])
        assert ranking.candidates[user] == 1 + len(others)


def test_at_validation_the_test_item_is_a_candidate_like_any_other(make_interactions):
    interactions = make_interactions([[0]], 4, valid=[1], test=[2])
    best_is_test = Table(np.array([[9.0, 5.0, 7.0, 1.0]], np.float32))
    ranking = protocol.full(best_is_test, interactions, "valid")
    assert (ranking.ranks, ranking.candidates) == ([2], [3])
    # And at test time the validation item is no candidate.
    best_is_valid = Table(np.array([[9.0, 7.0, 5.0, 1.0]], np.float32))
    ranking = protocol.full(best_is_valid, interactions, "test")
    assert (ranking.ranks, ranking.candidates) == ([1], [2])


@pytest.mark.parametrize("rank", [protocol.sampled, protocol.full])
def test_all_alike_is_no_better_than_chance_and_all_nan_is_zero(
    rank, make_interactions
):
    users = 20
    negatives = np.tile(np.arange(2, 102), (users, 1))
    interactions = make_interactions(
        [[]] * users, 102, [0] * users, [1] * users, negatives
    )
    alike = rank(Table(np.zeros((users, 102), np.float32)), interactions, "test")
    assert alike.summary()["hr10"] == 0 and alike.summary()["auc"] == 0.5
    nothing = Table(np.full((users, 102), np.nan, np.float32))
    summary = rank(nothing, interactions, "test").summary()
    assert summary["users"] == users
    assert all(summary[name] == 0 for name in ("hr10", "ndcg10", "hr20", "auc"))


def test_a_split_that_is_none_is_refused(interactions, scores):
    with pytest.raises(ValueError, match="split must be valid or test, got 'train'"):
        protocol.sampled(Table(scores), interactions, "train")


def test_further_items_are_ranked_like_the_first(interactions, scores, monkeypatch):
    monkeypatch.setattr(protocol, "_FULL_BLOCK_BYTES", 8 * ITEMS * 7)
    touched = {
        user: {
            *interactions.train_item[interactions.train_user == user],
            interactions.valid_item[user],
            interactions.test_item[user],
        }
        for user in (1, 2, 3)
    }
    free = {user: sorted(set(range(ITEMS)) - items) for user, items in touched.items()}
    valid = [(1, free[1][0]), (2, free[2][0])]
    test = [(1, free[1][1]), (1, free[1][2]), (3, free[3][0])]
    changed = dataclasses.replace(
        interactions,
        valid_more_user=np.array([u for u, _ in valid], np.int32),
        valid_more_item=np.array([i for _, i in valid], np.int32),
        test_more_user=np.array([u for u, _ in test], np.int32),
        test_more_item=np.array([i for _, i in test], np.int32),
    )
    ranking = protocol.full(Table(scores), changed, "test")
    assert ranking.more_users.tolist() == [1, 1, 3]
    for user, item, rank in zip(
        *zip(*test, strict=True), ranking.more_ranks, strict=True
    ):
        left_out = set(interactions.train_item[interactions.train_user == user])
        left_out |= {interactions.valid_item[user], item}
        left_out |= {i for u, i in valid if u == user}
        others = [i for i in range(ITEMS) if i not in left_out]
        assert rank == position(scores[user, item], scores[user, others])


def test_the_best_items_that_the_user_does_not_know_are_shown(make_interactions):
    data = make_interactions([[0], [1], [2]], 5, valid=[1, 2, -1], test=[4, 4, -1])
    scores = [[9, 8, 3, 2, 1], [1, 9, 8, 2, 3], [0, 0, 0, 0, 0]]
    model = Table(np.array(scores, np.float32))
    # User 2 has no held-out item. 0 and 1 are known to user 0, 1 and 2 to user 1.
    shown = protocol.full(model, data, "test", show=2).shown
    assert shown.tolist() == [[2, 3], [4, 3]]
    shown = protocol.full(model, data, "test", show=4).shown
    assert shown.tolist() == [[2, 3, 4, -1], [4, 3, 0, -1]]
    assert protocol.full(model, data, "test", show=9).shown.shape == (2, 9)


class ByItems(Table):
    """Scores the item after each of a history."""

    def score_histories(self, items):
        return tf.reduce_sum(tf.one_hot(items + 1, self.num_items), axis=1)


def test_users_held_out_whole_are_ranked_by_their_history(make_interactions):
    data = make_interactions(
        [[0, 1], [], []],
        6,
        [-1, 3, -1],
        [-1, -1, 5],
        np.tile(np.int32([1, -1]), (3, 1)),
    )
    data = dataclasses.replace(
        data,
        history_user=np.array([1, 1, 2], np.int32),
        history_item=np.array([2, 4, 0], np.int32),
    )
    model = ByItems(np.zeros((3, 6), np.float32))
    valid = protocol.full(model, data, "valid")
    # 2 and 4 are left out; 3 and 5 follow them, so they share the first two places.
    assert (valid.ranks[1], valid.candidates[1]) == (1.5, 4)
    test = protocol.full(model, data, "test")
    # Item 1 follows 0; the others, 5 among them, share the places 2 to 5.
    assert (test.ranks[2], test.candidates[2]) == (3.5, 5)
    sampled = protocol.sampled(model, data, "test")
    assert sampled.ranks[2] == 2  # after item 1, the only one that is stored
