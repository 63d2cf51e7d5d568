"""Cutting a stream into whole lines changes nothing that is read from it."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.parsers import blocks


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text('ab",\r é', max_size=9), max_size=12), st.integers(1, 9))
def test_blocks_join_to_the_whole_and_end_between_lines(lines, size):
    content = "\n".join(lines).encode()
    before, blocks._BLOCK_BYTES = blocks._BLOCK_BYTES, size
    try:
        parts = list(blocks.whole_lines(io.BytesIO(content), "file"))
    finally:
        blocks._BLOCK_BYTES = before
    assert b"".join(parts).strip() == content.strip()
    assert all(part.endswith(b"\n") for part in parts[:-1])
