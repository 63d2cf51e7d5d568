import csv

import pandas as pd
import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction import record
from hyperml_tf.training import runs

DESIGN_COLUMNS = (
    "dataset, model, variant, config_hash, config, seed, commit, device, kernel, "
    "epochs, best_epoch, valid_ndcg10, valid_hr10, hr10, ndcg10, ndcg10_method0, "
    "full_hr10, full_ndcg10, seconds, versions"
).split(", ")


def collected(tmp_path):
    return record.collect(runs.finished(tmp_path / "runs"))


def test_a_row_holds_what_the_run_wrote(make_run, tmp_path):
    make_run(seed=3, ndcg=0.2512345678, hr=0.4, margin=0.5)
    record.write(tmp_path / "results.csv", collected(tmp_path).rows)
    with open(tmp_path / "results.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == [*DESIGN_COLUMNS, "valid_full_ndcg10"]
    assert row["config"] == (
        '{"dataset":"games","epochs":2,"margin":0.5,"model":"hyperml"}'
    )
    assert (row["seed"], row["ndcg10"], row["hr10"]) == ("3", "0.251235", "0.4")
    assert (row["full_hr10"], row["ndcg10_method0"]) == ("0.04", "0.261235")
    assert row["versions"] == "python=3.11.7 tensorflow=2.20.0"


def test_a_record_survives_being_written_and_read(make_run, tmp_path):
    # A hash of digits and an "e" must not become a number, nor "" a NaN.
    make_run(config_hash="00123e456789")
    rows = collected(tmp_path).rows
    record.write(tmp_path / "results.csv", rows)
    again = record.read(tmp_path / "results.csv")
    pd.testing.assert_frame_equal(rows, again)
    record.write(tmp_path / "second.csv", again)
    assert (tmp_path / "second.csv").read_text() == (
        tmp_path / "results.csv"
    ).read_text()


def test_a_record_of_before_a_column_was_added_is_read_with_it_empty(
    make_run, tmp_path
):
    make_run(seed=0)
    path, old = tmp_path / "results.csv", tmp_path / "old.csv"
    record.write(path, collected(tmp_path).rows)
    pd.read_csv(path, dtype=str)[DESIGN_COLUMNS].to_csv(old, index=False)
    rows = record.read(old)
    assert list(rows) == [*DESIGN_COLUMNS, "valid_full_ndcg10"]
    assert rows["valid_full_ndcg10"].isna().all()
    record.write(path, rows)
    assert record.read(path)["valid_full_ndcg10"].isna().all()


def test_merging_adds_replaces_and_never_drops(make_run, tmp_path):
    for seed in (0, 1):
        make_run(seed=seed, ndcg=0.20 + seed / 100)
    old = collected(tmp_path).rows
    elsewhere = old.assign(dataset="automotive")
    new = old[old["seed"] == 1].assign(ndcg10=0.9)
    merged = record.merge(record.merge(old, elsewhere), new)
    assert merged[["dataset", "seed", "ndcg10"]].values.tolist() == [
        ["automotive", 0, 0.20],
        ["automotive", 1, 0.21],
        ["games", 0, 0.20],
        ["games", 1, 0.9],
    ]


@pytest.mark.parametrize(
    "name, content",
    [
        ("metrics.json", '{"best_epoch": 1, "val'),
        ("metrics.json", '{"best_epoch": 1, "epochs": 2}'),
        ("metrics.json", "[]"),
        ("config.json", ""),
        ("environment.json", None),
    ],
)
def test_a_torn_run_is_skipped_by_name(make_run, tmp_path, name, content):
    make_run(seed=0)
    torn = make_run(seed=1)
    if content is None:
        (torn.folder / name).unlink()
    else:
        (torn.folder / name).write_text(content)
    found = collected(tmp_path)
    assert found.rows["seed"].tolist() == [0]
    assert len(found.skipped) == 1 and str(torn.folder) in found.skipped[0]


def test_a_file_that_is_no_record_is_refused(tmp_path):
    (tmp_path / "results.csv").write_text("dataset,model\ngames,cml\n")
    with pytest.raises(InputError, match="lacks the columns variant"):
        record.read(tmp_path / "results.csv")
