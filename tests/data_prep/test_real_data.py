"""Real tables and the same rows in the publishers' formats prepare alike.

The tables lie beside the repository, where it is developed; they may not be
copied into it. The small equal of each test is in `test_formats`.
"""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from tests.data_prep import publishers
from tests.data_prep.conftest import ARRAYS, load

SHARED = Path(__file__).parents[3] / "shared/data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real tables in {SHARED}"),
]


def _same(one, other) -> None:
    for name in ARRAYS:
        assert (getattr(one, name) == getattr(other, name)).all(), name
    assert (one.user_ids, one.item_ids) == (other.user_ids, other.item_ids)


def test_ml1m_as_table_and_as_ratings_dat(command, tmp_path):
    table = SHARED / "ml1m.csv.gz"
    items = SHARED / "ml1m_movies.csv.gz"
    result = command("--dataset=ml1m", f"--table={table}", f"--items={items}")
    assert (result.code, result.err) == (0, "")
    as_table = load(tmp_path / "data/ml1m")
    assert as_table.stats["interactions"] == 1_000_209
    assert as_table.stats["interactions_table1"] == 1_012_289
    assert (as_table.stats["users"], as_table.stats["items"]) == (6040, 3706)
    assert as_table.stats["matches_paper"] is True
    titles = (tmp_path / "data/ml1m/items.csv").read_bytes()

    movies = pd.read_csv(items)
    dat = publishers.ratings_dat(pd.read_csv(table).itertuples(index=False))
    names = "".join(f"{m.item}::{m.title}::{m.genres}\n" for m in movies.itertuples())
    publishers.zip_of(
        tmp_path / "raw/ml-1m.zip",
        {"ml-1m/ratings.dat": dat, "ml-1m/movies.dat": names.encode("latin-1")},
    )
    result = command("--dataset=ml1m", "--allow_checksum_mismatch")
    assert result.code == 0, result.err
    as_dat = load(tmp_path / "data/ml1m")
    _same(as_table, as_dat)
    assert as_dat.stats["fingerprint"] == as_table.stats["fingerprint"]
    assert (tmp_path / "data/ml1m/items.csv").read_bytes() == titles


@pytest.mark.parametrize(
    ("key", "name", "category"),
    [
        ("games", "amazon_toys", "Toys_and_Games"),
        ("sports", "amazon_sports", "Sports_and_Outdoors"),
    ],
)
def test_amazon_as_table_and_as_json_lines(command, tmp_path, key, name, category):
    table = SHARED / f"{name}.csv.gz"
    result = command(f"--dataset={key}", f"--table={table}")
    assert (result.code, result.err) == (0, "")
    as_table = load(tmp_path / "data" / key)
    assert as_table.stats["matches_paper"] is True
    rows = (tuple(map(str, row[:2])) + row[2:] for row in _rows(table))
    content = publishers.reviews_json(rows)
    path = tmp_path / f"raw/reviews_{category}_5.json.gz"
    publishers.gzip_of(path, content)
    result = command(f"--dataset={key}")
    assert (result.code, result.err) == (0, "")
    _same(as_table, load(tmp_path / "data" / key))


def _rows(table: Path):
    with gzip.open(table, "rt") as text:
        next(text)
        for line in text:
            yield tuple(int(value) for value in line.split(","))


def test_meetup_warns_and_goodbooks_refuses(command, tmp_path):
    result = command("--dataset=meetup", f"--table={SHARED / 'meetup_nyc.csv.gz'}")
    assert result.code == 0
    assert "371,653 (paper 248,000)" in result.err
    stats = load(tmp_path / "data/meetup").stats
    assert stats["undated"] == 44_762
    # 24,222 users have fewer than three events; others lack two dated ones.
    assert stats["held_out_users"] <= 46_895 - 24_222
    table = SHARED / "goodbooks_5pct_users.csv.gz"
    result = command("--dataset=goodbooks", f"--table={table}")
    assert (result.code, result.err.count("\n")) == (2, 1)
