"""What the benchmark measures, with the clock cut short."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hyperml_tf.reproduction import speed, speed_peers, speed_tasks

KINDS = ("fit", "step")
FIELDS = {"name", "triplets_per_second", "triplets_per_cpu_second", "ms_per_step"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(speed, "_SECONDS", 0.02)
    monkeypatch.setattr(speed, "_WARM_UP_SECONDS", 0.02)
    monkeypatch.setattr(
        speed, "_STEPS_PER_EPOCH", {"fused": 64, "xla": 64, "tensorflow": 2}
    )


def test_synthetic_interactions_are_those_of_a_prepared_folder():
    data = speed.synthetic(500)
    assert (data.num_users, data.num_items) == (300, 200)
    assert np.all(np.diff(data.train_user) >= 0)
    pairs = np.stack([data.train_user, data.train_item], 1)
    assert len(np.unique(pairs, axis=0)) == len(pairs) > 2000
    assert data.train_item.max() < 200 and data.test_negatives.shape == (300, 100)


def test_the_step_of_tensorflow_recommenders_is_measured():
    (line,) = speed_peers.retrieval_task(rows=100, dim=8, batch=16)
    assert FIELDS <= line.keys() and line["triplets_per_second"] > 0


@pytest.mark.parametrize("key", ["mf_bpr", "mlp"])
def test_training_is_measured_with_and_without_sampling(key, monkeypatch):
    kernels = ["xla", "tensorflow"]
    if key == "mlp":  # programs of XLA take long to compile: once is enough
        monkeypatch.delitem(speed._STEPS_PER_EPOCH, kernels.pop(0))
    lines = speed.training(key, rows=100, dim=8, batch=16, dropout=0.5)
    names = [line["name"] for line in lines]
    if key == "mf_bpr" and len(names) == 6:  # where there is a compiler
        kernels = ["fused", *kernels]
    expected = [f"{kind}/{key}/{kernel}" for kernel in kernels for kind in KINDS]
    assert names == expected
    for line in lines:
        assert FIELDS <= line.keys() and line["triplets_per_second"] > 0


def test_rankings_and_pipeline_are_measured():
    assert {line["name"] for line in speed.pipeline(100, 8, 16)} == {
        "pipeline/fused",
        "pipeline/tensorflow",
    }
    lines = speed_tasks.ranking(100, 8, 16)
    assert len(lines) == 7
    assert all(line["seconds"] > 0 for line in lines)


def test_preparation_is_measured_in_its_own_process():
    (line,) = speed_tasks.preparation(100)
    assert line["interactions"] > 500 and line["seconds"] > 0
    # Python and pandas, without this process's TensorFlow.
    assert 20 < line["peak_rss_mb"] < 400


def test_documents_are_measured():
    (line,) = speed_tasks.documents(100)
    assert line["pages"] > 5 and line["seconds"] > 0


@pytest.mark.slow
def test_the_command_prints_and_records_json_lines(tmp_path):
    record = tmp_path / "benchmarks.jsonl"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hyperml_tf.benchmark", "--only=ranking"),
            *("--rows=100,200", "--dim=8", f"--record={record}"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert record.read_text() == done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["rows"] for line in lines] == [100] * 7 + [200] * 7
