"""Filters, the leave-one-out split and evaluation negatives: pure functions.

Notation: N interactions, U users, I items; `user` and `item` are int32 [N]
indices. Nothing here reads or writes a file or knows a raw id.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from data_prep.errors import InputError

NEGATIVES = 100  # paper §3.1: 100 items the user has not interacted with
# A user with fewer keeps all of them for training; with three there is one
# item each for training, validation and test.
MIN_INTERACTIONS = 3
# Users whose negatives are drawn at once: bounds the working memory to some
# tens of MB. It fixes the use of the random stream, so it is not a setting.
_USERS_AT_ONCE = 16384

_ORDER = (
    "rows of a user are ordered by time, undated rows before dated ones, equal "
    "times {}; a repeated (user, item) pair keeps the first row of "
    "that order; last = test, penultimate = validation, if the user has at least "
    "three distinct items of which the last two are dated"
)
TIE_RULE = {
    "file": _ORDER.format("in source order"),
    "random": _ORDER.format("in an order drawn from the seed"),
}


@dataclasses.dataclass
class Split:
    """What is trained on, and what is held out.

    Attributes:
        train_user: [N_train], by user, then time.
        train_item: [N_train].
        valid_item: [U] an item held out of each user; -1 where there is none.
        test_item: [U] likewise.
        more: further arrays by name, see `folder`. Rows of `cold_user` and `cold_item`
            are neither trained on nor held out: training lacks their user or item.
    """

    train_user: np.ndarray
    train_item: np.ndarray
    valid_item: np.ndarray
    test_item: np.ndarray
    more: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def chronological_order(
    user: np.ndarray,
    time: np.ndarray | None,
    dated: np.ndarray,
    ties: np.random.Generator | None = None,
) -> np.ndarray:
    """Rows sorted by (user, undated first, time, source order).

    Args:
        user: int32 [N].
        time: [N] integers or floats, any value where not dated; None if
            source order is time order.
        dated: bool [N].
        ties: orders rows of the same time at random, not as in the source.

    Returns:
        int64 [N] indices of the rows.
    """
    # lexsort is stable and takes its last key first, so ties in time and rows
    # without a time stay in source order.
    if time is None:
        return np.argsort(user, kind="stable")
    last = () if ties is None else (ties.permutation(len(user)),)
    if dated.all():
        return np.lexsort((*last, time, user))
    return np.lexsort((*last, np.where(dated, time, 0), dated, user))


def one_of_each(user: np.ndarray, item: np.ndarray, keep: str) -> np.ndarray:
    """Mask of the first or the last row of each (user, item) pair, as `keep` says."""
    if keep == "last":
        return first_occurrences(user[::-1], item[::-1])[::-1]
    return first_occurrences(user, item)


def first_occurrences(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Mask of the rows whose (user, item) pair stands in no row before."""
    pair = user.astype(np.int64) * (int(item.max(initial=0)) + 1)
    pair += item
    by_pair = np.argsort(pair, kind="stable")
    pair = pair[by_pair]
    first = np.ones(len(user), bool)
    first[by_pair[1:][pair[1:] == pair[:-1]]] = False
    return first


def users_with_at_least(user: np.ndarray, minimum: int) -> np.ndarray:
    """Mask of the rows whose user has `minimum` rows or more."""
    return np.bincount(user)[user] >= minimum


def core(
    user: np.ndarray, item: np.ndarray, min_user: int, min_item: int
) -> np.ndarray:
    """Mask of the largest subset where users and items have so many rows at least."""
    keep = np.arange(len(user))
    while len(keep):
        users, items = user[keep], item[keep]
        stays = np.bincount(users)[users] >= min_user
        stays &= np.bincount(items)[items] >= min_item
        if stays.all():
            break
        keep = keep[stays]
    mask = np.zeros(len(user), bool)
    mask[keep] = True
    return mask


def nearest_k_core(
    user: np.ndarray, item: np.ndarray, users: int, items: int, interactions: int
) -> tuple[int, np.ndarray, list[dict[str, int]]]:
    """The k-core nearest to published counts, k unpublished.

    Nearest: smallest Σ |ln(ours / published)| over users, items and N + 2U.

    Args:
        user: int32 [N].
        item: int32 [N].
        users: published number of users.
        items: published number of items.
        interactions: published interactions, read as N + 2U.

    Returns:
        k, the mask of its rows, and the counts of every k that was tried.
    """
    published = np.log([users, items, interactions])
    keep = np.arange(len(user))
    best, best_keep, best_distance = 1, keep, np.inf
    tried = []
    k = 0
    while True:
        k += 1
        # The k-core lies within the (k-1)-core, so the work shrinks with k.
        keep = keep[core(user[keep], item[keep], k, k)]
        if not len(keep):
            break
        found = len(np.unique(user[keep]))
        counts = (found, len(np.unique(item[keep])), len(keep) + 2 * found)
        names = ("k", "users", "items", "interactions_table1")
        tried.append(dict(zip(names, (k, *counts), strict=True)))
        distance = float(np.abs(np.log(counts) - published).sum())
        if distance < best_distance:
            best, best_keep, best_distance = k, keep, distance
        if np.all(np.log(counts) < published):
            break  # all three only fall from here on: no later k is nearer
    mask = np.zeros(len(user), bool)
    mask[best_keep] = True
    return best, mask, tried


def leave_one_out(
    user: np.ndarray, item: np.ndarray, dated: np.ndarray, users: int
) -> Split:
    """Holds out each user's last item (test) and penultimate (validation).

    Args:
        user: int32 [N] in chronological order (see `chronological_order`).
        item: int32 [N].
        dated: bool [N]. A row without a time is never held out: nothing says
            that it came last.
        users: U.

    Returns:
        The split; a user with fewer than three rows, or fewer than two dated
        ones, keeps them all in training.
    """
    counts = np.bincount(user, minlength=users)
    last = np.cumsum(counts) - 1
    # Undated rows come first, so the penultimate row is dated only if the last is.
    held = np.flatnonzero(counts >= MIN_INTERACTIONS)
    held = held[dated[last[held] - 1]]
    valid_item = np.full(users, -1, np.int32)
    test_item = np.full(users, -1, np.int32)
    valid_item[held] = item[last[held] - 1]
    test_item[held] = item[last[held]]
    train = np.ones(len(user), bool)
    train[last[held]] = train[last[held] - 1] = False
    return Split(user[train], item[train], valid_item, test_item)


def by_time(
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    dated: np.ndarray,
    users: int,
    items: int,
    fraction: float,
) -> Split:
    """Holds out the latest interactions of all users, by one clock.

    The last `fraction` of the dated rows is the test and the share before it is
    validation; rows of one time stay together, on the later side. A row whose user or
    item has no training row is in neither: no model without features can rank it.

    Args:
        user: int32 [N], each user's rows in chronological order.
        item: int32 [N].
        time: [N] numbers, any where not dated.
        dated: bool [N]. Rows without a time stay in training.
        users: U.
        items: I.
        fraction: of each of the two.

    Returns:
        The split; `valid_item` and `test_item` are each user's first, the others
        stand in `more`.
    """
    clock = np.sort(time[dated])[::-1]
    test, valid = (
        clock[min(max(round(share * len(clock)), 1), len(clock)) - 1]
        for share in (fraction, 2 * fraction)
    )
    part = np.where(dated, (time >= valid).astype(int) + (time >= test), 0)
    train = part == 0
    known_user = np.bincount(user[train], minlength=users) > 0
    known_item = np.bincount(item[train], minlength=items) > 0
    known = known_user[user] & known_item[item]
    firsts: dict[str, np.ndarray] = {}
    more: dict[str, np.ndarray] = {}
    for place, name in ((1, "valid"), (2, "test")):
        rows = np.flatnonzero((part == place) & known)
        is_first = np.ones(len(rows), bool)
        is_first[1:] = user[rows[1:]] != user[rows[:-1]]
        firsts[name] = np.full(users, -1, np.int32)
        firsts[name][user[rows[is_first]]] = item[rows[is_first]]
        rest = rows[~is_first]
        more |= {f"{name}_more_user": user[rest], f"{name}_more_item": item[rest]}
    cold = ~train & ~known
    more |= {"cold_user": user[cold], "cold_item": item[cold]}
    return Split(user[train], item[train], firsts["valid"], firsts["test"], more)


def by_user(
    user: np.ndarray,
    item: np.ndarray,
    dated: np.ndarray,
    users: int,
    fraction: float,
    rng: np.random.Generator,
) -> Split:
    """Holds out users: nothing of theirs is trained on.

    Of a share of the users the last item is the test, of another validation, each to
    be ranked by the items that the user had before (`history`).

    Args:
        user: int32 [N] in chronological order.
        item: int32 [N].
        dated: bool [N]; a user's last row has to be.
        users: U.
        fraction: of the users, for each of the two.
        rng: draws them.
    """
    counts = np.bincount(user, minlength=users)
    last = np.cumsum(counts) - 1
    can = np.flatnonzero(counts >= 2)
    can = can[dated[last[can]]]
    wanted = max(1, round(fraction * users))
    if 2 * wanted > len(can):
        raise InputError(
            f"{len(can):,} users have two items, the last of them dated; 2 times "
            f"{wanted:,} are to be held out: take a smaller --split=user:SHARE"
        )
    chosen = rng.permutation(can)[: 2 * wanted]
    away = np.zeros(users, bool)
    away[chosen] = True
    train = ~away[user]
    # What training lacks cannot be ranked, nor does it tell anything of a user.
    known = np.bincount(item[train], minlength=int(item.max()) + 1) > 0
    history = ~train & known[item]
    history[last[chosen]] = False
    can_be_ranked = known[item[last]] & (
        np.bincount(user[history], minlength=users) > 0
    )
    valid_item, test_item = (
        _of_users(users, who[can_be_ranked[who]], item, last)
        for who in (chosen[:wanted], chosen[wanted:])
    )
    lost = chosen[~can_be_ranked[chosen]]
    cold = ~train & ~known[item]
    cold[last[lost]] = True
    more = {
        "history_user": user[history],
        "history_item": item[history],
        "cold_user": user[cold],
        "cold_item": item[cold],
    }
    return Split(user[train], item[train], valid_item, test_item, more)


def _of_users(users, who, item, row):
    """[U] the item of `row` [U] of some users, -1 for the others."""
    items = np.full(users, -1, np.int32)
    items[who] = item[row[who]]
    return items


def evaluation_negatives(
    user: np.ndarray,
    item: np.ndarray,
    held: np.ndarray,
    items: int,
    rng: np.random.Generator,
    count: int = NEGATIVES,
) -> np.ndarray:
    """Per user `count` distinct items the user never touched, uniformly drawn.

    A user's E eligible items are numbered 0 … E-1 in index order; Floyd's
    algorithm (Bentley & Floyd 1987) draws a uniform `count`-subset of those
    numbers without rejection; number r is item r + #{touched t_j : t_j - j <= r}
    with t_0 < t_1 < … the touched items.

    Args:
        user: int32 [N] ascending, every row of every split.
        item: int32 [N], no (user, item) pair twice.
        held: bool [U], the users who have held-out items.
        items: I.
        rng: the stream of this split.
        count: list length.

    Returns:
        int32 [U, count]; a row holds all E items padded with -1 where
        E < count, and only -1 for users without held-out items. The order
        within a row means nothing.
    """
    users = len(held)
    touched = np.bincount(user, minlength=users)
    start = np.concatenate([[0], np.cumsum(touched)])
    # One sorted array serves all users: user·(items + 1) + t_j - j, worked out in
    # place from user·items + t_j at position n = start[user] + j.
    shift = user.astype(np.int64)
    shift *= items
    shift += item
    shift.sort()
    shift += np.repeat(start[:-1] + np.arange(users), touched)
    shift -= np.arange(len(shift))
    eligible = items - touched
    negatives = np.full((users, count), -1, np.int32)
    chosen_users = np.flatnonzero(held)
    for first in range(0, len(chosen_users), _USERS_AT_ONCE):
        who = chosen_users[first : first + _USERS_AT_ONCE]
        number = _distinct_numbers(eligible[who], count, rng)
        key = who[:, None] * (items + 1) + number
        passed = np.searchsorted(shift, key, side="right") - start[who, None]
        negatives[who] = np.where(number < 0, -1, number + passed)
    return negatives


def _distinct_numbers(
    limits: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """int64 [B, count]: a uniform subset of range(limits[b]) per row.

    Where limits[b] < count the row is the whole range padded with -1.
    """
    chosen = np.full((len(limits), count), -1, np.int64)
    for step in range(count):
        top = limits - count + step
        drawn = rng.integers(0, np.maximum(top, 0) + 1)
        repeated = (chosen[:, :step] == drawn[:, None]).any(axis=1)
        chosen[:, step] = np.where(repeated, top, drawn)
    few = limits < count
    whole = np.arange(count)[None, :]
    chosen[few] = np.where(whole < limits[few, None], whole, -1)
    return chosen
