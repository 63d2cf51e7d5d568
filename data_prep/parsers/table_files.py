"""A table on disk, CSV or Parquet, recognised by content: names, first rows, columns.

Both classes have the same members. Arrow reads either format by itself, from a
file that it opens: from a Python stream it would read ahead in a thread that
brings the process down when an error or a signal ends it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from data_prep import archives
from data_prep.errors import InputError

# What a missing cell looks like after a trip through pandas, R, SQL or Excel.
MISSING = [
    *("", "\\N", "NULL", "null", "Null", "(null)", "[NULL]", "NIL", "nil", "None"),
    *("NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "#N/A N/A", "NaT"),
    *("nan", "NaN", "-nan", "-NaN", "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND"),
]
# Missing in quotes, too, and the only text that makes a missing title.
ALWAYS_MISSING = MISSING[:2]
# A row lies in one block, so this is also the longest row.
_BLOCK_BYTES = 16 << 20
_FIRST_ROWS = 1000
_OTHER_FORMATS = {
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip or Excel",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"ARROW1": "Arrow or Feather",
    b"ORC": "ORC",
}


class TableFile(Protocol):
    """What the rest of the reader asks of a table."""

    path: Path
    names: list[str]
    missing: list[str]  # text that still counts as missing in what `read` returns

    def first_rows(self, names: list[str]) -> pa.Table:
        """Some columns of the first rows, of the types that Arrow finds."""

    def read(self, names: list[str], missing: list[str]) -> pa.Table:
        """Some columns, whole; `missing` is text that is no value."""

    def cell(self, name: str, row: int) -> str:
        """How one cell is written, for messages."""


def open_table(path: Path) -> TableFile:
    """Looks at the first bytes to tell Parquet from CSV."""
    with open(path, "rb") as file:
        parquet = file.read(4) == b"PAR1"
    return ParquetTable(path) if parquet else CsvTable(path)


class CsvTable:
    r"""CSV in UTF-8, with or without a byte order mark, plain or gzipped.

    Every cell is text as it is written: `007` is not 7. A word that counts as
    missing is a value where it stands in quotes. Quoting is that of RFC 4180,
    and a quote inside a plain cell is itself. A quoted cell that goes on behind
    its closing quote is neither: Arrow and pandas may then join rows or cut one
    in two without a word, so it is refused, unless taking `\` before a quote for
    an escape gives the same cells.
    """

    missing = ALWAYS_MISSING

    def __init__(self, path: Path):
        self.path = path
        self._zipped = archives.is_gzip(path)
        self._refuse_other_formats()
        with clear_errors(path), self._reader([], []) as reader:
            self.names: list[str] = reader.schema.names

    def first_rows(self, names: list[str]) -> pa.Table:
        with clear_errors(self.path), self._reader(names, MISSING, {}) as reader:
            first = next(iter(reader), None)
            if first is None:
                return reader.schema.empty_table()
            return pa.Table.from_batches([first.slice(0, _FIRST_ROWS)])

    def read(self, names: list[str], missing: list[str]) -> pa.Table:
        quoted, escaped = self._quotes()
        with clear_errors(self.path):
            rows = self._cells(names, missing)
            if quoted:
                self._refuse_unclear_quotes(names, escaped)
        return rows

    def cell(self, name: str, row: int) -> str:
        with clear_errors(self.path):
            return str(self._cells([name], [])[name][row].as_py())

    def _cells(self, names: list[str], missing: list[str]) -> pa.Table:
        types = {name: pa.string() for name in names}
        with self._reader(names, missing, types) as reader:
            return pa.Table.from_batches(reader, reader.schema)

    @contextlib.contextmanager
    def _reader(
        self,
        names: list[str],
        missing: list[str],
        types: dict[str, pa.DataType] | None = None,
    ) -> Iterator[pacsv.CSVStreamingReader]:
        convert = pacsv.ConvertOptions(
            include_columns=names,
            column_types=types,
            strings_can_be_null=bool(missing),
            quoted_strings_can_be_null=False,
            null_values=missing,
        )
        with _native(self.path) as file:
            reader = pacsv.open_csv(
                pa.CompressedInputStream(file, "gzip") if self._zipped else file,
                pacsv.ReadOptions(block_size=_BLOCK_BYTES),
                pacsv.ParseOptions(newlines_in_values=True),
                convert,
            )
            with reader:
                yield reader

    def _refuse_other_formats(self) -> None:
        with archives.open_plain_or_gzip(self.path) as stream:
            start = stream.peek(4096)[:4096]  # type: ignore[attr-defined]
        kinds = [k for magic, k in _OTHER_FORMATS.items() if start.startswith(magic)]
        if kinds or b"\0" in start:
            what = f"binary ({kinds[0]})" if kinds else "binary"
            raise InputError(
                f"{self.path} is {what}, and neither gzip nor Parquet; give a CSV file "
                "in UTF-8, the same gzipped, or a Parquet file"
            )

    def _quotes(self) -> tuple[bool, bool]:
        r"""Whether there is a `"`, and whether there is a `\"`.

        Refuses what is damaged or expands like a bomb.
        """
        quoted, escaped, last = False, False, b""
        with archives.open_plain_or_gzip(self.path) as stream:
            while block := stream.read(1 << 20):
                quoted = quoted or b'"' in block
                escaped = escaped or b'\\"' in last + block
                last = block[-1:]
        return quoted, escaped

    def _refuse_unclear_quotes(self, names: list[str], escaped: bool) -> None:
        r"""A quote in a cell is written twice; MySQL and Spark write `\"` for it.

        Refuses a table that only the second way can read, if Arrow read other cells,
        and one that both can read, with other cells.
        """
        problem = ""
        with self._strict_rows() as rows:
            try:
                for _ in rows:
                    pass
            except csv.Error:
                problem = (
                    f"{self.path}: a quoted cell goes on behind its closing quote, or "
                    f"never closes, in line {rows.line_num:,} or before; write a quote "
                    'inside a quoted cell twice, as in "5"" disc"'
                )
        same = self._same_if_escaped(names) if problem or escaped else None
        if problem and not same:
            raise InputError(problem)
        if same is False:
            raise InputError(
                f'{self.path}: \\" may be a quote inside a cell or a backslash at its '
                "end, and the rows differ; write a quote inside a quoted cell twice, "
                'as in "5"" disc"'
            )

    def _same_if_escaped(self, names: list[str]) -> bool | None:
        r"""Whether Arrow's cells are those of a reader that knows `\"`.

        Returns:
            None if that reader finds no table: a quote that never closes, or rows that
            are longer or shorter than the header.
        """
        places = [self.names.index(name) for name in names]
        found = self._cells(names, [])
        columns = (
            list(value.as_py().values())
            for batch in found.to_batches()
            for value in batch.to_struct_array()
        )
        same = True
        with self._strict_rows(escapechar="\\") as rows:
            try:
                next(rows)
                for row in filter(None, rows):
                    if len(row) != len(self.names):
                        return None
                    same = same and [row[n] for n in places] == next(columns, None)
            except csv.Error:
                return None
        return same and next(columns, None) is None

    @contextlib.contextmanager
    def _strict_rows(self, escapechar: str | None = None):  # type: ignore[no-untyped-def]
        limit = csv.field_size_limit(_BLOCK_BYTES)
        try:
            with archives.open_plain_or_gzip(self.path) as stream:
                text = io.TextIOWrapper(stream, "utf-8", errors="replace", newline="")
                yield csv.reader(text, strict=True, escapechar=escapechar)
        finally:
            csv.field_size_limit(limit)


class ParquetTable:
    """One Parquet file; folders above it named `key=value` are only folders."""

    missing = MISSING

    def __init__(self, path: Path):
        self.path = path
        with self._file() as file:
            self.names: list[str] = file.schema_arrow.names

    def first_rows(self, names: list[str]) -> pa.Table:
        with self._file() as file:
            schema = pa.schema([file.schema_arrow.field(name) for name in names])
            batches = file.iter_batches(_FIRST_ROWS, columns=names, use_threads=False)
            first = next(batches, None)
            return pa.Table.from_batches(
                [first] if first else [], None if first else schema
            )

    def read(self, names: list[str], missing: list[str]) -> pa.Table:
        # INT96, Spark's and Hive's times: in nanoseconds, years from 2263 on would
        # wrap round; in microseconds, nothing does.
        with self._file("us") as file:
            rows = file.read(columns=names)
            physical = {
                (column := file.schema.column(n)).path: column.physical_type
                for n in range(len(file.schema))
            }
        for name in names:
            if physical.get(name) == "INT96":
                place = rows.column_names.index(name)
                rows = rows.set_column(place, name, self._int96(rows[name], name))
        return rows

    def _int96(self, microseconds: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        """Nanoseconds where all of them fit 64 bits, else microseconds."""
        with self._file("ns") as file:
            nanoseconds = file.read(columns=[name])[name]
        whole = microseconds.cast(pa.int64()).fill_null(0).to_numpy()
        fine = nanoseconds.cast(pa.int64()).fill_null(0).to_numpy()
        with np.errstate(over="ignore"):
            rest = fine - whole * 1000  # of 2**64, right even where both wrapped
        if (np.abs(whole) < (1 << 63) // 1000).all():
            return nanoseconds
        if rest.any():
            raise InputError(
                f"{self.path}: column {name!r} is INT96 and has parts of a microsecond "
                "beyond 2262, or times before 1970 as Arrow writes them; write it as a "
                "timestamp"
            )
        return microseconds

    def cell(self, name: str, row: int) -> str:
        with self._file("us") as file:
            value = file.read(columns=[name])[name][row].as_py()
        return "" if value is None else str(value)

    @contextlib.contextmanager
    def _file(self, int96: str = "us") -> Iterator[pq.ParquetFile]:
        with clear_errors(self.path), _native(self.path) as source:
            yield pq.ParquetFile(source, coerce_int96_timestamp_unit=int96)


def _native(path: Path) -> pa.NativeFile:
    return pa.OSFile(os.fsencode(path))  # bytes: a name need not be UTF-8


def listed(names: list[str]) -> str:
    """Column names for a message."""
    shown = ", ".join(repr(name[:40]) for name in names[:12])
    return f"the columns {shown}{' …' if len(names) > 12 else ''}"


@contextlib.contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Arrow's and Python's reading errors as one line that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from error
    except pa.ArrowException as error:
        text = " ".join(str(error).split())[:300]
        if "Empty CSV" in text:
            text = "it has no rows; a table with a header is needed"
        elif "straddling" in text:
            text = (
                f"a row longer than {_BLOCK_BYTES >> 20} MiB, or a quote that never "
                "closes"
            )
        raise InputError(f"{path}: cannot be read: {text}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # Arrow's of a compressed stream, which name no file.
        raise InputError(
            f"{path}: damaged or cut short ({error}); get it again"
        ) from error
