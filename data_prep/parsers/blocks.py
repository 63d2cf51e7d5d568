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


def whole_lines(stream: IO[bytes], where: str, quoted: bool = False) -> Iterator[bytes]:
    """Yields blocks that end where a line ends.

    Args:
        stream: the bytes.
        where: the file, for messages.
        quoted: a line break between an odd number of `"` and the next is part
            of a value, as in RFC 4180.
    """
    rest = b""
    while data := stream.read(_BLOCK_BYTES):
        rest += data
        end = _last_line_end(rest, quoted)
        if end:
            yield rest[:end]
            rest = rest[end:]
        if len(rest) > _LONGEST_LINE:
            raise InputError(
                f"{where}: a line longer than {_LONGEST_LINE >> 20} MiB, or a quote "
                "that never closes; get or write the file again"
            )
    if rest.strip():
        yield rest


def _last_line_end(block: bytes, quoted: bool) -> int:
    end = block.rfind(b"\n") + 1
    if not quoted:
        return end
    # Every block starts outside quotes, so parity is counted from its start.
    quotes = block.count(b'"', 0, end)
    while end and quotes % 2:
        before = block.rfind(b"\n", 0, end - 1) + 1
        quotes -= block.count(b'"', before, end)
        end = before
    return end
