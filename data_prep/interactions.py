"""What every parser returns: interactions in source order, ids still raw."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pyarrow as pa

from data_prep.errors import InputError

# Everything that str.splitlines() breaks at: the id files hold one id a line.
_LINE_BREAK = re.compile("[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_INTEGER = re.compile(r"-?[0-9]+\Z")
# Longer than any real id and short enough for int(), which stops at 4300 digits.
MAX_ID_LENGTH = 1024


@dataclasses.dataclass
class Interactions:
    """N rows of one source, in source order.

    Attributes:
        user: [N] raw user ids, integers or strings, none missing.
        item: [N] raw item ids, likewise.
        time: [N] numbers that only order the rows of a user; null where the
            row has no time. None: source order is time order.
        dropped: rows left out by the parser, counted by reason.
        titles: raw item id -> (title, genres joined by `|`).
    """

    user: pa.ChunkedArray
    item: pa.ChunkedArray
    time: pa.ChunkedArray | None
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
    titles: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_columns(
        cls,
        rows: pa.Table,
        dropped: dict[str, int],
        titles: dict[str, tuple[str, str]] | None = None,
    ) -> Interactions:
        """Takes the first two or three columns as user, item and time."""
        user, item, *time = rows.columns
        return cls(user, item, time[0] if time else None, dropped, titles or {})


def index_ids(column: pa.ChunkedArray, what: str) -> tuple[np.ndarray, list[str]]:
    """Raw ids -> (codes, ids) with `ids[codes[n]] == str(column[n])`.

    The order of `ids` depends on the set of ids alone: by number if all of
    them are written as whole numbers (equal numbers, as `07` and `7`, in text
    order), else by Unicode code point.

    Args:
        column: [N] integers or strings without nulls.
        what: "user" or "item", for messages.

    Returns:
        codes: int32 [N].
        ids: distinct raw ids as text.
    """
    encoded = column.dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # what pyarrow makes of no rows
        return np.zeros(0, np.int32), []
    try:
        encoded.dictionary.validate(full=True)
        distinct = [str(value) for value in encoded.dictionary.to_pylist()]
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise InputError(
            f"a {what} id is not UTF-8 text; save the file as UTF-8"
        ) from error
    _check_ids(distinct, what)
    if all(map(_INTEGER.match, distinct)):
        order = sorted(range(len(distinct)), key=lambda n: _numeric(distinct[n]))
    else:
        order = sorted(range(len(distinct)), key=distinct.__getitem__)
    code = np.empty(len(order), np.int32)
    code[order] = np.arange(len(order), dtype=np.int32)
    return code[encoded.indices.to_numpy()], [distinct[n] for n in order]


def _numeric(text: str) -> tuple[int, str]:
    return int(text), text


def _check_ids(ids: list[str], what: str) -> None:
    for text in ids:
        if _LINE_BREAK.search(text):
            raise InputError(
                f"the {what} id {text[:60]!r} holds a line break, but ids are kept "
                "one a line; take line breaks out of the ids"
            )
        if len(text) > MAX_ID_LENGTH:
            raise InputError(
                f"the {what} id {text[:20]!r}… has {len(text):,} characters; "
                f"at most {MAX_ID_LENGTH} are taken: is this the right column?"
            )
