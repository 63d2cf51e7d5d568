"""Filters, the leave-one-out split and evaluation negatives: pure functions.

Notation: N interactions, U users, I items; `user` and `item` are int32 [N]
indices. Nothing here reads or writes a file or knows a raw id.
"""

from __future__ import annotations

import dataclasses

import numpy as np

NEGATIVES = 100  # paper §3.1: 100 items the user has not interacted with
# A user with fewer keeps all of them for training; with three there is one
# item each for training, validation and test.
MIN_INTERACTIONS = 3
# Users whose negatives are drawn at once: bounds the working memory to some
# tens of MB. It fixes the use of the random stream, so it is not a setting.
_USERS_AT_ONCE = 16384

TIE_RULE = (
    "rows of a user are ordered by time, undated rows before dated ones, equal "
    "times in source order; a repeated (user, item) pair keeps the first row of "
    "that order; last = test, penultimate = validation, if the user has at least "
    "three distinct items of which the last two are dated"
)


@dataclasses.dataclass
class Split:
    """Leave-one-out by time; -1 where a user has no held-out items."""

    train_user: np.ndarray
    train_item: np.ndarray
    valid_item: np.ndarray
    test_item: np.ndarray


def chronological_order(
    user: np.ndarray, time: np.ndarray | None, dated: np.ndarray
) -> np.ndarray:
    """Rows sorted by (user, undated first, time, source order).

    Args:
        user: int32 [N].
        time: [N] integers or floats, any value where not dated; None if
            source order is time order.
        dated: bool [N].

    Returns:
        int64 [N] indices of the rows.
    """
    # lexsort is stable and takes its last key first, so ties in time and rows
    # without a time stay in source order.
    if time is None:
        return np.argsort(user, kind="stable")
    if dated.all():
        return np.lexsort((time, user))
    return np.lexsort((np.where(dated, time, 0), dated, user))


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


def k_core(user: np.ndarray, item: np.ndarray, k: int) -> np.ndarray:
    """Mask of the largest subset where every user and item has >= k rows."""
    keep = np.arange(len(user))
    while len(keep):
        users, items = user[keep], item[keep]
        stays = (np.bincount(users)[users] >= k) & (np.bincount(items)[items] >= k)
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
        keep = keep[k_core(user[keep], item[keep], k)]
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
