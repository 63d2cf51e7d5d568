"""Cells of a table as ids and times, whatever type they are kept in.

An id is an integer or text. A time is a number (seconds, milliseconds, a
position: only the order counts, so one unit per column) or an ISO 8601 date;
what comes back orders the rows of a column exactly as the cells do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.errors import InputError
from data_prep.parsers.table_files import MISSING

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$"
# What decimal128(38, 18) holds; beyond it Arrow's cast from text wraps round.
_DECIMAL = r"^[+-]?([0-9]{1,19}\.?[0-9]{0,18}|\.[0-9]{1,18})$"
_DECIMAL_TYPE = pa.decimal128(38, 18)
_EXACT_DIGITS = 15  # float64 tells apart all decimals of so many digits
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_EPOCH = (631_152_000, 4_102_444_800)  # seconds of the years 1990 and 2100


def ids(
    column: pa.ChunkedArray,
    where: str,
    missing: list[str],
    cell: Callable[[int], str],
) -> pa.ChunkedArray:
    """int64, uint64 or string without gaps.

    Args:
        column: floats and decimals only if they are whole numbers.
        where: file and column, for messages.
        missing: text that is no id.
        cell: row -> how it is written, for messages.
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_floating(kind):
        column = column.cast(pa.float64())
        column = pc.if_else(pc.is_nan(column), None, column)
    elif pa.types.is_string(kind):
        none = pc.is_in(column, value_set=pa.array(missing, pa.string()))
        if pc.any(none).as_py():  # else a copy of all text for nothing
            column = pc.if_else(none, None, column)
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise InputError(f"{where} is of type {kind}; ids are integers or text")
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py()
        text = cell(row)
        raise InputError(
            f"{where}: {column.null_count:,} ids are missing, the first in data row "
            f"{row + 1:,}{f' ({text!r} counts as missing)' if text else ''}; fill them "
            "in or take those rows out"
        )
    if pa.types.is_string(kind):
        marked = pc.starts_with(column, "\ufeff")
        if pc.any(marked).as_py():
            row = pc.index(marked, True).as_py()
            raise InputError(
                f"{where}: a byte order mark (U+FEFF) begins the id in data row "
                f"{row + 1:,}, as where files were joined; take it out"
            )
        return column
    if pa.types.is_integer(kind):
        return column
    return _whole_ids(column, where)


def _whole_ids(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    try:
        if pa.types.is_floating(column.type):
            return column.cast(pa.int64())
        column = column.cast(pa.decimal256(76, 0))
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{where} holds fractions ({error}); ids are integers or text"
        ) from error
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:  # Snowflake's numbers have up to 38 digits
        return column.cast(pa.string())


def times(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """int64 or float64 that order the rows; null where there is no time."""
    column = plain(column)
    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind):
        if pa.types.is_date32(kind):
            return column.cast(pa.int32()).cast(pa.int64())
        return column.cast(pa.int64())
    if pa.types.is_uint64(kind) or pa.types.is_decimal(kind):
        return _ranks(column)
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return column.cast(pa.int64())
    if pa.types.is_floating(kind):
        column = column.cast(pa.float64())
        _refuse_infinite(pc.is_inf(column), where)
        return pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_string(kind):
        return _times_from_text(column, where)
    raise InputError(f"{where} is of type {kind}; times are numbers or ISO dates")


def _ranks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Exact order of numbers that neither int64 nor float64 holds."""
    ranks = pc.rank(column, tiebreaker="dense").cast(pa.int64())
    return pa.chunked_array([pc.if_else(_whole(column).is_null(), None, ranks)])


def _times_from_text(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    column = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(column, value_set=pa.array(MISSING))
    column = pc.if_else(missing, None, column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    infinite = pc.match_substring_regex(column, r"(?i)^[+-]?inf(inity)?$")
    _refuse_infinite(infinite, where)
    numeric = pc.match_substring_regex(column, _NUMBER)
    if pc.all(numeric).as_py() is not False:
        return _numbers_from_text(column)
    dates = _dates_from_text(column)
    bad = pc.and_(column.is_valid(), dates.is_null())
    if pc.any(bad).as_py():
        # Among numbers it is the word or the date that is wrong.
        odd = pc.invert(numeric) if pc.any(numeric).as_py() else bad
        row = pc.index(odd, True).as_py()
        raise InputError(
            f"{where} holds neither only numbers nor only ISO dates: "
            f"{column[row].as_py()[:40]!r} in data row {row + 1:,}; leave unknown "
            "times empty"
        )
    return dates


def _numbers_from_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    longest = pc.max(pc.utf8_length(column)).as_py() or 0
    if longest <= _EXACT_DIGITS:
        return column.cast(pa.float64())
    if pc.all(pc.match_substring_regex(column, _DECIMAL)).as_py() is not False:
        return _ranks(column.cast(_DECIMAL_TYPE))
    encoded = _whole(column).dictionary_encode()
    numbers = [Decimal(text) for text in encoded.dictionary.to_pylist()]
    rank = {number: n for n, number in enumerate(sorted(set(numbers)))}
    ranks = pa.array([rank[number] for number in numbers], pa.int64())
    return pa.chunked_array([ranks.take(encoded.indices)])


def _dates_from_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates as int64, null where a cell is none; a date without a zone is UTC."""
    # BigQuery writes `2020-01-03 10:00:00 UTC`.
    column = pc.replace_substring_regex(column, r" ?(UTC|GMT|Z)$", "")
    for zone in (None, "UTC"):
        try:
            return column.cast(pa.timestamp("us", zone)).cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    # Not all of one form that Arrow knows. Arrow's own nanoseconds would wrap round
    # in silence at 2262, those of pandas are missing there.
    encoded = _whole(column).dictionary_encode()
    text = encoded.dictionary
    import pandas as pd  # half of what --help would wait for

    parsed = pd.to_datetime(
        pd.Series(text.to_pylist(), dtype=object),
        format="ISO8601",
        utc=True,
        errors="coerce",
    )
    nanoseconds = parsed.astype("int64").to_numpy()
    whole, rest = np.divmod(nanoseconds, 1000)
    there = parsed.notna().to_numpy()
    for n in np.flatnonzero(~there):
        far = _far_date(text[n])
        if far is not None:
            whole[n], rest[n], there[n] = far, 0, True
    _, order = np.unique(np.stack([whole, rest], 1), axis=0, return_inverse=True)
    ranks = pa.array(order.reshape(-1), pa.int64(), mask=~there)
    return pa.chunked_array([ranks.take(encoded.indices)])


def _far_date(text: pa.Scalar) -> int | None:
    """Microseconds of a date beyond what pandas holds (1677 to 2262)."""
    for zone in (None, "UTC"):
        try:
            return text.cast(pa.timestamp("us", zone)).cast(pa.int64()).as_py()
        except pa.ArrowInvalid:
            pass
    return None


def _refuse_infinite(infinite: pa.ChunkedArray, where: str) -> None:
    if pc.any(infinite).as_py():
        row = pc.index(infinite, True).as_py()
        raise InputError(
            f"{where}: the time in data row {row + 1:,} is infinite; leave unknown "
            "times empty"
        )


def is_named_like_a_time(name: str) -> bool:
    """Whether a word of the name begins or ends as names of times do."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any(
        word == "ts"
        or word.startswith(("time", "date", "created"))
        or word.endswith(("time", "date", "timestamp"))
        for word in words
    )


def look_like_times(column: pa.ChunkedArray) -> bool:
    """Whether the values are dates, or numbers as clocks of 1990 to 2100 give them.

    Numbers count as seconds, milli-, micro- or nanoseconds, or as yyyymmdd.
    """
    if pa.types.is_binary(column.type):  # what Arrow makes of text that is not UTF-8
        return False
    column = plain(column).drop_null()
    kind = column.type
    if pa.types.is_temporal(kind):
        return not pa.types.is_time(kind) and len(column) > 0
    if pa.types.is_string(kind) and len(column):
        numeric = pc.all(pc.match_substring_regex(column, _NUMBER)).as_py()
        try:
            column = column.cast(pa.float64()) if numeric else times(column, "")
        except InputError:
            return False
        if not numeric:
            return column.null_count < len(column)
    elif not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return False
    numbers = column.cast(pa.float64()).drop_null().to_numpy()
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return False
    low, high = numbers.min(), numbers.max()
    units = (_EPOCH[0] * u <= low and high <= _EPOCH[1] * u for u in (1, 1e3, 1e6, 1e9))
    day, month = numbers % 100, numbers // 100 % 100
    days = (1 <= day) & (day <= 31) & (1 <= month) & (month <= 12)
    return any(units) or bool(low >= 19_000_101 and high <= 21_001_231 and days.all())


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionaries as their values, and text of any kind as string."""
    if pa.types.is_dictionary(column.type):
        # Arrow takes no items of a dictionary of views, so its values come first.
        kind = _plain_values(pa.array([], column.type.value_type)).type
        return pa.chunked_array(
            [_plain_values(c.dictionary).take(c.indices) for c in column.chunks], kind
        )
    return _plain_values(column)


def _plain_values(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.cast(values.type.storage_type)
    kind = values.type
    if pa.types.is_binary_view(kind):
        values = values.cast(pa.large_binary())
    if (
        pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
    ):
        return values.cast(pa.string())
    return values


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return (
        pa.concat_arrays(column.chunks)
        if column.num_chunks
        else pa.array([], column.type)
    )
