"""Any table of interactions: CSV, gzipped CSV or Parquet (`table_files`).

Unlike the publishers' files, of which stray lines are dropped and counted, a
user's own table is taken whole or refused: a row that cannot be read is a row
its owner would miss. Only two things are quietly fine: an empty time (the row
is kept in training and never held out) and a repeated pair (see `split`).
Which column is the time is never guessed where a guess could be wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from absl import logging

from data_prep.errors import InputError
from data_prep.interactions import Interactions
from data_prep.parsers import table_values
from data_prep.parsers.table_files import (
    ALWAYS_MISSING,
    MISSING,
    TableFile,
    clear_errors,
    listed,
    open_table,
)

NO_TIME = "none"


class Columns(NamedTuple):
    """Column names; `time`: None to find it, "" or NO_TIME where there is none.

    `rating` is "" where ratings are not asked for.
    """

    user: str = "user"
    item: str = "item"
    time: str | None = None
    rating: str = ""

    def described(self) -> str:
        """What is taken for what, in words."""
        time = f", time from column {self.time!r}"
        return (
            f"user from column {self.user!r}, item from column {self.item!r}"
            f"{time if self.time else '; no time column: rows count in file order'}"
        )


class TitleColumns(NamedTuple):
    """Column names of a table of items; "" where there is no such column."""

    item: str = "item"
    title: str = ""
    genres: str = ""

    def described(self) -> str:
        """What is taken for what, in words."""
        named = self._asdict().items()
        return ", ".join(f"{what} from column {name!r}" for what, name in named if name)


def choose(path: Path, asked: Columns) -> Columns:
    """The columns that are there to be read; `time` is a name or "".

    Raises:
        InputError: one is not there, or which is the time is not clear.
    """
    return _choose(open_table(path), asked)


def read_table(
    path: Path, asked: Columns, min_rating: float | None = None
) -> Interactions:
    """Reads interactions from a table; see the module for what is accepted.

    Args:
        path: the table.
        asked: its columns.
        min_rating: rows rated lower, or not at all, are left out and counted.
    """
    file = open_table(path)
    columns = _choose(file, asked)
    rows = file.read([name for name in columns if name], MISSING)
    _refuse_no_rows(path, rows)
    _refuse_headers(file, rows)
    time = None
    if columns.time:
        with clear_errors(path):
            where = f"{path}: column {columns.time!r}"
            time = table_values.times(rows[columns.time], where)
    read = Interactions(
        user=_ids(file, rows, columns.user),
        item=_ids(file, rows, columns.item),
        time=time,
    )
    if asked.time is None and columns.time == "position":
        _refuse_repeats(path, read)
    if min_rating is not None:
        _leave_out(read, _ratings(file, rows[columns.rating], columns), min_rating)
    return read


def _ratings(
    file: TableFile, column: pa.ChunkedArray, columns: Columns
) -> pa.ChunkedArray:
    try:
        return column.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"{file.path}: column {columns.rating!r} does not hold numbers only "
            f"({' '.join(str(error).split())[:100]}); name the ratings' with "
            "--rating_column="
        ) from None


def _leave_out(read: Interactions, ratings: pa.ChunkedArray, least: float) -> None:
    rated = pc.fill_null(pc.greater_equal(ratings, least), False)
    lost = len(rated) - pc.sum(rated).as_py()
    if lost == len(rated):
        raise InputError(f"no row has a rating of {least:g} or more")
    if lost:
        read.dropped[f"rated below {least:g}"] = lost
    for name in ("user", "item", "time"):
        column = getattr(read, name)
        setattr(read, name, None if column is None else column.filter(rated))


def choose_titles(path: Path, asked: TitleColumns, item: str | None) -> TitleColumns:
    """The columns of a table of items that are there to be read.

    Args:
        path: the table.
        asked: by name; "" where a flag was not given.
        item: the table of interactions' name for the item, where it was given.
    """
    file = open_table(path)
    default = item if item and not asked.item and item in file.names else "item"
    columns = TitleColumns(
        asked.item or default,
        asked.title or ("title" if "title" in file.names else ""),
        asked.genres or ("genres" if "genres" in file.names else ""),
    )
    flags = ("--items_item_column", "--title_column", "--genres_column")
    _refuse_absent(file, dict(zip(flags, columns, strict=True)))
    if not (columns.title or columns.genres):
        raise InputError(
            f"{path}: neither a `title` nor a `genres` column among "
            f"{listed(file.names)}; name one with --title_column= or --genres_column="
        )
    return columns


def read_titles(path: Path, columns: TitleColumns) -> dict[str, tuple[str, str]]:
    """Title and genres by raw item id; genres in a list are joined by `|`."""
    file = open_table(path)
    rows = file.read([columns.item], MISSING)
    _refuse_no_rows(path, rows)
    _refuse_headers(file, rows)
    items = _ids(file, rows, columns.item).to_pylist()
    names = [name for name in columns[1:] if name]
    texts = file.read(names, ALWAYS_MISSING)
    with clear_errors(path):
        title, genres = (
            _texts(texts[name], f"{path}: column {name!r}")
            if name
            else [""] * len(items)
            for name in columns[1:]
        )
    return {
        str(item): of
        for item, of in zip(items, zip(title, genres, strict=True), strict=True)
    }


def _choose(file: TableFile, asked: Columns) -> Columns:
    flags = ("--user_column", "--item_column", "--time_column")
    time = asked.time
    if time == NO_TIME and NO_TIME in file.names:
        raise InputError(
            f"{file.path} has a column {NO_TIME!r}, which --time_column={NO_TIME} "
            "does not mean; give that column another name"
        )
    named = {} if time in (None, "", NO_TIME) else {flags[2]: str(time)}
    if asked.rating:
        named["--rating_column"] = asked.rating
    _refuse_absent(file, {flags[0]: asked.user, flags[1]: asked.item, **named})
    if time is None:
        return asked._replace(time=_time_column(file, asked))
    return asked._replace(time=named.get(flags[2], ""))


def _time_column(file: TableFile, asked: Columns) -> str:
    taken = (asked.user, asked.item, asked.rating)
    others = [name for name in file.names if name not in taken]
    if "timestamp" in others:
        _refuse_absent(file, {"--time_column": "timestamp"})
        return "timestamp"
    once = [name for name in others if others.count(name) == 1 and name != "position"]
    first = file.first_rows(once) if once else pa.table({})
    likely = [
        name
        for name in once
        if table_values.is_named_like_a_time(name)
        or table_values.look_like_times(first[name])
    ]
    if "position" in others and not likely:
        return "position"
    if likely:
        also = "column 'position' or " if "position" in others else ""
        choices = [f"--time_column={name}" for name in likely[:3]]
        choices += ["--time_column=position"] if also else []
        raise InputError(
            f"{file.path}: {also}column {likely[0]!r} may be the time; say "
            f"{' or '.join(choices)}, or --time_column={NO_TIME} if the rows stand in "
            "time order"
        )
    return ""


def _refuse_absent(file: TableFile, columns: dict[str, str]) -> None:
    named = {flag: name for flag, name in columns.items() if name}
    for flag, name in named.items():
        if file.names.count(name) != 1:
            how = "no column" if name not in file.names else "more than one column"
            raise InputError(
                f"{file.path}: {how} {name!r} among {listed(file.names)}; name the "
                f"right one with {flag}="
            )
    if len(set(named.values())) < len(named):
        flags = ", ".join(f"{flag}={name}" for flag, name in named.items())
        raise InputError(f"{file.path}: one column is named twice: {flags}")


def _ids(file: TableFile, rows: pa.Table, name: str) -> pa.ChunkedArray:
    where = f"{file.path}: column {name!r}"
    with clear_errors(file.path):
        ids = table_values.ids(
            rows[name], where, file.missing, lambda row: file.cell(name, row)
        )
    if pa.types.is_string(ids.type):
        words = pc.is_in(ids, value_set=pa.array(MISSING))
        if pc.any(words).as_py():
            row = pc.index(words, True).as_py()
            logging.info(
                "%s: %r in data row %s stands in quotes, so it is an id; without them "
                "it would count as missing",
                where, ids[row].as_py(), f"{row + 1:,}",
            )  # fmt: skip
    return ids


def _refuse_no_rows(path: Path, rows: pa.Table) -> None:
    if not rows.num_rows:
        raise InputError(f"{path}: no rows below the header; a table needs some")


def _refuse_headers(file: TableFile, rows: pa.Table) -> None:
    """A row of column names is the header of a part that `cat` joined."""
    written = {
        text
        for name in file.names
        for text in (name, name.lower(), name.upper(), name.capitalize())
    }
    marked = {f"\ufeff{text}" for text in written} | {f'\ufeff"{t}"' for t in written}
    value_set = pa.array(sorted(written | marked), pa.string())
    header = None
    for column in map(table_values.plain, rows.columns):
        if not pa.types.is_string(column.type):
            return
        names = pc.is_in(column, value_set=value_set)
        header = names if header is None else pc.and_(header, names)
        if not pc.any(header).as_py():
            return
    row = pc.index(header, True).as_py()
    raise InputError(
        f"{file.path}: data row {row + 1:,} is a header again, as where files were "
        "joined; take it out"
    )


def _refuse_repeats(path: Path, rows: Interactions) -> None:
    """A place on a page comes again for the same user, a place in his order not."""
    assert rows.time is not None
    there = rows.time.is_valid()
    user = rows.user.filter(there).dictionary_encode().combine_chunks()
    if not len(user):
        return
    user = user.indices.to_numpy()
    position = rows.time.drop_null().to_numpy()
    order = np.lexsort((position, user))
    user, position = user[order], position[order]
    again = (user[1:] == user[:-1]) & (position[1:] == position[:-1])
    if again.any():
        raise InputError(
            f"{path}: column 'position' has {position[1:][again][0]} twice for one "
            "user, so it may be no order in time; say --time_column=position if it is, "
            f"or --time_column={NO_TIME} if the rows stand in time order"
        )


def _texts(column: pa.ChunkedArray, where: str) -> list[str]:
    kind = column.type
    if (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    ) and not pa.types.is_nested(kind.value_type):
        cells = column.to_pylist()
        return ["|".join(str(v) for v in c or () if v is not None) for c in cells]
    if pa.types.is_nested(kind):
        raise InputError(f"{where} is of type {kind}; give text, genres as A|B|C")
    texts = table_values.plain(column).cast(pa.string()).to_pylist()
    return ["" if text is None or text == "\\N" else text for text in texts]
