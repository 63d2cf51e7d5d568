"""One dataset through replicate, evaluate, report, export and recommend."""

import csv
import json
import pathlib

import pytest

MODELS = "hyperml,cml,ease,popularity"


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory, command, data_dir) -> pathlib.Path:
    """Finished runs of three models, two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    done = command(
        "hyperml_tf.replicate",
        *("--datasets=tiny", f"--models={MODELS}", "--seeds=2", "--jobs=2"),
        *("--epochs=6", "--eval_every=3"),
        *(f"--data_dir={data_dir}", f"--runs_dir={folder}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ETA" in done.stdout
    return folder


def _run_of(runs_dir: pathlib.Path, model: str, seed: int) -> pathlib.Path:
    (found,) = (runs_dir / "tiny" / model).glob(f"*/seed-{seed}")
    return found


def test_replicate_leaves_one_finished_run_per_model_and_seed(runs_dir):
    found = {
        str(p.parent.relative_to(runs_dir)) for p in runs_dir.rglob("metrics.json")
    }
    # EASE and popularity have nothing random to repeat.
    assert len(found) == 2 + 2 + 1 + 1


def test_the_run_folder_holds_what_design_says(runs_dir):
    run = _run_of(runs_dir, "hyperml", 1)
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"best_epoch", "epochs", "seconds", "valid", "test", "test_full"} <= set(
        metrics
    )
    assert 0 <= metrics["test"]["hr10"] <= 1
    with open(run / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [bool(row["valid/ndcg10"]) for row in rows] == [False, False, True] * 2
    assert list((run / "tensorboard").iterdir())
    for name in ("config.json", "environment.json"):
        assert json.loads((run / name).read_text())
    for name in ("test_ranks.npy", "test_full_ranks.npy"):
        assert (run / name).exists()


def test_a_second_call_runs_nothing(runs_dir, command, data_dir):
    before = {p: p.stat().st_mtime_ns for p in runs_dir.rglob("metrics.json")}
    done = command(
        "hyperml_tf.replicate",
        *("--datasets=tiny", f"--models={MODELS}", "--seeds=2", "--jobs=2"),
        *("--epochs=6", "--eval_every=3"),
        *(f"--data_dir={data_dir}", f"--runs_dir={runs_dir}"),
    )
    assert done.returncode == 0
    assert "6 of 6 runs are finished already" in done.stdout
    assert before == {p: p.stat().st_mtime_ns for p in runs_dir.rglob("metrics.json")}


@pytest.mark.parametrize(
    "model, flag, key",
    [
        ("hyperml", "--nofull", "test"),
        ("hyperml", "--full", "test_full"),
        ("ease", "--full", "test_full"),
    ],
)
def test_evaluate_gives_the_recorded_metrics_again(
    model, flag, key, runs_dir, command, data_dir
):
    run = _run_of(runs_dir, model, 0)
    done = command(
        "hyperml_tf.evaluate", f"--run={run}", flag, f"--data_dir={data_dir}"
    )
    assert done.returncode == 0, done.stderr
    recorded = json.loads((run / "metrics.json").read_text())[key]
    assert json.loads(done.stdout) == recorded


@pytest.mark.parametrize("model", ["hyperml", "ease"])
def test_export_and_recommend_serve_the_run(
    model, runs_dir, command, data_dir, tmp_path
):
    run = _run_of(runs_dir, model, 0)
    done = command(
        "hyperml_tf.export",
        *(f"--run={run}", f"--output={tmp_path / 'export'}", f"--data_dir={data_dir}"),
    )
    assert done.returncode == 0, done.stderr
    done = command(
        "hyperml_tf.recommend",
        *(f"--model={tmp_path / 'export'}", "--user=u003", "--k=5"),
    )
    assert done.returncode == 0, done.stderr
    assert sum("i0" in line for line in done.stdout.splitlines()) == 5


def test_report_is_written_from_the_runs(runs_dir, command, data_dir, tmp_path):
    done = command(
        "hyperml_tf.report",
        *(f"--runs_dir={runs_dir}", f"--output={tmp_path}", f"--data_dir={data_dir}"),
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text()
    assert "HyperML" in page and "Popularity" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
