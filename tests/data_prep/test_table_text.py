"""CSV as other tools write it: each of these once gave a wrong or no result."""

import bz2
import gzip
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep.errors import InputError
from data_prep.parsers import table_files
from data_prep.parsers.table import Columns, TitleColumns, read_table, read_titles
from tests.data_prep.conftest import held_out, load

ROWS = [
    *(("a", "x", 3), ("a", "y", 1), ("a", "z", 2)),
    *(("b", "x", 1), ("b", "z", 2), ("b", "y", 3)),
]
SPLIT = {"a": ("z", "x"), "b": ("z", "y")}
SMALL = "user,item,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in ROWS)


# quotes

NOTES = ['5" disc', '"two\nlines, and ""quotes"""', "ok", '"a, b"', 'x"y', '""']


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("block", [80, 16 << 20])
def test_a_stray_quote_in_a_cell_moves_no_row(
    split_of, monkeypatch, line_end, pack, block
):
    monkeypatch.setattr(table_files, "_BLOCK_BYTES", block)
    lines = ["user,item,note,timestamp"]
    lines += [f"{u},{i},{n},{t}" for (u, i, t), n in zip(ROWS, NOTES, strict=True)]
    assert split_of(pack((line_end.join(lines) + line_end).encode())) == SPLIT


def test_a_backslash_before_a_quote_is_read_where_both_readings_agree(split_of):
    content = SMALL.replace("timestamp\n", "timestamp,note\n")
    content = content.replace(",3\n", ',3,"he said \\"hi"\n')
    content = content.replace(",1\n", ',1,"two\ngood, cheap, fast"\n')
    assert split_of(content.replace(",2\n", ",2,ok\n").encode()) == SPLIT


@pytest.mark.parametrize(
    "rows",
    [
        'a,x,"he \\"said\nc,z,fast"\n',  # one row or two
        'a,x,"one\nb,y,two\nc,z,"three\n',  # three rows that look like one
        'a,x,"5"" disc\nc,z,ok\n',  # never closes
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_quote_that_makes_rows_unclear_is_refused(refusal_of, rows, pack):
    content = "user,item,note\n" + "".join(f"{u},{i},n\n" for u, i, _ in ROWS) + rows
    said = refusal_of(pack(content.encode()))
    assert "quote" in said and "in line" in said


def test_two_readings_of_a_backslash_with_other_rows_are_refused(refusal_of):
    # With \" for a quote there are two rows, else one with a line break in its note.
    ours = 'c,x,",\\"",1\nc,y,\\",2\n'
    text = SMALL.replace(",timestamp", ",note,timestamp")
    rows = [line.rpartition(",") for line in text.splitlines()[1:]]
    table = "user,item,note,timestamp\n" + "".join(f"{a},,{t}\n" for a, _, t in rows)
    assert "the rows differ" in refusal_of((table + ours).encode())


def test_a_backslash_at_the_end_of_a_quoted_cell_is_one(split_of):
    rows = [f'{u},{i},"C:\\",{t}' for u, i, t in ROWS]
    assert split_of("\n".join(["user,item,note,timestamp", *rows]).encode()) == SPLIT


def test_a_stray_quote_in_the_items_moves_no_title(write_table):
    path = write_table('item,title\nx,5" disc\ny,"two\nlines"\nz,ok\n', "items.csv")
    titles = read_titles(path, TitleColumns("item", "title"))
    expected = {"x": ('5" disc', ""), "y": ("two\nlines", ""), "z": ("ok", "")}
    assert titles == expected


# what is missing


@pytest.mark.parametrize("word", ["\\N", "#N/A", "#NA", "n/a", "NIL", "NULL", "NaT"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_bare_word_for_nothing_is_no_id(refusal_of, word, place):
    row = ["c", "x", "1"]
    row[place] = word
    said = refusal_of((SMALL + ",".join(row) + "\n").encode())
    assert f"({word!r} counts as missing)" in said
    assert "data row 7" in said


@pytest.mark.parametrize("word", ["\\N", "#N/A", "NIL", "null", '"NA"', '""'])
def test_a_word_for_nothing_is_no_time(split_of, word):
    assert split_of((SMALL + f"c,x,{word}\nc,y,1\nc,z,{word}\n").encode()) == SPLIT


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A"])
def test_a_quoted_word_is_an_id_and_said(command, tmp_path, word):
    rows = f'"{word}",x,1\n"{word}",y,2\n"{word}",z,3\n'
    path = tmp_path / "table.csv"
    path.write_text(SMALL + rows)
    result = command("--dataset=mine", f"--table={path}")
    assert (result.code, f"{word!r} in data row 7" in result.out) == (0, True)
    assert held_out(load(tmp_path / "data/mine")) == {**SPLIT, word: ("y", "z")}


@pytest.mark.parametrize("cell", ['""', '"\\N"'])
def test_a_quoted_nothing_is_no_id(refusal_of, cell):
    assert "missing" in refusal_of((SMALL + f"{cell},x,1\n").encode())


def test_a_word_for_nothing_in_parquet_shows_itself(tmp_path):
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table({"user": ["a", "nan"], "item": ["x", "y"]}), path)
    with pytest.raises(InputError, match=r"data row 2 \('nan' counts as missing\)"):
        read_table(path, Columns())


# dates


@pytest.mark.parametrize(
    "days",
    [
        ["9999-12-31", "2020-01-01", "2020-01-02"],
        ["2020-01-02", "0001-01-01", "1500-06-01"],
        [
            "2020-01-03 10:00:00 UTC",
            "2020-01-01 10:00:00 UTC",
            "2020-01-02 10:00:00.5 UTC",
        ],
        [
            "2020-01-01T00:00:00-02:00",
            "2020-01-01T01:00:00+00:00",
            "2020-01-01T01:30:00Z",
        ],
        ["9999-12-31T00:00:00+02:00", "2020-01-01", "2020-01-01 00:00:00.000000001"],
        ["2020-01-03 10:00:00+00", "2020-01-02 23:00:00 GMT", "2020-01-03"],
    ],
)
@pytest.mark.parametrize("parquet", [False, True])
def test_dates_as_databases_write_them(split_of, days, parquet):
    cells = {3: days[0], 1: days[1], 2: days[2]}
    times = [cells[t] for *_, t in ROWS]
    lines = [f"{u},{i},{c}" for (u, i, _), c in zip(ROWS, times, strict=True)]
    csv = "\n".join(["user,item,timestamp", *lines]).encode()
    user, item, _ = (list(column) for column in zip(*ROWS, strict=True))
    columns = {"user": user, "item": item, "timestamp": times}
    assert split_of(columns if parquet else csv) == SPLIT


def test_a_date_of_another_form_is_shown(refusal_of):
    assert "'31/12/2020' in data row 7" in refusal_of(
        (SMALL + "b,w,31/12/2020\n").encode()
    )


# and other encodings


def test_a_name_that_is_not_utf_8(command, tmp_path):
    table = os.path.join(os.fsencode(tmp_path), b"caf\xe9.csv")
    items = os.path.join(os.fsencode(tmp_path), b"film\xe9.parquet")
    with open(table, "w") as file:
        file.write(SMALL)
    with open(items, "wb") as file:
        pq.write_table(pa.table({"item": ["x"], "title": ["X"]}), file)
    flags = (f"--table={os.fsdecode(table)}", f"--items={os.fsdecode(items)}")
    result = command("--dataset=mine", *flags)
    assert (result.code, result.err.count("\n")) == (0, 1)  # few negatives, no trace
    stats = load(tmp_path / "data/mine").stats
    assert stats["source"]["path"].endswith("caf\\xe9.csv")
    assert list(stats["checksums"]) == ["caf\\xe9.csv", "items:film\\xe9.parquet"]
    assert "up to date" in command("--dataset=mine", *flags).out


def test_a_byte_order_mark_is_not_part_of_a_name(split_of):
    assert split_of(gzip.compress(("\ufeff" + SMALL).encode())) == SPLIT
    assert split_of(("\ufeff" + SMALL.replace("user", '"user"')).encode()) == SPLIT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SMALL.encode("utf-16"), "UTF-16"),
        (SMALL.encode("utf-16-be"), "binary"),
        (bz2.compress(SMALL.encode()), "bzip2"),
        (SMALL.replace("a,x", "é,x").encode("latin-1"), "UTF"),
        (SMALL.replace("user", "usér").encode("latin-1"), "UTF-8"),
    ],
)
def test_other_encodings_and_compressions_are_named(refusal_of, content, said):
    assert said in refusal_of(content)


# parts joined by cat


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    "header", ["user,item", "item,user", "USER,Item", '"user","item"']
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_header_inside_is_no_row(refusal_of, mark, header, line_end):
    part = "".join(f"{u},{i}\n" for u, i, _ in ROWS)
    text = f"user,item\n{part}{mark}{header}\n{part.replace('a', 'c')}"
    said = refusal_of(text.replace("\n", line_end).encode())
    assert "data row 7 is a header again" in said


def test_a_header_inside_the_items_is_no_title(write_table):
    path = write_table("item,title\nx,X\nitem,title\ny,Y\n", "items.csv")
    with pytest.raises(InputError, match="data row 2 is a header again"):
        read_titles(path, TitleColumns("item", "title"))


def test_a_byte_order_mark_inside_is_no_part_of_an_id(refusal_of):
    assert "data row 7" in refusal_of((SMALL + "\ufeffa,w,1\n").encode())


# nothing to be ranked among


def test_few_negatives_are_said(command, write_table):
    result = command("--dataset=mine", f"--table={write_table(SMALL)}")
    assert "2 of 2 held-out users have fewer than 100 negatives (3 items)" in result.err
