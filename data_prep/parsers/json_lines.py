"""Reviews as one JSON object a line, or one Python literal a line.

Only three fields are kept. Blocks of lines go through Arrow's parser; a block
that it refuses is read line by line, and lines that are no review are dropped
and counted. Python literals are parsed (`ast.literal_eval`), never evaluated.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections import Counter
from collections.abc import Callable
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from data_prep.parsers.blocks import whole_lines

_PARSER_BYTES = 2 << 20


def read_reviews(
    stream: IO[bytes],
    where: str,
    fields: tuple[str, str, str],
    time_type: pa.DataType,
    to_time: Callable[[pa.ChunkedArray], pa.ChunkedArray],
) -> tuple[pa.Table, dict[str, int]]:
    """Reads user, item and time of every review.

    Args:
        stream: the file's bytes.
        where: the file, for messages.
        fields: names of the user, the item and the time.
        time_type: of the time in the file, int64 or string.
        to_time: the times as int64, null where there is none.

    Returns:
        A table of user and item (string) and time (int64), no user or item
        missing, and the counts of lines dropped by reason.
    """
    user, item, time = fields
    schema = pa.schema([(user, pa.string()), (item, pa.string()), (time, time_type)])
    dropped: Counter[str] = Counter()
    blocks = []
    for block in whole_lines(stream, where):
        try:
            rows = _parse_block(block, schema)
        except pa.ArrowInvalid:
            rows = _parse_lines(block, schema, dropped)
        there = pc.and_(_has_text(rows[user]), _has_text(rows[item]))
        missing = rows.num_rows - (pc.sum(there).as_py() or 0)
        if missing:
            dropped["no user or no item"] += missing
            rows = rows.filter(there)
        columns = [rows[user], rows[item], to_time(rows[time])]
        blocks.append(pa.table(columns, names=["user", "item", "time"]))
    empty = pa.schema(
        [("user", pa.string()), ("item", pa.string()), ("time", pa.int64())]
    ).empty_table()
    return pa.concat_tables([empty, *blocks]), dict(dropped)


def _parse_block(block: bytes, schema: pa.Schema) -> pa.Table:
    rows = pajson.read_json(
        pa.BufferReader(block),
        read_options=pajson.ReadOptions(block_size=_PARSER_BYTES),
        parse_options=pajson.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        ),
    )
    for column in rows.columns[:2]:  # Arrow lets bytes that are not UTF-8 through
        column.validate(full=True)
    return rows


def _parse_lines(block: bytes, schema: pa.Schema, dropped: Counter[str]) -> pa.Table:
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # literals with odd escapes such as "\d"
        for line in block.split(b"\n"):
            if line.strip():
                row = _parse_line(line, schema)
                if row is None:
                    dropped["line that is no review"] += 1
                else:
                    rows.append(row)
    return pa.Table.from_pylist(rows, schema)


def _parse_line(line: bytes, schema: pa.Schema) -> dict[str, Any] | None:
    try:
        text = line.decode("utf-8")
        try:
            review = json.loads(text)
        except ValueError:
            review = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(review, dict):
        return None
    row = {field.name: review.get(field.name) for field in schema}
    for field in schema:
        value = row[field.name]
        wanted = int if pa.types.is_integer(field.type) else str
        # A bool is an int to Python; no time is beyond 64 bits.
        if value is not None and (
            type(value) is not wanted or (wanted is int and abs(value) >= 1 << 63)
        ):
            return None
    return row


def _has_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(column, ""), False)
