"""Parquet of unusual types: each of these once gave a wrong or no result."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep.errors import InputError
from data_prep.parsers import table_values
from data_prep.parsers.table import Columns, TitleColumns, read_table, read_titles

ROWS = [
    *(("a", "x", 3), ("a", "y", 1), ("a", "z", 2)),
    *(("b", "x", 1), ("b", "z", 2), ("b", "y", 3)),
]
SPLIT = {"a": ("z", "x"), "b": ("z", "y")}


def _columns(**more):
    user, item, time = (list(column) for column in zip(*ROWS, strict=True))
    return {"user": user, "item": item, "timestamp": time} | more


# times that no 64 bits of nanoseconds and no float hold

SECONDS = [253_402_214_400, 1_577_836_800, 1_577_923_200]  # 9999-12-31, two of 2020


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_int96_of_the_year_9999_is_last(split_of, unit):
    factor = {"s": 1, "ms": 1000, "us": 10**6}[unit]
    times = [SECONDS[t % 3] * factor for *_, t in ROWS]
    column = pa.array(times, pa.int64()).cast(pa.timestamp(unit))
    table = _columns(timestamp=column)
    assert split_of(table, use_deprecated_int96_timestamps=True) == SPLIT


def test_int96_keeps_its_nanoseconds(split_of):
    times = [1_577_836_800 * 10**9 + t for *_, t in ROWS]
    column = pa.array(times, pa.int64()).cast(pa.timestamp("ns"))
    table = _columns(timestamp=column)
    assert split_of(table, use_deprecated_int96_timestamps=True) == SPLIT


def test_int96_that_no_unit_holds_is_refused(tmp_path):
    path = tmp_path / "odd.parquet"
    # Arrow writes a time before 1970 that is no midnight as one of the year 2554.
    time = pa.array([-1, 0], pa.timestamp("us"))
    table = pa.table({"user": ["a", "b"], "item": ["x", "y"], "timestamp": time})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    with pytest.raises(InputError, match="INT96"):
        read_table(path, Columns())


@pytest.mark.parametrize(
    "kind", [pa.decimal128(20, 3), pa.decimal256(60, 20), pa.decimal128(38, 9)]
)
def test_decimal_times_and_ids(split_of, kind):
    close = Decimal("1577836800.123")
    times = pa.array([close + Decimal(t) / 1000 for *_, t in ROWS], kind)
    ids = [Decimal({"a": 1, "b": 10**25}[u]) for u, *_ in ROWS]
    for id_kind in (pa.decimal128(38), pa.decimal128(38, 2), pa.decimal256(50)):
        user = pa.array(ids, id_kind)
        split = split_of(_columns(user=user, timestamp=times))
        assert split == {"1": SPLIT["a"], str(10**25): SPLIT["b"]}


def test_decimal_ids_with_fractions_are_refused(tmp_path):
    path = tmp_path / "odd.parquet"
    user = pa.array([Decimal("1.5"), Decimal(1)], pa.decimal128(9, 2))
    pq.write_table(pa.table({"user": user, "item": ["x", "y"]}), path)
    with pytest.raises(InputError, match="fractions"):
        read_table(path, Columns())


@pytest.mark.parametrize(
    "words",
    [
        [str(2**63 + t) for t in (3, 1, 2)],
        [f"1577836800.12345678{t}" for t in (3, 1, 2)],
        ["1e400", "1e-400", "1"],
    ],
)
def test_numbers_that_no_float_tells_apart(split_of, words):
    order = {3: words[0], 1: words[1], 2: words[2]}
    lines = [f"{u},{i},{order[t]}" for u, i, t in ROWS]
    assert split_of("\n".join(["user,item,timestamp", *lines]).encode()) == SPLIT


def test_unsigned_times_beyond_63_bits(split_of):
    times = pa.array([2**64 - 4 + t for *_, t in ROWS], pa.uint64())
    assert split_of(_columns(timestamp=times)) == SPLIT


# folders called key=value


@pytest.mark.parametrize("name", ["date=2020-01-01", "user=7", "timestamp=1"])
def test_folders_above_a_parquet_file_are_no_columns(split_of, tmp_path, name):
    path = tmp_path / name / "part.parquet"
    path.parent.mkdir()
    encoded = pa.array(["2020-01-01"] * 6).dictionary_encode()
    pq.write_table(pa.table(_columns(date=encoded)), path)
    assert split_of(path) == SPLIT


# views, and dictionaries of them


def test_views_are_text(split_of):
    text = {k: [str(v) for v in column] for k, column in _columns().items()}
    views = {k: pa.array(v).cast(pa.string_view()) for k, v in text.items()}
    assert split_of(views) == SPLIT


@pytest.mark.parametrize(
    "values", [pa.string_view(), pa.large_string(), pa.binary_view()]
)
def test_dictionaries_of_any_text(values):
    words = pa.array(["b", "a"]).cast(
        pa.binary() if values == pa.binary_view() else values
    )
    words = words.cast(values)
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), words)
    found = table_values.plain(pa.chunked_array([encoded, encoded[:1]]))
    assert found.to_pylist() == ["b", "a", None, "b"]
    assert found.type == pa.string()


# genres as a list


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string()),
        pa.large_list(pa.large_string()),
        pa.list_(pa.string_view()),
        pa.list_(pa.dictionary(pa.int8(), pa.string())),
    ],
)
def test_genres_in_a_list_are_joined(tmp_path, kind):
    cells = [["A", "B"], [], None, ["C", None]]
    if pa.types.is_dictionary(kind.value_type):
        words = pa.array(["A", "B", "C", None]).dictionary_encode()
        genres = pa.ListArray.from_arrays([0, 2, 2, 2, 4], words)
        cells[2] = []
    else:
        genres = pa.array(cells, pa.list_(pa.string())).cast(kind)
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item": [1, 2, 3, 4], "genres": genres}), path)
    titles = read_titles(path, TitleColumns("item", "", "genres"))
    assert titles == {"1": ("", "A|B"), "2": ("", ""), "3": ("", ""), "4": ("", "C")}


def test_genres_of_another_shape_are_refused_by_name(tmp_path):
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item": [1], "genres": [{"a": 1}]}), path)
    with pytest.raises(InputError, match=r"'genres' is of type struct.*A\|B\|C"):
        read_titles(path, TitleColumns("item", "", "genres"))
