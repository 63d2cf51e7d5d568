"""Delimited files of whole numbers, as MovieLens and goodbooks publish them."""

from __future__ import annotations

from collections import Counter
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from data_prep.errors import InputError
from data_prep.parsers.blocks import whole_lines

_ID, _TIME = pa.int32(), pa.int64()  # 32 bits halve what 20 million rows need
_FITS = {_ID: r"^-?[0-9]{1,9}$", _TIME: r"^-?[0-9]{1,18}$"}


def read_integers(
    stream: IO[bytes],
    where: str,
    wanted: list[str],
    delimiter: str,
    header: list[str] | None = None,
) -> tuple[pa.Table, dict[str, int]]:
    """Reads some columns; lines that do not fit are dropped and counted.

    Args:
        stream: the file's bytes; not necessarily UTF-8 in the junk.
        where: the file, for messages.
        wanted: names of the columns to read: user, item and perhaps time.
        delimiter: one character.
        header: names of all columns; None: the first line holds them.

    Returns:
        A table in the order of `wanted`: int32 ids, none missing, and int64
        times, null where empty; and the counts of lines dropped by reason.
    """
    dropped: Counter[str] = Counter()
    types = [_ID, _ID, _TIME][: len(wanted)]

    def drop_line(row: pacsv.InvalidRow) -> str:
        dropped["wrong number of fields"] += 1
        return "skip"

    parse = pacsv.ParseOptions(
        delimiter=delimiter, quote_char=False, invalid_row_handler=drop_line
    )
    convert = pacsv.ConvertOptions(
        include_columns=wanted,
        column_types={name: pa.string() for name in wanted},
        strings_can_be_null=True,
        null_values=[""],
        check_utf8=False,
    )
    batches = []
    try:
        for block in whole_lines(stream, where):
            if header is None:
                first, _, block = block.partition(b"\n")
                names = first.decode("utf-8-sig", errors="replace").rstrip()
                header = names.split(delimiter)
            if not block.strip():
                continue
            read = pacsv.ReadOptions(column_names=header)
            rows = pacsv.read_csv(pa.BufferReader(block), read, parse, convert)
            batches += [_whole_numbers(b, types, dropped) for b in rows.to_batches()]
    except pa.ArrowException as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{where}: not the publisher's format: {text}") from error
    schema = pa.schema(list(zip(wanted, types, strict=True)))
    return pa.Table.from_batches(batches, schema), dict(dropped)


def _whole_numbers(
    batch: pa.RecordBatch, types: list[pa.DataType], dropped: Counter[str]
) -> pa.RecordBatch:
    try:
        numbers = _cast(batch, types)
    except pa.ArrowInvalid:  # junk in this block: look at each value
        fits = pa.array([True] * batch.num_rows)
        for column, kind in zip(batch.columns, types, strict=True):
            good = pc.match_substring_regex(column, _FITS[kind])
            fits = pc.and_(fits, pc.fill_null(good, True))
        dropped["not whole numbers"] += batch.num_rows - fits.true_count
        numbers = _cast(batch.filter(fits), types)
    whole = pa.RecordBatch.from_arrays(numbers, names=batch.schema.names)
    there = pc.and_(whole.column(0).is_valid(), whole.column(1).is_valid())
    if there.true_count < whole.num_rows:
        dropped["no user or no item"] += whole.num_rows - there.true_count
        whole = whole.filter(there)
    return whole


def _cast(batch: pa.RecordBatch, types: list[pa.DataType]) -> list[pa.Array]:
    return [
        column.cast(kind) for column, kind in zip(batch.columns, types, strict=True)
    ]
