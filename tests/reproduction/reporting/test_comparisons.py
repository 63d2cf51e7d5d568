import json

import numpy as np
import pandas as pd
import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction import FOLDER
from hyperml_tf.reproduction.reporting import comparisons
from hyperml_tf.reproduction.reporting.sources import gather

# Three users, two seeds; a fourth user has no held-out item.
OURS = [[1.0, 10.0, 2.0, np.nan], [1.0, 11.0, 4.0, np.nan]]
THEIRS = [[1.0, 9.0, 20.0, np.nan], [3.0, 9.0, 40.0, np.nan]]


@pytest.fixture
def sources(make_run, tmp_path):
    for seed in (0, 1):
        make_run(seed=seed, ranks=OURS[seed])
        make_run(
            model="cml", config_hash="b" * 12, seed=seed, ranks=THEIRS[seed], ndcg=0.2
        )
        make_run(model="mf_bpr", config_hash="c" * 12, seed=seed, ndcg=0.1, hr=0.1)
    return gather(tmp_path / "runs", tmp_path / "data")


def test_hyperml_is_compared_with_the_best_baseline_by_hand(sources):
    rows = sources.significance
    rows = rows[rows["question"] == "table2"].set_index("metric")
    assert rows.loc["hr10", "pair"] == "hyperml - cml"
    # Mean hits: ours 1, 1/2, 1; theirs 1, 1, 0. Differences 0, -1/2, 1.
    assert rows.loc["hr10", "difference"] == pytest.approx(0.5 / 3, abs=1e-5)
    # Ours 1, (1/log2(11) + 0)/2 = .14453, (1/log2(3) + 1/log2(5))/2 = .53080; theirs
    # (1 + 1/log2(4))/2 = .75, 1/log2(10) = .30103, 0. Differences .25, -.15650, .53080.
    assert rows.loc["ndcg10", "difference"] == pytest.approx(0.62430 / 3, abs=1e-5)
    assert rows["users"].tolist() == [3, 3] and rows["seeds"].tolist() == [2, 2]


def test_the_table_survives_its_file(sources, tmp_path):
    path = tmp_path / "significance.csv"
    comparisons.write(path, sources.significance)
    header = (
        "question,dataset,pair,configs,metric,difference,interval,p,p_holm,users,seeds"
    )
    assert path.read_text().splitlines()[0] == header
    again = comparisons.read(path)
    assert again["interval"].tolist() == sources.significance["interval"].tolist()
    comparisons.write(tmp_path / "second.csv", again)
    assert (tmp_path / "second.csv").read_text() == path.read_text()


def row(dataset, p, metric="hr10"):
    values = [
        "table2",
        dataset,
        "hyperml - cml",
        "aaa bbb",
        metric,
        0.1,
        [0.0, 0.2],
        p,
        np.nan,
        9,
        5,
    ]
    return dict(zip(comparisons.COLUMNS, values, strict=True))


def test_merging_keeps_other_datasets_and_corrects_over_all_of_a_metric():
    recorded = pd.DataFrame(
        [row("games", 0.5), row("ml1m", 0.02), row("ml1m", 0.3, "ndcg10")]
    )
    merged = comparisons.merged(recorded, pd.DataFrame([row("games", 0.03)]))
    found = merged.set_index(["dataset", "metric"])["p_holm"].to_dict()
    # hr10: .02 · 2 = .04 and max(.04, .03 · 1) = .04; nDCG is a family of its own.
    assert found == pytest.approx(
        {("games", "hr10"): 0.04, ("ml1m", "hr10"): 0.04, ("ml1m", "ndcg10"): 0.3}
    )


def test_a_test_of_settings_that_no_longer_stand_is_dropped(sources):
    rows = sources.significance
    assert len(comparisons.current(rows, sources.results)) == len(rows) > 0
    older = rows.assign(configs="0" * 12 + " " + "1" * 12)
    assert comparisons.current(older, sources.results).empty


def test_models_trained_on_different_data_are_not_compared(sources, make_run, tmp_path):
    run = make_run(config_hash="d" * 12, model="lrml", ranks=OURS[0], ndcg=0.9, hr=0.9)
    environment = json.loads((run.folder / "environment.json").read_text())
    run.write_json("environment.json", environment | {"data_fingerprint": "other"})
    rows = gather(tmp_path / "runs", tmp_path / "data").significance
    assert not rows["pair"].str.contains("lrml").any()
    assert set(rows["question"]) == {"cml"}  # not table2, where lrml is the best


def test_missing_ranks_leave_the_comparison_out(make_run, tmp_path):
    make_run()
    make_run(model="cml", config_hash="b" * 12)
    assert gather(tmp_path / "runs", tmp_path / "data").significance.empty


def test_a_file_that_is_no_such_table_is_refused(tmp_path):
    path = tmp_path / "significance.csv"
    path.write_text("pair,p\n")
    with pytest.raises(InputError, match="restore it from git"):
        comparisons.read(path)


def test_a_table_is_written_again_as_it_was_read():
    path = FOLDER / "datasets.csv"
    columns = path.read_text().splitlines()[0].split(",")
    again = comparisons.read_table(path, columns).to_csv(index=False)
    assert again == path.read_text()
