"""One run: resumed, repeated, locked, diverging."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tf_keras as keras

from hyperml_tf.reproduction import record
from hyperml_tf.training import callbacks, divergence, finished, runs, trainer
from hyperml_tf.training import configuration as configs
from hyperml_tf.training.run_folder import Run, RunBusy
from tests.training.conftest import numbers, settings, train_run


def test_same_seed_gives_the_same_bits_and_another_seed_does_not(tree, tmp_path):
    config = settings()
    first, run_a = train_run(config, tree, tmp_path / "a")
    again, run_b = train_run(config, tree, tmp_path / "b")
    other, _ = train_run(config, tree, tmp_path / "a", seed=1)
    assert numbers(first) == numbers(again) != numbers(other)
    for name in ("test_ranks.npy", "test_full_ranks.npy"):
        assert (run_a.folder / name).read_bytes() == (run_b.folder / name).read_bytes()


@pytest.mark.parametrize("model", ["hyperml", "mf_bpr"])
def test_an_interrupted_run_ends_as_the_uninterrupted_one(
    model, tree, tmp_path, monkeypatch
):
    config = settings(model=model)
    whole, whole_run = train_run(config, tree, tmp_path / "whole")

    class Interrupt(Exception):
        pass

    on_epoch_end = callbacks.ProgressLines.on_epoch_end

    def interrupted(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        if epoch == 2:  # after the checkpoint of epoch 2, in the third epoch
            raise Interrupt

    monkeypatch.setattr(callbacks.ProgressLines, "on_epoch_end", interrupted)
    with pytest.raises(Interrupt):
        train_run(config, tree, tmp_path / "cut")
    monkeypatch.setattr(callbacks.ProgressLines, "on_epoch_end", on_epoch_end)
    resumed, run = train_run(config, tree, tmp_path / "cut")

    assert numbers(resumed) == numbers(whole)
    weights = [
        finished.restored(config, tree, each).get_weights() for each in (run, whole_run)
    ]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    losses = [[row["loss/total"] for row in r.history()] for r in (run, whole_run)]
    assert losses[0] == losses[1] and len(losses[0]) == 6


def test_a_run_left_between_validations_goes_on_from_there(tree, tmp_path):
    config = settings()
    whole, _ = train_run(config, tree, tmp_path / "whole")
    left, run = train_run(config, tree, tmp_path / "cut", stop_epoch=3)
    assert left is None and len(run.history()) == 3
    before = run.history()
    resumed, _ = train_run(config, tree, tmp_path / "cut")
    assert run.history()[:3] == before  # clocks too: nothing was done again
    assert numbers(resumed) == numbers(whole)


def test_a_resumed_run_names_every_process_that_worked_on_it(tree, tmp_path):
    config = settings()
    for stop, kernel in ((2, "tensorflow"), (4, "tensorflow"), (None, "fused")):
        _, run = train_run(config, tree, tmp_path, stop_epoch=stop, kernel=kernel)
    (row,) = record.collect([run]).rows.to_dict("records")
    assert row["kernel"] == "tensorflow+fused"
    assert row["commit"] == run.environment["commit"]


def test_a_finished_run_is_not_run_again(tree, tmp_path, monkeypatch):
    config = settings()
    metrics, _ = train_run(config, tree, tmp_path)
    monkeypatch.setattr(trainer.Training, "_fit", None)
    again, _ = train_run(config, tree, tmp_path)
    assert again == metrics


def test_two_processes_never_run_the_same_run(tree, tmp_path):
    config = settings()
    run = runs.locate(tmp_path, config, tree.fingerprint, 0)
    run.folder.mkdir(parents=True)
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import fcntl, sys\n"
            f"file = open({str(run.folder / 'lock')!r}, 'w')\n"
            "fcntl.flock(file, fcntl.LOCK_EX)\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(RunBusy, match="another process"):
        trainer.train(config, tree, run)
    assert run.busy and run.claim() is None
    holder.kill()  # a dead owner leaves no lock behind
    holder.wait()
    assert not run.busy
    claim = run.claim()
    assert run.claim() is None  # another schedule looks elsewhere
    claim.close()
    run.claim().close()
    assert trainer.train(config, tree, run)["epochs"] == 6


def test_divergence_is_stopped_by_name(tree, tmp_path, monkeypatch):
    config = settings(model="mf_bpr", learning_rate=100.0, optimizer="sgd", l2=1e6)
    with pytest.raises(divergence.NonFiniteLoss, match=r"step \d+ .*loss/total.*norms"):
        train_run(config, tree, tmp_path)
    assert not list(tmp_path.rglob("metrics.json"))


@pytest.mark.parametrize("model", ["hyperml", "hyperts", "cml", "mf_bpr"])
def test_a_model_learns_more_than_popularity_knows(model, tree, tmp_path):
    floor, _ = train_run(
        configs.resolve(configs.for_model("popularity", dataset="memory")),
        tree,
        tmp_path,
    )
    config = settings(model=model, epochs=60, eval_every=20, dropout=0.0)
    metrics, _ = train_run(config, tree, tmp_path)
    assert metrics["test"]["ndcg10"] > floor["test"]["ndcg10"]


def test_the_record_says_what_the_run_was(tree, tmp_path):
    config = settings()
    _, run = train_run(config, tree, tmp_path)
    assert run.config == config.to_dict()
    assert run.environment["data_fingerprint"] == tree.fingerprint
    reopened = Run(run.folder)
    assert (reopened.dataset, reopened.model, reopened.seed) == ("memory", "hyperml", 0)
    assert runs.finished(tmp_path) == [run]


def test_files_of_others_in_a_runs_folder_stay(tree, tmp_path):
    run = runs.locate(tmp_path, settings(), tree.fingerprint, 0)
    (run.folder / ".ipynb_checkpoints").mkdir(parents=True)
    for name in (".note", ".history.csv.123"):
        (run.folder / name).write_text("")
    train_run(settings(), tree, tmp_path)
    hidden = {path.name for path in run.folder.glob(".*")}
    assert hidden == {".ipynb_checkpoints", ".note"}


def test_metrics_are_written_last(tree, tmp_path, monkeypatch):
    config = settings()

    def fails(self, name, content):
        assert name != "metrics.json" or (self.folder / "test_full_ranks.npy").exists()
        original(self, name, content)

    original = Run.write_json
    monkeypatch.setattr(Run, "write_json", fails)
    _, run = train_run(config, tree, tmp_path)
    assert json.loads((run.folder / "metrics.json").read_text())["test"]["users"] == 40


def test_keras_is_keras_2():
    assert keras.__version__.startswith("2.")
