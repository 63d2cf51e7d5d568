"""Interactions from a pandas frame, split and drawn by the functions of `data_prep`."""

import pathlib
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from data_prep import errors, folder
from data_prep.build import build
from data_prep.interactions import Interactions as Rows
from data_prep.parsers import table, table_values
from data_prep.rules import KEEP, Rules, parse_split
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError

#: What `time` says where the rows of a frame stand in time order.
IN_ORDER = "none"
_LOOKED_AT = 1000  # rows whose values say whether a column holds times


class Columns(NamedTuple):
    """Names of the columns that are read; `time` None or IN_ORDER: there is none."""

    user: str
    item: str
    time: str | None


def split(
    frame: pd.DataFrame,
    columns: Columns,
    items: pd.DataFrame | None,
    hold_out: bool,
    seed: int,
    name: str,
    rules: Rules,
) -> Interactions:
    """See `Interactions.from_dataframe`."""
    try:
        prepared = build(_rows(frame, columns), seed, hold_out=hold_out, rules=rules)
    except errors.InputError as error:
        raise InputError(str(error)) from None
    return Interactions(
        name=name,
        **prepared.arrays,
        user_ids=prepared.user_ids,
        item_ids=prepared.item_ids,
        items=None if items is None else _titles(items, prepared.item_ids),
        fingerprint=folder.fingerprint(prepared.arrays),
    )


def rules_of(keep: str, min_user: int, min_item: int, split: str) -> Rules:
    """What `data_prep` does by these arguments of `Interactions.from_dataframe`."""
    if keep not in KEEP:
        raise InputError(f"keep={keep!r} is not known; one of: {', '.join(KEEP)}")
    try:
        return Rules(keep, min_user, min_item, None, *parse_split(split))
    except errors.InputError as error:
        raise InputError(str(error).removeprefix("--")) from None


def unsplit(data: Interactions) -> Interactions:
    """See `Interactions.unsplit`; as if `split` had held nothing out."""
    parts = [
        (data.train_user, data.train_item),
        (data.history_user, data.history_item),
        (data.cold_user, data.cold_item),
    ]
    parts += [data.held_out("valid"), data.held_out("test")]
    users, items = (
        np.concatenate(side).astype(np.int32) for side in zip(*parts, strict=True)
    )
    order = np.argsort(users, kind="stable")  # the held-out items are the last in time
    arrays = {"train_user": users[order], "train_item": items[order]}
    for name in ("valid_item", "test_item", "valid_negatives", "test_negatives"):
        arrays[name] = np.full(getattr(data, name).shape, -1, np.int32)
    return Interactions(
        name=data.name,
        **arrays,
        user_ids=data.user_ids,
        item_ids=data.item_ids,
        items=data.items,
        fingerprint=folder.fingerprint(arrays),
    )


def histories(
    source: pd.DataFrame | str | pathlib.Path, user: str = "user", item: str = "item"
) -> dict[str, list[str]]:
    """Raw user id -> raw ids of the items, of a frame or table that has one a row.

    Args:
        source: a frame, or the path of a CSV, gzipped CSV or Parquet file.
        user: column of the users.
        item: column of the items.

    Raises:
        InputError: it cannot be read, or a column is missing.
    """
    try:
        if isinstance(source, pd.DataFrame):
            rows = _rows(source, Columns(user, item, IN_ORDER))
        else:
            asked = table.Columns(user, item, table.NO_TIME)
            rows = table.read_table(pathlib.Path(source), asked)
    except errors.InputError as error:
        raise InputError(str(error)) from None
    found: dict[str, list[str]] = {}
    pairs = zip(rows.user.to_pylist(), rows.item.to_pylist(), strict=True)
    for who, what in pairs:
        found.setdefault(str(who), []).append(str(what))
    return found


def _rows(frame: pd.DataFrame, columns: Columns) -> Rows:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"from_dataframe takes a pandas DataFrame, got {type(frame).__name__}"
        )
    if not len(frame):
        raise InputError("the frame has no rows; a dataset needs some interactions")
    time = None
    if columns.time not in (None, IN_ORDER):
        time = table_values.times(
            _column(frame, columns.time, "time"), _where(columns.time)
        )
    elif columns.time is None:
        _refuse_unnamed_time(frame, columns)
    return Rows(
        user=_ids(frame, columns.user, "user"),
        item=_ids(frame, columns.item, "item"),
        time=time,
    )


def _ids(frame: pd.DataFrame, name: str, argument: str) -> pa.ChunkedArray:
    # In a frame only an empty text is no id: pandas has its own missing values.
    return table_values.ids(
        _column(frame, name, argument), _where(name), [""], lambda row: ""
    )


def _column(frame: pd.DataFrame, name: object, argument: str) -> pa.ChunkedArray:
    if list(frame.columns).count(name) != 1:
        how = "more than one column" if name in frame.columns else "no column"
        names = ", ".join(map(repr, frame.columns[:12]))
        raise InputError(
            f"the frame has {how} {name!r} among {names}; name the right one with "
            f"{argument}="
        )
    try:
        return pa.chunked_array([pa.Array.from_pandas(frame[name])])
    except (pa.ArrowException, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{_where(name)} mixes types that have no common one ({reason}); convert "
            f"it, for example by frame[{name!r}].astype(str)"
        ) from None


def _where(name: object) -> str:
    return f"the frame's column {name!r}"


def _refuse_unnamed_time(frame: pd.DataFrame, columns: Columns) -> None:
    """A split by the frame's order leaks the future if a column has the times."""
    if isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex):
        raise InputError(
            "the frame's index has times; make it a column by frame.reset_index() and "
            f"name it with time=, or say time={IN_ORDER!r} if the rows stand in time "
            "order"
        )
    for place, name in enumerate(frame.columns):
        if name in columns:
            continue
        if table_values.is_named_like_a_time(str(name)) or _has_times(
            frame.iloc[:, place]
        ):
            raise InputError(
                f"{_where(name)} may be the time; say time={name!r}, or "
                f"time={IN_ORDER!r} if the rows stand in time order"
            )


def _has_times(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.PeriodDtype):
        return True
    some = column.dropna().head(_LOOKED_AT)
    try:
        values = pa.chunked_array([pa.Array.from_pandas(some)])
    except (pa.ArrowException, TypeError):
        return False
    return table_values.look_like_times(values)


def _titles(items: pd.DataFrame, item_ids: list[str]) -> pd.DataFrame:
    """Columns item, title and genres, one row an item of the dataset."""
    texts = [name for name in ("title", "genres") if name in items.columns]
    if "item" not in items.columns or not texts:
        raise InputError(
            "the frame of items needs a column 'item', and 'title' or 'genres'; it has "
            f"{', '.join(map(repr, items.columns[:12]))}"
        )
    titles = items.assign(item=items["item"].astype(str)).drop_duplicates("item")
    titles = titles.set_index("item")[texts].reindex(item_ids)
    if titles.isna().all(axis=None):
        raise InputError(
            f"the frame of items has none of the {len(item_ids):,} items: its column "
            f"'item' begins with {items['item'].iloc[0]!r}, the interactions' with "
            f"{item_ids[0]!r}"
        )
    titles = titles.reindex(columns=["title", "genres"]).fillna("").astype(str)
    return titles.rename_axis("item").reset_index()
