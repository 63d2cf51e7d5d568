"""Any table of interactions: CSV, gzipped CSV or Parquet, told by content.

Unlike the publishers' files, of which stray lines are dropped and counted, a
user's own table is taken whole or refused: a row that cannot be read is a row
its owner would miss. Only two things are quietly fine: an empty time (the row
is kept in training and never held out) and a repeated pair (see `split`).

Time is a whole or decimal number (seconds, milliseconds, a position: only the
order counts, so one unit per column) or an ISO 8601 date; none at all means
that rows are in time order.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from data_prep import archives
from data_prep.errors import InputError
from data_prep.interactions import Interactions
from data_prep.parsers.blocks import whole_lines

# What an empty cell looks like after a trip through pandas, R or SQL.
MISSING = ["", "nan", "NaN", "NA", "N/A", "<NA>", "null", "NULL", "None"]
TIME_COLUMNS = ("timestamp", "position")


class Columns(NamedTuple):
    """Column names; `time` None: the first of TIME_COLUMNS that is there."""

    user: str = "user"
    item: str = "item"
    time: str | None = None


def read_table(path: Path, columns: Columns) -> Interactions:
    """Reads interactions from a table; see the module for what is accepted."""
    names = _column_names(path)
    time = columns.time
    if time is None:
        time = next((name for name in TIME_COLUMNS if name in names), "")
    wanted = [columns.user, columns.item, *([time] if time else [])]
    if len(set(wanted)) < len(wanted):
        raise InputError(f"{path}: one column is named twice among {wanted}")
    rows = _read_columns(path, names, wanted)
    if not rows.num_rows:
        raise InputError(f"{path}: no rows; a table of interactions is needed")
    with _clear_errors(path):
        return Interactions(
            user=_ids(rows[columns.user], f"{path}: column {columns.user!r}"),
            item=_ids(rows[columns.item], f"{path}: column {columns.item!r}"),
            time=_times(rows[time], f"{path}: column {time!r}") if time else None,
        )


def read_titles(path: Path) -> dict[str, tuple[str, str]]:
    """Titles and genres by raw item id: columns `item`, `title`, `genres`."""
    names = _column_names(path)
    wanted = ["item", *(name for name in ("title", "genres") if name in names)]
    if len(wanted) == 1:
        raise InputError(
            f"{path}: neither a `title` nor a `genres` column among {_listed(names)}"
        )
    rows = _read_columns(path, names, wanted)
    ids = _ids(rows["item"], f"{path}: column 'item'").to_pylist()
    empty = [None] * len(ids)
    with _clear_errors(path):
        texts = [
            rows[name].cast(pa.string()).to_pylist() if name in wanted else empty
            for name in ("title", "genres")
        ]
    return {
        str(item): (title or "", genres or "")
        for item, title, genres in zip(ids, *texts, strict=True)
    }


def _column_names(path: Path) -> list[str]:
    with _clear_errors(path):
        if _is_parquet(path):
            return pq.read_schema(path).names
        with archives.open_plain_or_gzip(path) as stream:
            if b"\0" in stream.peek(4096)[:4096]:  # type: ignore[attr-defined]
                raise InputError(
                    f"{path}: binary, and neither gzip nor Parquet; give a CSV, "
                    "CSV.GZ or Parquet file"
                )
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            return next(csv.reader(text), [])


def _read_columns(path: Path, names: list[str], wanted: list[str]) -> pa.Table:
    for name in wanted:
        if names.count(name) != 1:
            how = "no column" if name not in names else "more than one column"
            raise InputError(
                f"{path}: {how} {name!r} among {_listed(names)}; name columns with "
                "--user_column=, --item_column=, --time_column="
            )
    with _clear_errors(path):
        if _is_parquet(path):
            return pq.read_table(path, columns=wanted)
        with archives.open_plain_or_gzip(path) as stream:
            return _read_csv(stream, str(path), names, wanted)


def _read_csv(
    stream: IO[bytes], where: str, names: list[str], wanted: list[str]
) -> pa.Table:
    # Ids are read as text: `007` is not 7, and no number is too large.
    parse = pacsv.ParseOptions(newlines_in_values=True)
    convert = pacsv.ConvertOptions(
        include_columns=wanted,
        column_types={name: pa.string() for name in wanted},
        strings_can_be_null=True,
        null_values=MISSING,
    )
    blocks: list[pa.Table] = []
    for block in whole_lines(stream, where, quoted=True):
        header = pacsv.ReadOptions(
            column_names=names,
            skip_rows_after_names=0 if blocks else 1,
            block_size=len(block),
        )
        blocks.append(pacsv.read_csv(pa.BufferReader(block), header, parse, convert))
    empty = pa.schema([(name, pa.string()) for name in wanted]).empty_table()
    return pa.concat_tables([empty, *blocks])


def _is_parquet(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def _ids(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Integers or text without gaps; floats only if they are whole numbers."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
        column = pc.if_else(pc.is_nan(column), None, column)
        _refuse_missing(column, where)
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{where} holds fractions ({error}); ids are integers or text"
            ) from error
    if _is_text(column.type):
        column = column.cast(pa.string())
        missing = pc.is_in(column, value_set=pa.array(MISSING))
        column = pc.if_else(missing, None, column)
    elif not pa.types.is_integer(column.type):
        raise InputError(f"{where} is of type {column.type}; ids are integers or text")
    _refuse_missing(column, where)
    return column


def _refuse_missing(column: pa.ChunkedArray, where: str) -> None:
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py()
        raise InputError(
            f"{where}: {column.null_count:,} ids are missing, the first in data row "
            f"{row + 1:,}; fill them in or take those rows out"
        )


def _times(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """int64 or float64 that order the rows; null where there is no time."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind):
        day = pa.types.is_date32(kind)
        return column.cast(pa.int32()).cast(pa.int64()) if day else column.cast("int64")
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_floating(kind):
        return _finite(column.cast(pa.float64()), where)
    if _is_text(kind):
        return _times_from_text(column.cast(pa.string()), where)
    if pa.types.is_null(kind):
        return column.cast(pa.int64())
    raise InputError(f"{where} is of type {kind}; times are numbers or ISO dates")


def _times_from_text(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    column = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(column, value_set=pa.array(MISSING))
    column = pc.if_else(missing, None, column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    try:
        return _finite(column.cast(pa.float64()), where)
    except pa.ArrowInvalid:
        pass
    parsed = pd.to_datetime(
        pd.Series(column.to_pandas()), format="ISO8601", utc=True, errors="coerce"
    )
    present = ~column.is_null().to_numpy()
    bad = present & parsed.isna().to_numpy()
    if bad.any():
        # Among numbers it is the word or the date that is wrong.
        numeric = _looks_numeric(column)
        words = present & ~numeric
        odd = words if numeric.any() and words.any() else bad
        row = int(np.flatnonzero(odd)[0])
        raise InputError(
            f"{where} holds neither only numbers nor only ISO dates: "
            f"{column[row].as_py()[:40]!r} in data row {row + 1:,}; leave unknown "
            "times empty"
        )
    return pa.chunked_array([pa.Array.from_pandas(parsed).cast(pa.int64())])


def _looks_numeric(column: pa.ChunkedArray) -> np.ndarray:
    number = pc.match_substring_regex(column, r"^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$")
    return pc.fill_null(number, False).to_numpy()


def _finite(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    column = pc.if_else(pc.is_nan(column), None, column)
    if pc.any(pc.is_inf(column)).as_py():
        row = pc.index(pc.is_inf(column), True).as_py()
        raise InputError(
            f"{where}: the time in data row {row + 1:,} is infinite; leave unknown "
            "times empty"
        )
    return column


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:12])
    return f"the columns {shown}{' …' if len(names) > 12 else ''}"


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Arrow's and Python's reading errors as one line that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from error
    except (pa.ArrowException, csv.Error) as error:
        text = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: cannot be read: {text}") from error
