"""Coverage, novelty and groups of users, by hand; the report of one's own table."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from hyperml_tf.reproduction.reporting import own, strata


class Fixed:
    """Scores items by a table [U, I]."""

    def __init__(self, scores):
        self.scores = np.asarray(scores, np.float64)

    def score_all(self, users):
        return tf.gather(self.scores, users)


def test_recommended_items_are_the_best_that_the_user_does_not_know(make_interactions):
    data = make_interactions([[0], [1], [2]], 5, valid=[1, 2, -1], test=[4, 4, -1])
    model = Fixed([[9, 8, 3, 2, 1], [1, 9, 8, 2, 3], [0, 0, 0, 0, 0]])
    # User 2 has no held-out item. 0 and 1 are known to user 0, 1 and 2 to user 1.
    assert own.recommended(model, data, k=2).tolist() == [[2, 3], [4, 3]]


def test_coverage_and_novelty_by_hand(make_interactions):
    data = make_interactions([[0, 1], [0], [0], [0]], 4)
    items = np.array([[0, 1], [0, 1]])
    assert own.coverage(items, 4) == 0.5
    # Item 0 is known to 4 of 4 users, 0 bits; item 1 to 1 of 4, 2 bits.
    assert own.novelty(items, data) == pytest.approx(1.0)
    assert own.novelty(np.array([[3]]), data) == pytest.approx(2.0)  # as if to one


def test_groups_hold_every_user_once_by_rising_count():
    counts = np.array([1, 1, 2, 2, 3, 3, 50, 60, 70])
    values = np.array([0.0] * 8 + [np.nan])  # the last user has no held-out item
    found = list(strata._quarters(counts, values))
    assert [label for label, _ in found] == ["1", "2", "3", "50–60"]
    assert sorted(np.concatenate([users for _, users in found])) == list(range(8))


def test_new_groups_take_the_place_of_the_same_datasets_alone():
    columns = ["dataset", "seeds", "users"]
    recorded = pd.DataFrame([["games", 1, 1], ["ml1m", 5, 2]], columns=columns)
    for new, expected in (
        (["games", 1, 3], [3, 2]),  # the newer one
        (["ml1m", 4, 3], [1, 2]),  # of fewer seeds
        (["meetup", 1, 3], [1, 2, 3]),
    ):
        found = strata.merged(recorded, pd.DataFrame([new], columns=columns))
        assert found.sort_values("users")["users"].tolist() == sorted(expected)
