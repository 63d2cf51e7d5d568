"""Interactions in, the arrays of a prepared folder out: the steps in order."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from data_prep import split
from data_prep.errors import InputError
from data_prep.interactions import Interactions, index_ids
from data_prep.rules import BY_TIME, LEAVE_ONE_OUT, Rules
from data_prep.sources import Paper

# Named streams of one seed: a list never depends on how much another drew.
_STREAMS = ("valid_negatives", "test_negatives", "users", "ties")


@dataclasses.dataclass
class Prepared:
    """Everything that `folder.write` puts on disk but the source's description."""

    arrays: dict[str, np.ndarray]
    user_ids: list[str]
    item_ids: list[str]
    stats: dict[str, Any]


def build(
    rows: Interactions,
    seed: int,
    min_user_interactions: int = 0,
    k_core_near: Paper | None = None,
    hold_out: bool = True,
    rules: Rules = Rules(),  # noqa: B008 - frozen
) -> Prepared:
    """Indexes ids, orders and de-duplicates, filters, splits, draws negatives.

    Args:
        rows: from a parser; its columns are released as they are used.
        seed: root of the evaluation negatives' streams.
        min_user_interactions: users with fewer distinct items are left out.
        k_core_near: keep the k-core whose counts are nearest to these.
        hold_out: False keeps every row for training.
        rules: of a table of one's own.

    Raises:
        InputError: nothing is left, or nothing could be held out.
    """
    read = len(rows.user)
    if not read:
        raise InputError(f"no interactions could be read; lines: {rows.dropped}")
    user, user_ids = index_ids(rows.user, "user")
    rows.user = None  # half a GB for the largest, as are the next two
    item, item_ids = index_ids(rows.item, "item")
    rows.item = None
    dated, time = np.ones(read, bool), None
    ordered_by = "file order" if rows.time is None else "time"
    if rows.time is not None:
        dated = rows.time.is_valid().to_numpy()
        time = rows.time.fill_null(0).to_numpy()
    rows.time = None
    children = np.random.SeedSequence(seed).spawn(len(_STREAMS))
    streams = dict(zip(_STREAMS, map(np.random.default_rng, children), strict=True))
    if rules.ties == "random" and time is None:
        raise InputError(
            "--ties=random needs times, and there are none; name their column with "
            "--time_column="
        )
    ties = streams["ties"] if rules.ties == "random" else None
    order = split.chronological_order(user, time, dated, ties)
    if rules.split != BY_TIME:
        time = None
    elif time is None:
        raise InputError(
            "--split=time:SHARE needs times, and there are none; name their column "
            "with --time_column="
        )
    user, item, dated = user[order], item[order], dated[order]
    time = None if time is None else time[order]
    del order
    one = split.one_of_each(user, item, rules.keep)
    user, item, dated = user[one], item[one], dated[one]
    time = None if time is None else time[one]
    duplicates = read - len(user)
    dropped = dict(rows.dropped)
    filtered, keep, reason = _filter(
        user, item, min_user_interactions, k_core_near, rules
    )
    if keep is not None and not keep.all():
        dropped[reason] = int(len(keep) - keep.sum())
        user, item, dated = user[keep], item[keep], dated[keep]
        time = None if time is None else time[keep]
        user, user_ids = _without_gaps(user, user_ids)
        item, item_ids = _without_gaps(item, item_ids)
    users, items, kept = len(user_ids), len(item_ids), len(user)
    if users < 2 or items < 2:
        raise InputError(
            f"{users:,} users and {items:,} items are left of {read:,} rows "
            f"({_reasons(dropped, duplicates)}); at least 2 of each are needed"
        )
    if not hold_out or rules.split == LEAVE_ONE_OUT:
        held_out = dated if hold_out else np.zeros(kept, bool)
        parts = split.leave_one_out(user, item, held_out, users)
    elif rules.split == BY_TIME:
        assert time is not None
        parts = split.by_time(user, item, time, dated, users, items, rules.fraction)
    else:
        parts = split.by_user(
            user, item, dated, users, rules.fraction, streams["users"]
        )
    if hold_out:
        _refuse_empty(parts, rules)
    held = parts.test_item >= 0
    arrays = {
        name: getattr(parts, name)
        for name in ("train_user", "train_item", "valid_item", "test_item")
    }
    for name in ("valid", "test"):
        # With one split all users that have a test item have a validation item.
        mine = arrays[f"{name}_item"] >= 0
        arrays[f"{name}_negatives"] = split.evaluation_negatives(
            user, item, mine, items, streams[f"{name}_negatives"]
        )
    arrays |= parts.more
    short = (arrays["test_negatives"][held] < 0).any(axis=1)
    stats = {
        "users": users,
        "items": items,
        "interactions": kept,
        "interactions_table1": kept + 2 * users,
        "train": len(parts.train_user),
        "held_out_users": int(held.sum()),
        "density": kept / (users * items),
        "density_table1": (kept + 2 * users) / (users * items),
        "ordered_by": ordered_by,
        "undated": int(kept - dated.sum()),
        "duplicates_dropped": duplicates,
        "rows_dropped": dropped,
        "short_negative_lists": int(short.sum()),
        "filter": filtered,
        "tie_rule": split.TIE_RULE[rules.ties],
        **_of_split(parts, rules),
        "seed": seed,
    }
    return Prepared(arrays, user_ids, item_ids, stats)


def _filter(
    user: np.ndarray,
    item: np.ndarray,
    min_user_interactions: int,
    k_core_near: Paper | None,
    rules: Rules,
) -> tuple[dict[str, Any], np.ndarray | None, str]:
    """What stats.json says of the filter, the rows that stay, why others do not."""
    if min_user_interactions:
        keep = split.users_with_at_least(user, min_user_interactions)
        reason = f"user with fewer than {min_user_interactions} interactions"
        filtered = {"kind": "users", "min_interactions": min_user_interactions}
        return filtered, keep, reason
    if k_core_near is not None:
        published = k_core_near.users, k_core_near.items, k_core_near.interactions
        k, keep, tried = split.nearest_k_core(user, item, *published)
        return {"kind": "k-core", "k": k, "tried": tried}, keep, f"outside the {k}-core"
    if rules.min_user or rules.min_item:
        least = {"min_user": rules.min_user, "min_item": rules.min_item}
        reason = (
            f"of users with fewer than {rules.min_user} items or items with fewer than "
            f"{rules.min_item} users"
        )
        return (
            {"kind": "core", **least},
            split.core(user, item, *least.values()),
            reason,
        )
    return {"kind": "none"}, None, ""


def _refuse_empty(parts: split.Split, rules: Rules) -> None:
    for name, items in (("validation", parts.valid_item), ("test", parts.test_item)):
        if (items >= 0).any():
            continue
        if rules.split == LEAVE_ONE_OUT:
            raise InputError(
                f"no user has {split.MIN_INTERACTIONS} distinct items of which two are "
                "dated, so nothing can be held out for evaluation; give more "
                "interactions, or their times"
            )
        raise InputError(
            f"nothing is left for the {name} of --split: it shares its times with "
            "later interactions, or training lacks its users or items; take a larger "
            "share, or give more interactions"
        )


def _of_split(parts: split.Split, rules: Rules) -> dict[str, Any]:
    """What stats.json says of another split than the paper's."""
    if not parts.more:
        return {}
    held = {
        name: int((getattr(parts, f"{name}_item") >= 0).sum())
        + len(parts.more.get(f"{name}_more_item", ()))
        for name in ("valid", "test")
    }
    named = f"{rules.split}:{rules.fraction:g}"
    return {"split": named, "held_out": held, "cold": len(parts.more["cold_user"])}


def _without_gaps(codes: np.ndarray, ids: list[str]) -> tuple[np.ndarray, list[str]]:
    """Drops the ids that no row uses any more; the order of the rest stays."""
    used = np.bincount(codes, minlength=len(ids)) > 0
    renumbered = (np.cumsum(used) - 1).astype(np.int32)
    return renumbered[codes], [ids[n] for n in np.flatnonzero(used)]


def _reasons(dropped: dict[str, int], duplicates: int) -> str:
    named = {**dropped, "repeated pair": duplicates}
    return ", ".join(f"{count:,} {reason}" for reason, count in named.items() if count)
