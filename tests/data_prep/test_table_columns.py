"""Which columns a table's user, item and time are: said, asked for, never guessed."""

import gzip

import pandas as pd
import pytest

from data_prep.parsers.table_values import is_named_like_a_time
from tests.data_prep.conftest import held_out, load

ROWS = [
    *(("a", "x", 3), ("a", "y", 1), ("a", "z", 2)),
    *(("b", "x", 1), ("b", "z", 2), ("b", "y", 3)),
]
BY_TIME = {"a": ("z", "x"), "b": ("z", "y")}
BY_ROW = {"a": ("y", "z"), "b": ("z", "y")}
DAY = [f"2020-01-0{t}" for _, _, t in ROWS]
CLOCK = [1_577_836_800 + t for _, _, t in ROWS]


def _frame(**more) -> pd.DataFrame:
    columns = {"user": [r[0] for r in ROWS], "item": [r[1] for r in ROWS]}
    return pd.DataFrame(columns | more)


@pytest.fixture
def prepare(command, tmp_path):
    """Prepares a frame written as CSV, CSV.GZ or Parquet; the result and the split."""

    def run(frame: pd.DataFrame, *flags: str, ending: str = ".csv"):
        path = tmp_path / f"table{ending}"
        if ending == ".parquet":
            frame.to_parquet(path)
        else:
            text = frame.to_csv(index=False).encode()
            path.write_bytes(gzip.compress(text) if ending == ".csv.gz" else text)
        result = command("--dataset=mine", f"--table={path}", *flags)
        split = held_out(load(tmp_path / "data/mine")) if result.code == 0 else None
        return result, split

    return run


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Timestamp", [1, 2, 3] * 2),
        ("event_time", [1, 2, 3] * 2),
        ("rating_timestamp", CLOCK),
        ("createdAt", DAY),
        ("updated", CLOCK),
        ("ts", CLOCK),
        ("unixReviewTime", CLOCK),
        ("date", ["1 May", "2 May", "3 May"] * 2),
        ("when", DAY),
        ("at", [f"{day} 10:00:00 UTC" for day in DAY]),
        ("seen", CLOCK),
        ("seen", [t * 1000 for t in CLOCK]),
        ("day", [20200100 + t for _, _, t in ROWS]),
        ("seen", [float(t) for t in CLOCK]),
    ],
)
def test_what_looks_like_a_time_is_asked_about(prepare, name, values, ending):
    result, _ = prepare(_frame(**{name: values}), ending=ending)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert repr(name) in result.err
    assert f"--time_column={name}" in result.err
    assert "--time_column=none" in result.err


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_the_answer_is_taken_and_said(prepare, tmp_path, ending):
    frame = _frame(Timestamp=[t for *_, t in ROWS])
    result, split = prepare(frame, "--time_column=Timestamp", ending=ending)
    assert split == BY_TIME
    assert "time from column 'Timestamp'" in result.out
    stats = load(tmp_path / "data/mine").stats
    assert stats["columns"] == {"user": "user", "item": "item", "time": "Timestamp"}
    assert stats["ordered_by"] == "time"

    result, split = prepare(frame, "--time_column=none", ending=ending)
    assert split == BY_ROW
    assert "no time column: rows count in file order" in result.out
    assert "without time: 0" not in result.out
    stats = load(tmp_path / "data/mine").stats
    assert stats["columns"]["time"] == ""
    assert stats["ordered_by"] == "file order"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("rating", [5, 1, 3] * 2),
        ("price", [9.99, 120_000.5, 0.0] * 2),
        ("year", [1995, 2020, 2019] * 2),
        ("session", ["s1", "s2", "s1"] * 2),
        ("zip", ["02139", "94105", "10001"] * 2),
        ("sentiment", ["good", "bad", "good"] * 2),
        ("empty", [None] * 6),
    ],
)
def test_what_is_no_time_is_not_asked_about(prepare, name, values):
    result, split = prepare(_frame(**{name: values}))
    assert split == BY_ROW
    assert "no time column: rows count in file order" in result.out


def test_columns_are_said_in_one_line_again_when_up_to_date(prepare):
    for _ in range(2):
        result, _ = prepare(_frame(timestamp=CLOCK))
        line = "user from column 'user', item from column 'item', time from column"
        assert sum(line in text for text in result.out.splitlines()) == 1
    assert "up to date" in result.out


def test_timestamp_is_taken_beside_another_time(prepare):
    result, split = prepare(_frame(date=DAY[::-1], timestamp=CLOCK))
    assert split == BY_TIME
    assert "time from column 'timestamp'" in result.out


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_position_beside_a_time_is_asked_about(prepare, ending):
    frame = _frame(position=[1, 9, 5, 3, 2, 1], time=DAY)
    result, _ = prepare(frame, ending=ending)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "--time_column=time" in result.err
    _, split = prepare(frame, "--time_column=time", ending=ending)
    assert split == BY_TIME


def test_a_position_on_the_page_is_no_time_unasked(prepare):
    pages = [1, 1, 2, 3, 1, 2]  # twice the same for user a
    result, _ = prepare(_frame(position=pages))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "'position' has 1 twice for one user" in result.err
    _, split = prepare(_frame(position=pages), "--time_column=position")
    assert split == {"a": ("y", "z"), "b": ("y", "x")}


def test_rows_without_a_position_repeat_none(prepare):
    positions = [3, 1, 2, None, None, None]
    _, split = prepare(_frame(position=positions))
    assert split == {"a": BY_TIME["a"]}


def test_a_column_of_other_bytes_is_no_time_and_no_matter(command, tmp_path):
    path = tmp_path / "table.csv"
    rows = "".join(f"{u},{i},caf\u00e9\n" for u, i, _ in ROWS)
    path.write_bytes(f"user,item,note\n{rows}".encode("latin-1"))
    assert command("--dataset=mine", f"--table={path}").code == 0
    assert held_out(load(tmp_path / "data/mine")) == BY_ROW


def test_a_position_that_orders_each_user_is_the_time(prepare):
    result, split = prepare(_frame(position=[t for *_, t in ROWS]))
    assert split == BY_TIME
    assert "time from column 'position'" in result.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--user_column=uid",), "with --user_column="),
        (("--item_column=sku",), "with --item_column="),
        (("--time_column=when",), "with --time_column="),
        (("--item_column=user",), "named twice: --user_column=user, --item_column="),
    ],
)
def test_the_flag_that_is_wrong_is_named(prepare, flags, said):
    result, _ = prepare(_frame(), *flags)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert said in result.err


def test_a_column_called_none_must_be_renamed(prepare):
    result, _ = prepare(_frame(none=CLOCK), "--time_column=none")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "another name" in result.err


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("Timestamp", True),
        ("EVENT_TIME", True),
        ("eventTime", True),
        ("time2", True),
        ("datetime", True),
        ("last_update", True),
        ("event-ts", True),
        ("sentiment", False),
        ("tshirt", False),
        ("estimated", False),
        ("artists", False),
        ("rating", False),
    ],
)
def test_names_of_times_by_their_words(name, like):
    assert is_named_like_a_time(name) is like


# The table of items has columns of its own.

TITLES = {"sku": ["x", "y", "z"], "name": ["X", "NA", "None"], "kind": ["A", "A|B", ""]}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("flag", ["--items_item_column=sku", "--item_column=sku"])
def test_items_have_columns_of_their_own(command, tmp_path, ending, flag):
    own = flag.startswith("--item_")
    frame = _frame(timestamp=CLOCK).rename(columns={"item": "sku"} if own else {})
    frame.to_csv(tmp_path / "table.csv", index=False)
    items = tmp_path / f"items{ending}"
    if ending == ".csv":
        pd.DataFrame(TITLES).to_csv(items, index=False)
    else:
        pd.DataFrame(TITLES).to_parquet(items)
    flags = ("--dataset=mine", f"--table={tmp_path / 'table.csv'}", f"--items={items}")
    named = (flag, "--title_column=name", "--genres_column=kind")
    result = command(*flags, *named)
    assert result.code == 0, result.err
    written = (tmp_path / "data/mine/items.csv").read_text()
    assert written == "item,title,genres\nx,X,A\ny,NA,A|B\nz,None,\n"
    said = "item from column 'sku', title from column 'name', genres from column 'kind'"
    assert said in result.out
    stats = load(tmp_path / "data/mine").stats
    columns = {"item": "sku", "title": "name", "genres": "kind"}
    assert stats["items_columns"] == columns
    # Other columns of the same file are another preparation.
    result = command(*flags, *named[:2])
    assert "up to date" not in result.out
    assert "up to date" in command(*flags, *named[:2]).out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "with --items_item_column="),
        (("--items_item_column=sku",), "--title_column= or --genres_column="),
        (("--items_item_column=sku", "--title_column=t"), "with --title_column="),
        (("--items_item_column=sku", "--genres_column=g"), "with --genres_column="),
    ],
)
def test_messages_about_items_name_their_flags(command, tmp_path, flags, said):
    _frame(timestamp=CLOCK).to_csv(tmp_path / "table.csv", index=False)
    pd.DataFrame(TITLES).to_csv(tmp_path / "items.csv", index=False)
    result = command(
        "--dataset=mine",
        f"--table={tmp_path / 'table.csv'}",
        f"--items={tmp_path / 'items.csv'}",
        *flags,
    )
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert said in result.err
    assert "items.csv" in result.err
    assert not (tmp_path / "data").exists()
