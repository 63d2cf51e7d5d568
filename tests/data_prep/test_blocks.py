"""Cutting a stream into whole lines changes nothing that is read from it."""

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.parsers import blocks
from data_prep.parsers.table import Columns, read_table

cell = st.text('ab",\n\r é', max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(cell, cell), max_size=12), st.integers(1, 9), st.booleans())
def test_blocks_join_to_the_whole_and_end_between_rows(rows, size, last_break):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    content = text.getvalue().encode()
    content = content if last_break else content.removesuffix(b"\n")
    before, blocks._BLOCK_BYTES = blocks._BLOCK_BYTES, size
    try:
        parts = list(blocks.whole_lines(io.BytesIO(content), "file", quoted=True))
    finally:
        blocks._BLOCK_BYTES = before
    assert b"".join(parts) == content
    read = []
    for part in parts:
        read += csv.reader(io.StringIO(part.decode(), newline=""))
    assert read == [list(row) for row in rows]


def test_a_table_reads_alike_in_small_blocks(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    rows = "".join(
        f'{n % 7},"title, ""{n}""\nsecond line",{n * 3}\n' for n in range(500)
    )
    path.write_text("user,title,item\n" + rows)
    whole = read_table(path, Columns())
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 100)
    small = read_table(path, Columns())
    assert small.user.to_pylist() == whole.user.to_pylist()
    assert small.item.to_pylist() == [str(n * 3) for n in range(500)]
