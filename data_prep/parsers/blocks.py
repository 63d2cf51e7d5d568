"""Cuts a stream into blocks of whole lines for Arrow's parsers.

They could read a Python stream themselves, but do so ahead of need from a thread
of their own, which brings the process down when an error or a signal ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from data_prep.errors import InputError

_BLOCK_BYTES = 16 << 20
# Reviews run to some 30 KB; a "line" of this length is not one.
_LONGEST_LINE = 64 << 20


def whole_lines(stream: IO[bytes], where: str) -> Iterator[bytes]:
    """Yields blocks that end where a line ends; quotes mean nothing."""
    rest = b""
    while data := stream.read(_BLOCK_BYTES):
        rest += data
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
        if len(rest) > _LONGEST_LINE:
            raise InputError(
                f"{where}: a line longer than {_LONGEST_LINE >> 20} MiB; get the file "
                "again"
            )
    if rest.strip():
        yield rest
