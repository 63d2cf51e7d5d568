"""Writes frames of recommendations as files for other programs, part by part.

What is written is what `recommend` returns: pandas reads it back as the same frame.

    CSV      pd.read_csv(path, dtype={"user": str, "item": str}, keep_default_na=False,
                         na_values={"score": [""]}, float_precision="round_trip")
    JSON     pd.read_json(path, dtype=False, precise_float=True)
    Parquet  pd.read_parquet(path)

Without the options pandas guesses that ids are numbers, and rounds the scores.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

#: Formats that other programs read; each is written by `write`.
FORMATS = ("csv", "json", "parquet")

# Rows of a row group of Parquet: a column chunk is some megabytes.
_ROWS_PER_GROUP = 1 << 20
_TYPES = {"rank": pa.int64(), "score": pa.float64()}


def write(frames: Iterable[pd.DataFrame], format: str, file: IO[bytes]) -> None:
    """Writes the rows of all frames, which have the same columns.

    Args:
        frames: one at least; text, and the numbers rank and score. NaN becomes an
            empty field of CSV, and null elsewhere.
        format: one of `FORMATS`.
        file: takes the bytes.
    """
    {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}[format](
        frames, file
    )


def _write_csv(frames, file):
    """A header, then a line a row; text is quoted, with its line breaks as they are."""
    for number, frame in enumerate(frames):
        options = pa.csv.WriteOptions(include_header=number == 0)
        pa.csv.write_csv(_table(frame), file, options)


def _write_json(frames, file):
    """One array of objects, each on a line of its own."""
    file.write(b"[")
    separator = "\n"
    for frame in frames:
        if len(frame):
            file.write((separator + ",\n".join(_objects(frame))).encode())
            separator = ",\n"
    file.write(b"\n]\n")


def _write_parquet(frames, file):
    writer, waiting, rows = None, [], 0
    for frame in frames:
        waiting.append(_table(frame))
        rows += len(frame)
        writer = writer or pq.ParquetWriter(file, waiting[0].schema)
        if rows >= _ROWS_PER_GROUP:
            writer.write_table(pa.concat_tables(waiting))
            waiting, rows = [], 0
    if waiting:
        writer.write_table(pa.concat_tables(waiting))
    writer.close()


def _table(frame: pd.DataFrame) -> pa.Table:
    """The frame with NaN as null; types do not depend on what is in it."""
    columns = {
        name: pa.array(frame[name], _TYPES.get(name, pa.string()), from_pandas=True)
        for name in frame
    }
    return pa.table(columns)


def _objects(frame: pd.DataFrame) -> Iterator[str]:
    columns = []
    for name in frame:
        values = frame[name].tolist()
        if name in _TYPES:
            columns.append(["null" if x != x else repr(x) for x in values])
        else:
            columns.append([_quoted(x) for x in values])
    row = "{" + ", ".join(f"{_quoted(name)}: %s" for name in frame) + "}"
    return map(row.__mod__, zip(*columns, strict=True))


@functools.lru_cache(1 << 16)
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
