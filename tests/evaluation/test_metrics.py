"""From scores to ranks to metrics, by hand and the slow way."""

import hypothesis
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from hyperml_tf.evaluation import metrics

NAN, INF = np.nan, np.inf

# Few distinct values, so that ties, NaN and infinities meet; float32 as models give.
SCORES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 12)),
    elements=st.sampled_from([-INF, -1.0, 0.0, 0.5, 1.0, INF, NAN]),
)


def slow_rank(scores, eligible):
    """Mean 1-based position of candidate 0 over the orders that its ties allow."""
    target = scores[0]
    others = [s for s, counts in zip(scores[1:], eligible[1:], strict=True) if counts]
    if np.isnan(target):
        return 1 + len(others)
    before = [s for s in others if s > target]
    beside = [s for s in others if s == target]
    positions = [len(before) + 1 + shift for shift in range(len(beside) + 1)]
    return sum(positions) / len(positions)


@pytest.mark.parametrize(
    "scores, rank",
    [
        ([3, 1, 2], 1),
        ([1, 3, 2], 3),
        ([2, 3, 1, 2], 2.5),  # positions 2 and 3
        ([2, 2, 2, 2, 2], 3),  # all tied: the middle
        ([2], 1),
        ([NAN, 1, 2], 3),  # a NaN target is last
        ([NAN, NAN, NAN], 3),
        ([1, NAN, 2], 2),  # a NaN negative is below any number
        ([-INF, NAN, 2], 2),
        ([INF, INF, 2], 1.5),
    ],
)
def test_ranks_worked_by_hand(scores, rank):
    assert metrics.ranks(np.array([scores], np.float32)) == [rank]


@hypothesis.given(SCORES, st.randoms(use_true_random=False))
@hypothesis.settings(max_examples=200, deadline=None, derandomize=True)
def test_ranks_equal_the_mean_over_all_orders_of_ties(scores, random):
    eligible = np.array([[random.random() < 0.7 for _ in row] for row in scores])
    eligible[:, 0] = True
    expected = [slow_rank(*row) for row in zip(scores, eligible, strict=True)]
    np.testing.assert_array_equal(metrics.ranks(scores, eligible), expected)


def test_padding_is_not_ranked():
    scores = np.array([[1.0, 2.0, 0.0, 9.0, 9.0]])
    eligible = np.array([[True, True, True, False, False]])
    assert metrics.ranks(scores, eligible) == [2]
    scores[0, 0] = NAN
    assert metrics.ranks(scores, eligible) == [3]


def test_a_model_that_scores_all_alike_does_no_better_than_chance():
    ranks = metrics.ranks(np.zeros((50, 101)))
    summary = metrics.summary(ranks, np.full(50, 101))
    np.testing.assert_array_equal(ranks, 51)
    for k in metrics.CUTOFFS:
        assert summary[f"hr{k}"] <= k / 101
    assert summary["auc"] == 0.5


def test_a_model_that_scores_nothing_but_nan_gets_zero_per_cent():
    ranks = metrics.ranks(np.full((50, 101), np.nan))
    summary = metrics.summary(ranks, np.full(50, 101))
    np.testing.assert_array_equal(ranks, 101)
    for name in ("hr10", "ndcg10", "hr20", "ndcg20", "ndcg10_method0", "auc"):
        assert summary[name] == 0


def test_hit_ratio_counts_ranks_up_to_k():
    ranks = np.array([1, 2, 2.5, 3, 101])
    np.testing.assert_array_equal(metrics.hit_ratio(ranks, 2), [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(metrics.hit_ratio(ranks, 1), [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(metrics.hit_ratio(ranks, 101), np.ones(5))


def test_ndcg_worked_by_hand():
    ranks = np.array([1, 2, 3, 7, 10, 11])
    # 1/log₂ 2, 1/log₂ 3, 1/log₂ 4, 1/log₂ 8, 1/log₂ 11, beyond the cut-off.
    expected = [1, 0.63093, 0.5, 1 / 3, 0.28906, 0]
    np.testing.assert_allclose(metrics.ndcg(ranks, 10), expected, atol=5e-6)
    np.testing.assert_array_equal(metrics.ndcg(ranks, 1), [1, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("k", [1, 2, 5, 10, 20])
def test_ndcg_equals_gains_over_ideal_gains(k, rng):
    candidates = 20
    scores = rng.permuted(np.tile(np.arange(candidates), (40, 1)), axis=1)
    ranks = metrics.ranks(scores.astype(float))
    expected = []
    for row in scores:
        relevance = [1 if c == 0 else 0 for c in np.argsort(-row)]
        gain = sum(r / np.log2(place + 2) for place, r in enumerate(relevance[:k]))
        best = sorted(relevance, reverse=True)
        ideal = sum(r / np.log2(place + 2) for place, r in enumerate(best[:k]))
        expected.append(gain / ideal)
    np.testing.assert_allclose(metrics.ndcg(ranks, k), expected, rtol=1e-14)
    truth = np.zeros(scores.shape)
    truth[:, 0] = 1
    by_sklearn = ndcg_score(truth, scores, k=k)
    assert metrics.ndcg(ranks, k).mean() == pytest.approx(by_sklearn, rel=1e-12)


def test_k_equal_to_the_number_of_candidates_hits_always():
    ranks = metrics.ranks(np.random.default_rng(0).normal(size=(30, 8)))
    np.testing.assert_array_equal(metrics.hit_ratio(ranks, 8), np.ones(30))
    assert np.all(metrics.ndcg(ranks, 8) > 0)


def test_method0_starts_its_discount_at_rank_two():
    ranks = np.array([1, 2, 3, 4, 10, 11])
    # Gains 1, 1, 1/log₂ 3, 1/log₂ 4, …, 1/log₂ 10.
    expected = [1, 1, 0.63093, 0.5, 0.30103, 0]
    np.testing.assert_allclose(metrics.ndcg_method0(ranks, 10), expected, atol=5e-6)


def test_reciprocal_rank_is_one_over_the_rank():
    ranks = np.array([1, 2.5, 4])
    np.testing.assert_array_equal(metrics.reciprocal_rank(ranks), [1, 0.4, 0.25])


def test_auc_equals_the_area_under_the_roc_curve(rng):
    scores = rng.integers(0, 8, size=(30, 25)).astype(float)  # with many ties
    truth = np.zeros(25)
    truth[0] = 1
    expected = [roc_auc_score(truth, row) for row in scores]
    actual = metrics.auc(metrics.ranks(scores), np.full(30, 25))
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


def test_auc_of_a_lone_candidate_is_a_number():
    assert metrics.auc(np.array([1.0]), np.array([1])) == [0]


def test_summary_averages_over_the_users_that_have_a_rank():
    ranks = np.array([1.0, np.nan, 3.0, 12.0])
    summary = metrics.summary(ranks, np.array([101, 0, 101, 101]))
    assert summary["users"] == 3
    assert summary["hr1"] == pytest.approx(1 / 3)
    assert summary["hr5"] == summary["hr10"] == pytest.approx(2 / 3)
    assert summary["hr20"] == 1
    assert summary["ndcg10"] == pytest.approx((1 + 0.5) / 3)
    assert summary["ndcg10_method0"] == pytest.approx((1 + 1 / np.log2(3)) / 3)
    assert summary["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 12) / 3)
    assert summary["auc"] == pytest.approx((100 + 98 + 89) / 300)


def test_summary_of_nobody_says_so():
    assert metrics.summary(np.array([np.nan]), np.array([0])) == {"users": 0}


def slow_set_metrics(ranks, k):
    """Of one user's sorted ranks, straight from the definitions."""
    hits = [rank for rank in ranks if rank <= k]
    ideal = sum(1 / np.log2(i + 1) for i in range(1, min(len(ranks), k) + 1))
    precisions = [(place + 1) / rank for place, rank in enumerate(hits)]
    return {
        "hr": float(bool(hits)),
        "ndcg": sum(1 / np.log2(rank + 1) for rank in hits) / ideal,
        "recall": len(hits) / len(ranks),
        "precision": len(hits) / k,
        "map": sum(precisions) / min(len(ranks), k),
    }


def test_metrics_of_sets_by_hand():
    # User 4 has two items, at ranks 1 and 3 of 6 candidates; user 2 one at rank 12.
    users, ranks = np.array([4, 2, 4]), np.array([3.0, 12.0, 1.0])
    candidates = np.array([0, 0, 15, 0, 6])
    found = metrics.summary_of_sets(users, ranks, candidates)
    found |= metrics.of_sets(users, ranks)
    ndcg = (1 + 1 / 2) / (1 + 1 / np.log2(3))
    expected = {
        "users": 2,
        "hr1": 0.5,
        "hr10": 0.5,
        "hr20": 1.0,
        "ndcg1": 0.5,
        "ndcg10": ndcg / 2,
        "ndcg20": (ndcg + 1 / np.log2(13)) / 2,
        "mrr": (1 + 1 / 12) / 2,
        # Of the 4 others, none is above the first item and one above the second.
        "auc": ((1 + 3 / 4) / 2 + 3 / 14) / 2,
        "recall10": 0.5,
        "recall20": 1.0,
        "precision10": 2 / 10 / 2,
        "precision20": (2 / 20 + 1 / 20) / 2,
        "map10": (1 + 2 / 3) / 2 / 2,
        "map20": ((1 + 2 / 3) / 2 + 1 / 12) / 2,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_metrics_of_sets_are_those_of_each_user_alone(rng):
    sizes = rng.integers(1, 30, size=25)
    users = np.repeat(np.arange(25), sizes)
    ranks = np.concatenate([rng.permutation(60)[:n] + 1.0 for n in sizes])
    shuffled = rng.permutation(len(users))
    candidates = np.full(25, 60)
    found = metrics.summary_of_sets(users[shuffled], ranks[shuffled], candidates)
    found |= metrics.of_sets(users[shuffled], ranks[shuffled])
    for k in (10, 20):
        slow = [slow_set_metrics(sorted(ranks[users == u]), k) for u in range(25)]
        for name in slow[0]:
            expected = np.mean([of_user[name] for of_user in slow])
            assert found[f"{name}{k}"] == pytest.approx(expected), (name, k)


def test_sets_of_one_item_have_the_metrics_of_one_item(rng):
    ranks, candidates = rng.integers(1, 40, size=30) + 0.5, np.full(30, 50)
    users = np.arange(30)
    one = metrics.summary(ranks, candidates)
    several = metrics.summary_of_sets(users, ranks, candidates)
    for name in set(one) - {"ndcg10_method0"}:
        assert several[name] == pytest.approx(one[name]), name
    assert metrics.of_sets(users, ranks)["recall10"] == pytest.approx(one["hr10"])


def test_coverage_and_novelty_by_hand():
    train, shown = np.array([0, 1, 0, 0, 0]), np.array([[0, 1], [0, 1], [-1, -1]])
    assert metrics.coverage(shown, 4) == 0.5
    # Item 0 is known to 4 of 4 users, 0 bits; item 1 to 1 of 4, 2 bits.
    assert metrics.novelty(shown, train, 4) == pytest.approx(1.0)
    # As if known to one.
    assert metrics.novelty(np.array([[3]]), train, 4) == pytest.approx(2.0)


def test_relevant_items_that_are_tied_take_places_one_after_the_other():
    # 15 relevant items among 15 + 4, all tied: each has the mean rank 10.
    users, ranks, candidates = np.zeros(15, int), np.full(15, 10.0), np.array([19])
    found = metrics.of_sets(users, ranks)
    # Half of the 4 others come first, so that the relevant ones have ranks 3 to 17.
    assert found["precision10"] == pytest.approx(8 / 10)
    assert found["recall10"] == pytest.approx(8 / 15)
    summary = metrics.summary_of_sets(users, ranks, candidates)
    assert summary["mrr"] == pytest.approx(1 / 3)
    assert summary["auc"] == pytest.approx(0.5) and summary["ndcg10"] < 1
