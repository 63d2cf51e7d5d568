"""Recommendations as files: pandas and pyarrow read back what `recommend` returns."""

import csv
import dataclasses
import functools
import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

import hyperml_tf as hml
from hyperml_tf.errors import InputError
from hyperml_tf.serving import answer_files, exported
from tests.serving.conftest import USERS

#: What no separator, quote or guess of a type may break.
AWKWARD = ["a,b", 'say "hi"', "two\nlines", "cr\r\nlf", "007", "NA", "null", "é€", "'"]
READERS = {
    "csv": lambda path: pd.read_csv(
        path, dtype={"user": str, "item": str}, keep_default_na=False,
        na_values={"score": [""]}, float_precision="round_trip",
    ),
    "json": lambda path: pd.read_json(path, dtype=False, precise_float=True),
    "parquet": pd.read_parquet,
}  # fmt: skip


@pytest.fixture(scope="module")
def awkward(interactions):
    """`tiny` with ids that files get wrong first."""
    users, items = list(interactions.user_ids), list(interactions.item_ids)
    users[2 : 2 + len(AWKWARD)] = AWKWARD
    items[: len(AWKWARD)] = AWKWARD
    titles = interactions.items.assign(item=items)
    titles.loc[0, "title"] = 'Title "with", all;'
    return dataclasses.replace(
        interactions, user_ids=users, item_ids=items, items=titles
    )


@pytest.fixture(scope="module")
def export(models, awkward, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files") / "export"
    hml.export(models["hyperml"], awkward, folder)
    return folder


@pytest.fixture
def run(main, export):
    """The command in this process, on the export."""
    return functools.partial(main, "recommend", f"--model={export}")


@pytest.mark.parametrize("format", answer_files.FORMATS)
def test_a_file_of_all_users_is_the_frame_of_recommend(
    format, export, awkward, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(exported, "_USERS_PER_REQUEST", 7)  # so that parts are joined
    path = tmp_path / f"all.{format}"
    run("--users=all", "--k=200", f"--output={path}")
    expected = hml.recommend(export, awkward.user_ids, k=200)
    assert (expected["title"].str.len() > 0).all()
    assert set(AWKWARD) < {*expected["item"]} and set(AWKWARD) < {*expected["user"]}
    assert len(expected) == 2 + (USERS - 1) * 200  # user 0 touched all but two
    pd.testing.assert_frame_equal(READERS[format](path), expected, check_dtype=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", READERS)
def test_an_unknown_users_scores_are_missing(format, export, run, tmp_path):
    path = tmp_path / "answer"
    run("--user=nobody", f"--format={format}", f"--output={path}")
    frame = READERS[format](path)
    assert frame["user"].tolist() == ["nobody"] * 10
    assert frame["score"].isna().all()


def test_other_readers_than_pandas_agree(export, run, tmp_path):
    for format in ("csv", "json", "parquet"):
        run("--users=all", f"--output={tmp_path}/all.{format}")
    with open(tmp_path / "all.csv", newline="", encoding="utf-8") as file:
        by_csv = list(csv.DictReader(file))
    by_json = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    by_parquet = pq.read_table(tmp_path / "all.parquet")
    assert by_parquet.schema.names == ["user", "rank", "item", "score", "title"]
    assert by_parquet.to_pylist() == by_json
    as_text = [{k: v if k != "score" else float(v) for k, v in row.items()}
               for row in by_csv]  # fmt: skip
    assert as_text == [row | {"rank": str(row["rank"])} for row in by_json]


def test_a_failure_in_the_middle_leaves_the_former_file(
    export, run, tmp_path, monkeypatch
):
    path = tmp_path / "all.csv"
    path.write_text("of yesterday")
    some = hml.recommend(export, ["u1é"])

    def fail_later(self, users, *rest):
        yield users[:1], some
        raise InputError("the model went away")

    monkeypatch.setattr(exported.Exported, "frames", fail_later)
    with pytest.raises(InputError, match="went away"):
        run("--users=all", f"--output={path}")
    assert path.read_text() == "of yesterday"
    assert [p.name for p in tmp_path.iterdir()] == ["all.csv"]


def test_rows_of_all_users_left_without_an_item_keep_their_columns(tmp_path):
    none = pd.DataFrame({"user": [], "rank": [], "item": [], "score": []})
    one = pd.DataFrame({"user": ["u"], "rank": [1], "item": ["i"], "score": [0.1]})
    for format, read in READERS.items():
        with open(tmp_path / "one", "wb") as file:
            answer_files.write(iter([none, one, none]), format, file)
        pd.testing.assert_frame_equal(read(tmp_path / "one"), one)


def test_without_an_output_the_answer_is_printed(export, run, capfdbinary):
    run("--user=007", "--k=3", "--format=csv")
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0] == '"user","rank","item","score","title"' and len(lines) == 4
    run("--user=007", "--k=3")
    assert capfdbinary.readouterr().out.decode().startswith("user 007: ")


def test_tables_go_to_a_file_too(export, run, tmp_path):
    run("--users=all", "--k=3", f"--output={tmp_path}/new/all.txt")
    text = (tmp_path / "new/all.txt").read_text(encoding="utf-8")
    assert text.count("seen items left out") == USERS


def test_similar_items_come_as_a_table_and_as_a_file(
    export, models, awkward, run, tmp_path, capsys
):
    run("--item=a,b", "--k=4", f"--output={tmp_path}/near.csv")
    frame = pd.read_csv(tmp_path / "near.csv", dtype=str)
    assert frame.columns.tolist() == ["item", "rank", "similar_item", "score", "title"]
    assert frame["item"].tolist() == ["a,b"] * 4
    points = models["hyperml"].item_table.table
    distances = hml.geometry.poincare.distance(points[0], points, 1.0).numpy()
    order = [awkward.item_ids[row] for row in distances.argsort()[1:5]]
    assert frame["similar_item"].tolist() == order
    run("--item=a,b", "--k=4")
    head, columns, *lines = capsys.readouterr().out.strip().split("\n")
    assert head == "item a,b: the nearest items by HyperML on tiny"
    assert columns.split() == ["rank", "similar_item", "score", "title"]
    assert len(lines) == 4


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--user=u", "--item=i"], "give one of"),
        (["--item=nothing"], "item nothing is not in the catalogue"),
        (["--user=u", "--format=parquet"], "not for a terminal"),
        (["--user=u", "--output=/tmp"], "--output=/tmp is a folder"),
    ],
)
def test_bad_usage_is_refused_in_one_line(words, complaint, export, run):
    with pytest.raises(InputError, match=complaint):
        run(*words)


def test_what_the_export_lacks_is_named(models, awkward, main, tmp_path):
    hml.export(models["lrml"], awkward, tmp_path / "export")
    with pytest.raises(InputError, match="neither distances nor products"):
        main("recommend", f"--model={tmp_path}/export", "--item=a,b")
    (tmp_path / "export" / exported.USERS).unlink()
    with pytest.raises(InputError, match=r"no users\.parquet.*export the run again"):
        main("recommend", f"--model={tmp_path}/export", "--users=all", "--format=csv")
