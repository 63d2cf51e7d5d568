"""The reader of a user's own table: what it takes, what it refuses, and how."""

import contextlib
import datetime
import gzip
import io
import math
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep import prepare
from data_prep.errors import InputError
from data_prep.interactions import index_ids
from data_prep.parsers.table import (
    Columns,
    TitleColumns,
    choose_titles,
    read_table,
    read_titles,
)
from data_prep.parsers.table_files import MISSING
from tests.data_prep.conftest import held_out, load, raw_pairs

SMALL = "user,item,timestamp\na,x,3\na,y,1\na,z,2\nb,x,1\nb,z,2\nb,y,3\n"


def test_a_table_by_hand(command, write_table, tmp_path):
    result = command("--dataset=mine", f"--table={write_table(SMALL)}")
    assert result.code == 0
    prepared = load(tmp_path / "data/mine")
    assert raw_pairs(prepared) == [("a", "y"), ("b", "x")]
    assert held_out(prepared) == {"a": ("z", "x"), "b": ("z", "y")}
    assert prepared.stats["source"]["kind"] == "table"
    assert prepared.stats["matches_paper"] is None


def _story(times) -> pd.DataFrame:
    return pd.DataFrame(
        {"who": [7, 7, 7, 10, 10, 10], "what": [1, 2, 3, 1, 3, 2], "at": times}
    )


SECONDS = [1_300_000_003, 1_300_000_001, 1_300_000_002] * 2
AS_DATES = pd.to_datetime(SECONDS, unit="s")


@pytest.mark.parametrize(
    "times",
    [
        SECONDS,
        [s * 1000 for s in SECONDS],
        [s - 1.3e9 + 0.25 for s in SECONDS],
        [-1 / s for s in SECONDS],
        list(AS_DATES),
        list(AS_DATES.tz_localize("Asia/Tokyo")),
        [d.isoformat() + "Z" for d in AS_DATES],
        [d.strftime("%Y-%m-%d %H:%M:%S") for d in AS_DATES],
        [(datetime.date(2020, 1, 1) + datetime.timedelta(s % 10)) for s in SECONDS],
    ],
    ids="seconds ms float negative datetime zoned iso-z iso-space date".split(),
)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_times_in_every_form_order_alike(command, tmp_path, times, ending):
    path = tmp_path / f"table{ending}"
    frame = _story(times)
    if ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    columns = ("--user_column=who", "--item_column=what", "--time_column=at")
    result = command("--dataset=mine", f"--table={path}", *columns)
    assert result.code == 0, result.err
    prepared = load(tmp_path / "data/mine")
    assert raw_pairs(prepared) == [("7", "2"), ("10", "3")]
    assert held_out(prepared) == {"7": ("3", "1"), "10": ("2", "1")}


def test_an_empty_time_is_never_held_out(command, write_table, tmp_path):
    table = write_table(
        "user,item,timestamp\na,x,\na,y,1\na,z,2\nb,x,NaN\nb,z,nan\nb,y,3\nc,x,1\n"
    )
    assert command("--dataset=mine", f"--table={table}").code == 0
    prepared = load(tmp_path / "data/mine")
    assert held_out(prepared) == {"a": ("y", "z")}
    assert raw_pairs(prepared)[1:] == [("b", "x"), ("b", "z"), ("b", "y"), ("c", "x")]
    assert prepared.stats["undated"] == 3


def test_position_serves_where_there_is_no_timestamp(write_table):
    text = SMALL.replace("timestamp", "position")
    assert read_table(write_table(text), Columns()).time.to_pylist() == [
        3,
        1,
        2,
        1,
        2,
        3,
    ]
    assert read_table(write_table(SMALL), Columns(time="")).time is None


def test_ids_are_text_as_written(write_table):
    huge = "9" * 60
    table = write_table(
        f'\ufeffuser,item\n007,1.50\n7,"a,""b"""\n-3,{huge}\n 7, é✓\n7,1e5\n'
    )
    rows = read_table(table, Columns())
    assert rows.user.to_pylist() == ["007", "7", "-3", " 7", "7"]
    assert rows.item.to_pylist() == ["1.50", 'a,"b"', huge, " é✓", "1e5"]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["10", "9", "-2", "07", "7"], ["-2", "07", "7", "9", "10"]),
        (["10", "9", "x"], ["10", "9", "x"]),
        (["9" * 40, "1" + "0" * 40], ["9" * 40, "1" + "0" * 40]),
    ],
)
def test_ids_are_sorted_as_numbers_only_if_all_are(ids, expected):
    codes, ordered = index_ids(pa.chunked_array([ids[:1], ids[1:], ids]), "user")
    assert ordered == expected
    assert [ordered[code] for code in codes] == ids + ids


def test_integer_and_text_columns_give_the_same_ids():
    numbers = [12, -1, 5, 12]
    as_numbers = index_ids(pa.chunked_array([numbers]), "user")
    as_text = index_ids(pa.chunked_array([[str(n) for n in numbers]]), "user")
    assert as_numbers[1] == as_text[1]
    assert as_numbers[0].tolist() == as_text[0].tolist()


def _parquet(**columns) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


BAD_TABLES = {
    "missing column": (b"user,thing\n1,2\n", "no column 'item'"),
    "column twice": (b"user,item,item\n1,2,3\n", "more than one column 'item'"),
    "empty": (b"", "no rows"),
    "blank": (b"\n\n", "no rows"),
    "header without a line end": (b"user,item", "no rows"),
    "header only": (b"user,item\n", "no rows"),
    "missing id": (SMALL.encode() + b"b,,4\n", "data row 7"),
    "NaN id": (SMALL.encode() + b"NaN,x,4\n", "missing"),
    "null id": (_parquet(user=[1, None], item=[1, 2]), "missing"),
    "float NaN id": (_parquet(user=[1.0, math.nan], item=[1, 2]), "missing"),
    "fraction": (_parquet(user=[1.5, 2.0], item=[1, 2]), "fractions"),
    "bool id": (_parquet(user=[True, False], item=[1, 2]), "type bool"),
    "list id": (_parquet(user=[[1], [2]], item=[1, 2]), "type list"),
    "time as word": (SMALL.encode() + b"b,w,late\n", "'late' in data row 7"),
    "infinite time": (SMALL.encode() + b"b,w,inf\n", "infinite"),
    "mixed times": (SMALL.encode() + b"b,w,2020-01-01\n", "'2020-01-01' in data row 7"),
    "time of day": (
        _parquet(user=[1], item=[1], timestamp=[datetime.time(1)]),
        "type time64",
    ),
    "one user": (b"user,item\n1,1\n1,2\n1,3\n1,4\n", "at least 2 of each"),
    "one item": (b"user,item\n1,1\n2,1\n3,1\n", "at least 2 of each"),
    "nothing to hold out": (b"user,item\n1,1\n2,1\n2,2\n", "nothing can be held out"),
    "only undated": (
        b"user,item,timestamp\n" + b"1,1,\n1,2,\n1,3,\n2,3,\n",
        "held out",
    ),
    "binary": (bytes(range(256)) * 40, "binary"),
    "random gzip": (gzip.compress(bytes(range(256)) * 40), "binary"),
    "cut gzip": (gzip.compress(SMALL.encode() * 999)[:-20], "damaged"),
    "not gzip": (b"\x1f\x8b" + b"junk" * 99, "damaged"),
    "cut Parquet": (_parquet(user=[1], item=[1])[:-9], "cannot be read"),
    "latin-1": ("user,item\né,1\n".encode("latin-1"), "UTF"),
    "UTF-16": (SMALL.encode("utf-16"), "binary"),
    "short row": (SMALL.encode() + b"b,w\n", "cannot be read"),
    "long row": (SMALL.encode() + b"b,w,1,2\n", "cannot be read"),
    "open quote": (SMALL.encode() + b'b,"w,1\n', "cannot be read"),
    "semicolons": (SMALL.replace(",", ";").encode(), "user;item;timestamp"),
    "line break in an id": (SMALL.encode() + b'b,"w\nv",4\n', "line break"),
    "line separator in an id": (
        SMALL.encode() + "b,w\u2028,4\n".encode(),
        "line break",
    ),
    "endless id": (SMALL.encode() + b"b," + b"7" * 5000 + b",4\n", "characters"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_gets_one_clear_line_and_leaves_nothing(command, tmp_path, case):
    content, said = BAD_TABLES[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    result = command("--dataset=mine", f"--table={path}")
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1
    assert result.err.startswith("mine: ")
    assert not (tmp_path / "data").exists()


def test_a_table_that_is_not_there(command, tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        result = command("--dataset=mine", f"--table={path}")
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert str(path) in result.err


def test_titles_and_genres_come_with_any_table(command, write_table, tmp_path):
    items = write_table(
        'item,title,genres\nz,"Zed, the",A|B\nq,unseen,\nx,Ünï,\n', "items.csv"
    )
    flags = ("--dataset=mine", f"--table={write_table(SMALL)}")
    assert command(*flags, f"--items={items}").code == 0
    written = (tmp_path / "data/mine/items.csv").read_text(encoding="utf-8")
    assert written == 'item,title,genres\nx,Ünï,\ny,,\nz,"Zed, the",A|B\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item\n1\n", "neither"),
        ("id,title\n1,x\n", "'item'"),
        ("item,title\n,x\n", "1"),
    ],
)
def test_bad_titles_are_refused(write_table, text, said):
    path = write_table(text)
    with pytest.raises(InputError, match=said):
        read_titles(path, choose_titles(path, TitleColumns(), None))


# Property-based: any cells at all give a correct folder or one clear line.

cells = st.one_of(
    st.integers(-3, 3).map(str),
    st.integers(-(10**40), 10**40).map(str),
    st.floats().map(str),
    st.sampled_from(["", "NaN", "null", "a", "A", "é", "2020-01-01", "☃", " 1", "1.0"]),
    st.text(max_size=5),
)
plain_ids = st.text("ab0é✓ ", min_size=1, max_size=3).filter(lambda s: s not in MISSING)
times = st.one_of(st.integers(-5, 5).map(str), st.sampled_from(["", "nan", "1.5"]))
tables = st.one_of(
    st.lists(st.tuples(cells, cells, cells), max_size=25),
    st.lists(st.tuples(plain_ids, plain_ids, times), min_size=6, max_size=40),
)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


@contextlib.contextmanager
def _prepared(content: bytes, *flags: str):
    """Exit code, stderr and folder of preparing a table in a place of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        path.write_bytes(content)
        err = io.StringIO()
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            code = prepare.main(
                [
                    "--dataset=mine",
                    f"--table={path}",
                    f"--data_dir={folder}/data",
                    *flags,
                ]
            )
        yield code, err.getvalue(), Path(folder) / "data"


def _assert_whole_or_refused(content: bytes, rows=None) -> None:
    with _prepared(content) as (code, err, data):
        if code == 0:
            prepared = load(data / "mine")
            _assert_consistent(prepared)
            if rows is not None:
                seen = {(user, item) for user, item, _ in rows}
                assert _all_pairs(prepared) == seen
        else:
            assert code == 2
            assert err.count("\n") == 1
            assert not data.exists()


def _all_pairs(prepared) -> set[tuple[str, str]]:
    held = held_out(prepared)
    pairs = {(user, item) for user, items in held.items() for item in items}
    return pairs | set(raw_pairs(prepared))


def _assert_consistent(prepared) -> None:
    users, items = len(prepared.user_ids), len(prepared.item_ids)
    held = prepared.test_item >= 0
    train = set(zip(prepared.train_user, prepared.train_item, strict=True))
    kept = len(prepared.train_user) + 2 * held.sum()
    assert len(train) == len(prepared.train_user)
    assert prepared.stats["interactions"] == kept
    assert len(_all_pairs(prepared)) == kept
    assert (np.diff(prepared.train_user) >= 0).all()
    for user in range(users):
        touched = {i for u, i in train if u == user}
        touched |= {prepared.valid_item[user], prepared.test_item[user]} - {-1}
        for negatives in (prepared.valid_negatives, prepared.test_negatives):
            row = negatives[user][negatives[user] >= 0]
            assert len(set(row)) == len(row)
            assert not touched & set(row)
            assert len(row) == (min(100, items - len(touched)) if held[user] else 0)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables, st.booleans())
def test_any_cells_give_a_correct_folder_or_a_refusal(command, rows, zipped):
    lines = ["user,item,timestamp", *(",".join(map(_quoted, row)) for row in rows)]
    content = "\n".join(lines).encode("utf-8", errors="replace")
    clean = [tuple(c.encode(errors="replace").decode() for c in row) for row in rows]
    _assert_whole_or_refused(gzip.compress(content) if zipped else content, clean)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200), st.sampled_from([b"", b"user,item\n", SMALL.encode()]))
def test_any_bytes_give_a_correct_folder_or_a_refusal(command, junk, before):
    _assert_whole_or_refused(before + junk)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(plain_ids, plain_ids), min_size=6, max_size=40, unique=True),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter_where_no_times_tie(command, pairs, random):
    # Users "+" and "-", which `plain_ids` has not, always have items to hold out.
    pairs = [*((u, i) for u in "+-" for i in "abc"), *pairs]
    rows = [(u, i, str(t)) for t, (u, i) in enumerate(pairs)]
    shuffled = rows.copy()
    random.shuffle(shuffled)
    fingerprints = []
    for version in (rows, shuffled):
        lines = ["user,item,timestamp", *(",".join(map(_quoted, r)) for r in version)]
        with _prepared("\n".join(lines).encode()) as (code, _, data):
            assert code == 0
            fingerprints.append(load(data / "mine").stats["fingerprint"])
    assert fingerprints[0] == fingerprints[1]


def test_ten_identical_orders_of_ties_follow_the_source(command, write_table, tmp_path):
    rows = [f"{u},{i},5" for u in "ab" for i in "zyxw"]
    table = write_table("\n".join(["user,item,timestamp", *rows]))
    assert command("--dataset=mine", f"--table={table}").code == 0
    prepared = load(tmp_path / "data/mine")
    assert held_out(prepared) == {"a": ("x", "w"), "b": ("x", "w")}
    assert raw_pairs(prepared) == [("a", "z"), ("a", "y"), ("b", "z"), ("b", "y")]


@pytest.mark.slow
def test_ten_million_rows_of_one_user_among_two(command, tmp_path):
    # u saw 10 million rows of 1,000 items; v three items.
    n = 10_000_000
    users = pa.array(np.r_[np.zeros(n, np.int32), [1, 1, 1]])
    items = pa.array(np.r_[np.arange(n) % 1000, [5, 6, 7]].astype(np.int32))
    path = tmp_path / "long.parquet"
    pq.write_table(pa.table({"user": users, "item": items}), path)
    assert command("--dataset=mine", f"--table={path}").code == 0
    prepared = load(tmp_path / "data/mine")
    assert prepared.stats["interactions"] == 1003
    assert prepared.stats["duplicates_dropped"] == n - 1000
    assert held_out(prepared) == {"0": ("998", "999"), "1": ("6", "7")}
    assert prepared.stats["short_negative_lists"] == 1
