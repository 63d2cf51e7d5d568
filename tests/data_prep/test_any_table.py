"""Property-based: any table that pandas or Arrow writes gives the right split.

Right is what `_split` below says, written slowly in pandas from the rows that
were written, or a refusal in one line; never a row that is not in the table.
"""

import datetime
import gzip
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_prep.build import build
from data_prep.errors import InputError
from data_prep.parsers import table_files
from data_prep.parsers.table import Columns, read_table

LIGHT = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def _split(rows) -> dict:
    """User -> (training items, validation item, test item); None: not held out.

    Args:
        rows: (user, item, time that compares, or None), in source order.
    """
    frame = pd.DataFrame(
        {"user": [r[0] for r in rows], "item": [r[1] for r in rows]}, dtype=object
    )
    frame["dated"] = [r[2] is not None for r in rows]
    ordered = sorted({r[2] for r in rows if r[2] is not None})
    frame["rank"] = [-1 if r[2] is None else ordered.index(r[2]) for r in rows]
    frame = frame.sort_values("rank", kind="stable")
    users = frame.drop_duplicates(["user", "item"]).groupby("user")
    found = {}
    for user, items in users["item"].agg(list).items():
        held = len(items) >= 3 and all(users["dated"].agg(list)[user][-2:])
        found[user] = (items[:-2], *items[-2:]) if held else (items, None, None)
    return found


def _prepared(path) -> dict | None:
    """The same of what is prepared; None where it is refused in one line."""
    try:
        prepared = build(read_table(path, Columns()), seed=0)
    except InputError as error:
        assert "\n" not in str(error)
        return None
    users, items, arrays = prepared.user_ids, prepared.item_ids, prepared.arrays
    name = [*items, None]  # -1: nothing is held out
    train = {user: [] for user in users}
    for u, i in zip(arrays["train_user"], arrays["train_item"], strict=True):
        train[users[u]].append(items[i])
    held = zip(users, arrays["valid_item"], arrays["test_item"], strict=True)
    return {user: (train[user], name[v], name[t]) for user, v, t in held}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture
def small_blocks(monkeypatch):
    def set_size(size):
        monkeypatch.setattr(table_files, "_BLOCK_BYTES", size)

    return set_size


NAMES = ["user", "item", "note", "timestamp"]
ids = st.one_of(
    st.sampled_from("abc"),
    st.integers(-2, 9).map(str),
    st.text("ab\",; '\\é☃", min_size=1, max_size=4),
)
notes = st.text('ab",\n\r\\ é5', max_size=12)
clicks = st.lists(
    st.tuples(ids, ids, notes, st.one_of(st.none(), st.integers(0, 9))),
    min_size=1,
    max_size=25,
)
# Two users of three items each: seldom is nothing left to hold out.
CERTAIN = [(user, item, "", n) for user in "pq" for n, item in enumerate("xyz")]
sizes = st.sampled_from([300, 1000, 16 << 20])


@settings(max_examples=100, **LIGHT)
@given(
    clicks,
    st.sampled_from(["minimal", "all", "text", "arrow"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.booleans(),
    sizes,
)
@example([("\\", ",;", "", None)], "all", "\n", "utf-8", False, 300)
def test_csv_with_quotes_and_line_breaks_in_cells(
    folder, small_blocks, rows, quoting, line_end, encoding, zipped, size
):
    rows = CERTAIN + rows
    columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
    frame = pd.DataFrame(columns).astype({"timestamp": "Int64"})
    if quoting == "arrow":
        file = io.BytesIO()
        pacsv.write_csv(pa.Table.from_pandas(frame), file)
        content = file.getvalue()
    else:
        kinds = {"minimal": 0, "all": 1, "text": 2}
        if quoting == "minimal":  # pandas leaves line ends of other kinds bare then
            bare = "[\r\n]" if line_end == "\r" else "\r"
            frame["note"] = frame["note"].str.replace(bare, "", regex=True)
        text = frame.to_csv(
            index=False, quoting=kinds[quoting], lineterminator=line_end
        )
        content = text.encode(encoding)
    path = folder / "table"
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    small_blocks(size)
    found = _prepared(path)
    # A cell that ends in a backslash can read as another row of as many cells.
    if found is not None or b'\\"' not in content:
        assert found == _split([(u, i, t) for u, i, _, t in rows])


@settings(max_examples=100, **LIGHT)
@given(clicks, sizes)
def test_csv_with_backslashes_before_quotes(folder, small_blocks, rows, size):
    # As MySQL and Spark write it; Arrow and pandas may see other rows in it.
    rows = [(u, i, n.replace("\r", ""), t) for u, i, n, t in CERTAIN + rows]
    rows = [row for row in rows if not set("".join(row[:2])) & set('"\\')]
    columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
    path = folder / "table"
    frame = pd.DataFrame(columns).astype({"timestamp": "Int64"})
    frame.to_csv(path, index=False, doublequote=False, escapechar="\\")
    small_blocks(size)
    found = _prepared(path)
    assert found is None or found == _split([(u, i, t) for u, i, _, t in rows])


bare = st.text('ab"5 \\', min_size=1, max_size=5)


@settings(max_examples=150, **LIGHT)
@given(st.lists(st.tuples(bare, bare, bare), min_size=3, max_size=12))
def test_stray_quotes_are_read_as_pandas_reads_them_or_refused(folder, rows):
    rows = [(u, i, n) for u, i, n, _ in CERTAIN] + rows
    path = folder / "table"
    path.write_text("user,item,note\n" + "".join(f"{u},{i},{n}\n" for u, i, n in rows))
    found = _prepared(path)
    if found is None:
        return
    read = pd.read_csv(path, dtype=str, na_filter=False)
    assert found == _split(
        list(zip(read["user"], read["item"], range(len(read)), strict=True))
    )
    pairs = {(u.replace('"', ""), i.replace('"', "")) for u, i, _ in rows}
    for user, (train, *held) in found.items():
        for item in {*train, *held} - {None}:
            assert (user.replace('"', ""), item.replace('"', "")) in pairs


def _integers(bits: int, signed: bool):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    near = st.sampled_from([low, high - 1, 0, 1, 2])
    kind = getattr(pa, f"{'' if signed else 'u'}int{bits}")()
    return st.tuples(st.just(kind), st.one_of(near, st.integers(low, high - 1)))


INTEGERS = [(bits, signed) for bits in (8, 16, 32, 64) for signed in (True, False)]
WORDS = st.sampled_from(["a", "b", "é☃", "7", "07", "x y", "-1", "☃\U0001f600"])
TEXTS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
]


def _column(data, cells, kind) -> pa.Array:
    if pa.types.is_dictionary(kind):
        values = _column(
            data, sorted({c for c in cells if c is not None}), kind.value_type
        )
        places = {c: n for n, c in enumerate(values.to_pylist())}
        codes = [None if c is None else places[c] for c in cells]
        return pa.DictionaryArray.from_arrays(pa.array(codes, kind.index_type), values)
    if pa.types.is_binary(kind):
        cells = [c.encode() for c in cells]
    if pa.types.is_string_view(kind):
        return pa.array(cells, pa.string()).cast(kind)
    return pa.array(cells, kind)


def _id_column(data, size: int) -> tuple[pa.Array, list[str]]:
    how = data.draw(st.sampled_from(["integer", "float", "decimal", "text"]))
    if how == "integer":
        kind, first = data.draw(
            st.sampled_from(INTEGERS).flatmap(lambda a: _integers(*a))
        )
        cells = [
            first,
            1,
            2,
            *data.draw(_lists(st.sampled_from([first, 1, 2, 3]), size)),
        ]
        return pa.array(cells[:size], kind), [str(c) for c in cells[:size]]
    if how == "float":
        kind = data.draw(st.sampled_from([pa.float16(), pa.float32(), pa.float64()]))
        cells = data.draw(_lists(st.integers(-9, 9), size))
        return pa.array(np.array(cells, kind.to_pandas_dtype())), list(map(str, cells))
    if how == "decimal":
        kind = data.draw(
            st.sampled_from(
                [pa.decimal128(38), pa.decimal128(30, 4), pa.decimal256(76)]
            )
        )
        large = 10**22
        cells = data.draw(_lists(st.sampled_from([-1, 0, 1, 2**63, large]), size))
        return pa.array(list(map(Decimal, cells)), kind), list(map(str, cells))
    kind = data.draw(st.sampled_from(TEXTS))
    cells = data.draw(_lists(WORDS, size))
    return _column(data, cells, kind), cells


def _lists(values, size):
    return st.lists(values, min_size=size, max_size=size)


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FAR = [-62_135_596_800, -12_000_009_600, 253_402_300_799]  # years 1, 1589 and 9999
moments = st.one_of(st.integers(0, 5), st.sampled_from([1_577_836_800, *FAR]))


def _time_column(data, size: int) -> tuple[pa.Array, list, bool]:
    """Cells, what orders them, and whether they are to be written as INT96."""
    how = data.draw(
        st.sampled_from(
            "integer float decimal stamp date int96 text words none".split()
        )
    )
    maybe = lambda cells: st.one_of(st.none(), cells)  # noqa: E731
    if how == "integer":
        kind, odd = data.draw(
            st.sampled_from(INTEGERS).flatmap(lambda a: _integers(*a))
        )
        cells = data.draw(_lists(maybe(st.sampled_from([odd, 0, 1, 2, 3])), size))
        return pa.array(cells, kind), cells, False
    if how == "float":
        cells = data.draw(_lists(maybe(st.floats(-9, 9, width=32)), size))
        return pa.array(cells, pa.float64()), cells, False
    if how == "decimal":
        parts = [Decimal(n) / 10**9 for n in (0, 1, 2, 1_577_836_800_123_456_789, 5)]
        cells = data.draw(_lists(maybe(st.sampled_from(parts)), size))
        return pa.array(cells, pa.decimal128(38, 9)), cells, False
    if how in ("stamp", "int96"):
        unit = data.draw(st.sampled_from(list(UNITS)))
        near = st.integers(0, 5) if unit == "ns" else moments
        seconds = data.draw(_lists(maybe(near), size))
        fine = 0 if unit == "s" else data.draw(st.integers(0, 3))
        cells = [
            # Arrow writes INT96 before 1970 wrongly, unless it is midnight.
            None if s is None else s * UNITS[unit] + n % 2 * fine * (s >= 0)
            for n, s in enumerate(seconds)
        ]
        zone = data.draw(st.sampled_from([None, "UTC", "Asia/Tokyo"]))
        kind = pa.timestamp(unit, None if how == "int96" else zone)
        return pa.array(cells, pa.int64()).cast(kind), cells, how == "int96"
    if how == "date":
        cells = data.draw(_lists(maybe(st.integers(-700_000, 2_900_000)), size))
        kind = data.draw(st.sampled_from([pa.date32(), pa.date64()]))
        day = pa.array(cells, pa.int32()).cast(pa.date32()).cast(kind)
        return day, cells, False
    if how == "text":
        days = [datetime.date(y, 1, d) for y in (1, 1500, 2020, 9999) for d in (1, 2)]
        cells = data.draw(_lists(maybe(st.sampled_from(days)), size))
        end = data.draw(
            st.sampled_from(["", " 00:00:00", "T00:00:00Z", " 00:00:00 UTC"])
        )
        written = [None if c is None else f"{c.isoformat()}{end}" for c in cells]
        return (
            _column(data, written, data.draw(st.sampled_from(TEXTS[:3]))),
            cells,
            False,
        )
    if how == "words":
        numbers = ["1577836800.123456789", "1577836800.123456788", "5", "1e9", "-.5"]
        cells = data.draw(_lists(maybe(st.sampled_from(numbers)), size))
        order = [None if c is None else Decimal(c) for c in cells]
        return pa.array(cells, pa.string()), order, False
    return pa.nulls(size), [None] * size, False


@settings(max_examples=150, **LIGHT)
@given(st.data(), st.integers(6, 30))
def test_parquet_of_every_type_of_id_and_time(folder, data, size):
    user, users = _id_column(data, size)
    item, items = _id_column(data, size)
    time, order, int96 = _time_column(data, size)
    columns = {"user": user, "item": item, "timestamp": time}
    path = folder / "date=2020-01-01" / "table.parquet"
    path.parent.mkdir(exist_ok=True)
    # Format 1.0 has no nanoseconds, and Arrow refuses to round them.
    versions = ["2.6"] if int96 or "ns" in str(time.type) else ["1.0", "2.6"]
    pq.write_table(
        pa.table(columns),
        path,
        use_deprecated_int96_timestamps=int96,
        row_group_size=data.draw(st.sampled_from([4, 100])),
        version=data.draw(st.sampled_from(versions)),
    )
    expected = _split(list(zip(users, items, order, strict=True)))
    enough = len(expected) > 1 and len(set(items)) > 1
    found = _prepared(path)
    if found is None:
        assert not enough or all(v is None for _, v, _ in expected.values())
    else:
        assert found == expected
