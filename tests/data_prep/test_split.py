"""Filters, leave-one-out and negatives against hand-worked tables and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep import split
from data_prep.errors import InputError


def _int32(*values):
    return np.array(values, np.int32)


def test_rows_are_ordered_by_user_undated_first_then_time_then_source():
    user = _int32(1, 0, 1, 1, 0, 1)
    time = np.array([5, 9, 5, 0, 2, 4])
    dated = np.array([True, True, True, False, True, True])
    order = split.chronological_order(user, time, dated)
    assert order.tolist() == [4, 1, 3, 5, 0, 2]


def test_without_times_source_order_is_time_order():
    order = split.chronological_order(_int32(1, 0, 1, 0), None, np.ones(4, bool))
    assert order.tolist() == [1, 3, 0, 2]


def test_a_repeated_pair_keeps_its_first_row():
    first = split.first_occurrences(_int32(0, 0, 0, 1, 0), _int32(3, 2, 3, 3, 2))
    assert first.tolist() == [True, True, False, True, False]


def test_leave_one_out_by_hand():
    # user 0: three rows; 1: two; 2: four, the last two dated; 3: three, one dated
    user = _int32(0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3)
    item = _int32(4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6)
    dated = np.array([1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1], bool)
    parts = split.leave_one_out(user, item, dated, users=4)
    assert parts.valid_item.tolist() == [5, -1, 2, -1]
    assert parts.test_item.tolist() == [6, -1, 3, -1]
    assert parts.train_user.tolist() == [0, 1, 1, 2, 2, 3, 3, 3]
    assert parts.train_item.tolist() == [4, 7, 8, 0, 1, 4, 5, 6]


interactions = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 7),
        st.one_of(st.none(), st.integers(-3, 3)),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(interactions)
def test_the_split_equals_the_slow_way(rows):
    user, item, time = zip(*rows, strict=True)
    expected_train, expected_held = [], {}
    for u in range(6):
        own = [(t is not None, t or 0, n) for n, t in enumerate(time) if user[n] == u]
        kept = []
        for is_dated, _, n in sorted(own):
            if item[n] not in [i for _, i in kept]:
                kept.append((is_dated, item[n]))
        if len(kept) >= 3 and kept[-2][0] and kept[-1][0]:
            expected_held[u] = (kept[-2][1], kept[-1][1])
            kept = kept[:-2]
        expected_train += [(u, i) for _, i in kept]

    user, item = np.array(user, np.int32), np.array(item, np.int32)
    dated = np.array([t is not None for t in time])
    order = split.chronological_order(user, np.array([t or 0 for t in time]), dated)
    user, item, dated = user[order], item[order], dated[order]
    first = split.first_occurrences(user, item)
    parts = split.leave_one_out(user[first], item[first], dated[first], users=6)

    train = list(zip(parts.train_user.tolist(), parts.train_item.tolist(), strict=True))
    held = {
        u: (int(parts.valid_item[u]), int(parts.test_item[u]))
        for u in range(6)
        if parts.test_item[u] >= 0
    }
    assert train == expected_train
    assert held == expected_held
    assert ((parts.valid_item >= 0) == (parts.test_item >= 0)).all()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, unique=True),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_the_core_is_the_largest_with_so_many_rows_each(pairs, k, least):
    expected = set(pairs)
    while True:  # peel one row at a time: slow, and right
        for pair in expected:
            as_user = sum(u == pair[0] for u, _ in expected)
            as_item = sum(i == pair[1] for _, i in expected)
            if as_user < k or as_item < least:
                expected.remove(pair)
                break
        else:
            break
    user, item = np.array(pairs, np.int32).T
    mask = split.core(user, item, k, least)
    assert {pair for pair, keep in zip(pairs, mask, strict=True) if keep} == expected


def test_the_nearest_k_core_is_the_one_with_the_published_counts():
    # A 3 x 3 block (3-core) and a path hanging on it (1-core).
    pairs = [(u, i) for u in range(3) for i in range(3)] + [(3, 0), (4, 3), (4, 4)]
    user, item = np.array(pairs, np.int32).T
    k, mask, tried = split.nearest_k_core(user, item, 3, 3, 9 + 2 * 3)
    assert k == 2  # the same rows as the 3-core; the first that is nearest
    assert mask.sum() == 9
    assert tried[0] == {"k": 1, "users": 5, "items": 5, "interactions_table1": 22}


def test_users_with_too_few_rows_go_and_items_stay():
    mask = split.users_with_at_least(_int32(0, 1, 0, 2, 0, 2), 2)
    assert mask.tolist() == [True, False, True, True, True, True]


@pytest.mark.parametrize("items", [101, 103, 140, 3000])
def test_negatives_are_distinct_and_never_touched(items):
    rng = np.random.default_rng(1)
    pairs = np.unique(rng.integers(0, [50, items], (900, 2)), axis=0)
    user, item = pairs.astype(np.int32).T
    held = np.ones(50, bool)
    held[7] = False
    drawn = split.evaluation_negatives(user, item, held, items, rng)
    for u in range(50):
        touched = set(item[user == u].tolist())
        eligible = set(range(items)) - touched
        row = drawn[u][drawn[u] >= 0].tolist()
        assert len(set(row)) == len(row)
        assert set(row) <= eligible
        assert len(row) == (0 if u == 7 else min(100, len(eligible)))
    assert drawn.dtype == np.int32


def test_a_user_who_touched_almost_everything_gets_all_the_rest():
    user = np.zeros(8, np.int32)
    item = _int32(0, 1, 2, 3, 5, 6, 7, 8)
    drawn = split.evaluation_negatives(
        user, item, np.ones(1, bool), 10, np.random.default_rng(0)
    )
    assert drawn[0].tolist() == [4, 9] + [-1] * 98
    everything = np.arange(8, dtype=np.int32)
    drawn = split.evaluation_negatives(
        user, everything, np.ones(1, bool), 8, np.random.default_rng(0)
    )
    assert (drawn == -1).all()


def test_every_untouched_item_is_equally_likely():
    # 20,000 users who touched item 2 of 6 draw 3 of the other five: each falls
    # in with probability 3/5, each of the ten triples with 1/10.
    users = 20_000
    drawn = split.evaluation_negatives(
        np.arange(users, dtype=np.int32),
        np.full(users, 2, np.int32),
        np.ones(users, bool),
        6,
        np.random.default_rng(3),
        count=3,
    )
    sets, counts = np.unique(np.sort(drawn, axis=1), axis=0, return_counts=True)
    assert len(sets) == 10
    chi_squared = ((counts - users / 10) ** 2 / (users / 10)).sum()
    assert chi_squared < 27.9  # 9 degrees of freedom, p = 0.001


def test_of_a_repeated_pair_the_first_or_the_last_row_stays():
    user, item = _int32(0, 0, 0, 1, 0), _int32(3, 2, 3, 3, 2)
    assert split.one_of_each(user, item, "first").tolist() == [1, 1, 0, 1, 0]
    assert split.one_of_each(user, item, "last").tolist() == [0, 0, 1, 1, 1]


def test_the_split_by_time_has_one_clock_for_all():
    # Of ten dated rows, the last two are the test and the two before validation; the
    # two at time 8 stay together.
    user = _int32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3)
    item = _int32(0, 1, 2, 3, 0, 1, 2, 4, 1, 3, 0)
    time = np.array([1, 2, 8, 9, 3, 4, 7, 8, 5, 0, 6])
    dated = np.ones(11, bool)
    dated[9] = False  # user 2, item 3: no time, so it is trained on
    parts = split.by_time(user, item, time, dated, 4, 5, 0.2)
    assert list(zip(parts.train_user, parts.train_item, strict=True)) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 3), (3, 0),
    ]  # fmt: skip
    # Item 2 is not trained on, nor is item 4: they are left out.
    assert parts.test_item.tolist() == [3, -1, -1, -1]
    assert parts.valid_item.tolist() == [-1, -1, -1, -1]
    cold = zip(parts.more["cold_user"], parts.more["cold_item"], strict=True)
    assert list(cold) == [(0, 2), (1, 2), (1, 4)]
    assert not len(parts.more["valid_more_user"]) + len(parts.more["test_more_user"])


@given(st.integers(0, 2**16), st.sampled_from([0.1, 0.25, 0.4]))
def test_the_split_by_time_puts_everything_in_its_place(seed, fraction):
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(40)[: rng.integers(3, 40)]
    user, item = (side.astype(np.int32) for side in np.divmod(pairs, 8))
    time, dated = rng.integers(0, 12, len(pairs)), rng.random(len(pairs)) < 0.9
    if not dated.any():
        return
    order = split.chronological_order(user, time, dated)
    user, item, time, dated = user[order], item[order], time[order], dated[order]
    parts = split.by_time(user, item, time, dated, 5, 8, fraction)
    rows = {"train": list(zip(parts.train_user, parts.train_item, strict=True))}
    for name in ("valid", "test"):
        first = getattr(parts, f"{name}_item")
        more = (parts.more[f"{name}_more_{side}"] for side in ("user", "item"))
        rows[name] = [(u, i) for u, i in enumerate(first) if i >= 0]
        rows[name] += list(zip(*more, strict=True))
    assert sum(map(len, rows.values())) + len(parts.more["cold_user"]) == len(pairs)
    trained = rows["train"]
    for name in ("valid", "test"):
        for u, i in rows[name]:
            assert u in {a for a, _ in trained} and i in {b for _, b in trained}
    when = {
        (u, i): t if d else -1
        for u, i, t, d in zip(user, item, time, dated, strict=True)
    }
    latest = {name: [when[pair] for pair in part] for name, part in rows.items()}
    for before, after in (("train", "valid"), ("valid", "test"), ("train", "test")):
        if latest[before] and latest[after]:
            assert max(latest[before]) < min(latest[after])


def test_the_split_by_user_trains_on_nothing_of_those_held_out(rng):
    users, items = 50, 20
    user = np.repeat(np.arange(users), 6).astype(np.int32)
    item = np.concatenate([rng.permutation(items)[:6] for _ in range(users)])
    item, dated = item.astype(np.int32), np.ones(len(user), bool)
    parts = split.by_user(user, item, dated, users, 0.2, rng)
    valid, test = (np.flatnonzero(x >= 0) for x in (parts.valid_item, parts.test_item))
    assert (len(valid), len(test)) == (10, 10) and not set(valid) & set(test)
    history = parts.more["history_user"], parts.more["history_item"]
    assert set(history[0]) == {*valid, *test} and not set(history[0]) & set(
        parts.train_user
    )
    for who, held in ((valid, parts.valid_item), (test, parts.test_item)):
        for u in who:
            own = item[user == u]
            assert held[u] == own[-1]
            assert history[1][history[0] == u].tolist() == own[:-1].tolist()
    with pytest.raises(InputError, match="take a smaller --split=user:SHARE"):
        split.by_user(user, item, ~dated, users, 0.2, rng)
