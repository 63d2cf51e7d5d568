"""Runs on all data: nothing held out, the last epoch is the model, no metric."""

import json

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting.sources import gather
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory, finished, launch, runs, trainer
from tests.training.conftest import settings, train_run


def test_all_data_are_what_was_held_out_too(tree):
    whole = tree.unsplit()
    pairs = zip(whole.train_user.tolist(), whole.train_item.tolist(), strict=True)
    expected = []
    for user in range(40):
        mine = tree.train_item[tree.train_user == user].tolist()
        held_out = [tree.valid_item[user], tree.test_item[user]]
        expected += [(user, item) for item in [*mine, *held_out]]
    assert list(pairs) == expected
    assert (whole.num_held_out, tree.num_held_out) == (0, 80)


def test_a_run_on_all_data_has_a_folder_of_its_own_and_no_metric(tree, tmp_path):
    config = settings(patience=1)
    _, split = train_run(config, tree, tmp_path)
    metrics, run = train_run(config, tree.unsplit(), tmp_path)
    assert run.folder != split.folder
    assert metrics.keys() == {"best_epoch", "epochs", "seconds"}
    assert metrics["best_epoch"] == metrics["epochs"] == config.epochs  # no patience
    assert not any(name.startswith("valid") for row in run.history() for name in row)
    assert not list(run.folder.glob("*_ranks.npy"))
    assert run.on_all_data and not split.on_all_data


def test_the_last_epoch_is_the_model(tree, tmp_path):
    config, whole = settings(), tree.unsplit()
    _, run = train_run(config, whole, tmp_path)
    last = factory.build_model(config, whole, trainer.seeds(0)[0])
    untrained = last.get_weights()
    path = tf.train.latest_checkpoint(run.folder / "checkpoints")
    tf.train.Checkpoint(model=last).restore(path).expect_partial()
    chosen = finished.restored(config, whole, run).get_weights()
    for ours, theirs in zip(chosen, last.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(chosen[0], untrained[0])


def test_like_takes_settings_and_best_epoch_of_an_older_run_too(tree, tmp_path):
    config = settings(model="cml", margin=0.3, dropout=0.0, epochs=20)
    metrics, run = train_run(config, tree, tmp_path)
    written = run.config
    run.write_json("config.json", {k: v for k, v in written.items() if k != "patience"})
    alike = launch.like(run)
    assert alike.epochs == metrics["best_epoch"] < 20
    assert {**alike.settings, "epochs": 20} == dict(config.settings)
    again, _ = train_run(alike, tree.unsplit(), tmp_path)
    assert again["epochs"] == metrics["best_epoch"]


def test_like_refuses_a_model_whose_parts_have_best_epochs_of_their_own(tree, tmp_path):
    config = configs.resolve(configs.for_model("ncf", "memory"))
    run = runs.locate(tmp_path, config, tree.fingerprint, 0)
    run.folder.mkdir(parents=True)
    run.write_json("config.json", config.to_dict())
    with pytest.raises(InputError, match=r"--config\.epochs=N"):
        launch.like(run)


def test_a_report_leaves_it_out_and_says_so(tree, tmp_path):
    config = settings(epochs=2)
    _, split = train_run(config, tree, tmp_path)
    _, run = train_run(config, tree.unsplit(), tmp_path)
    collected = record.collect(runs.finished(tmp_path))
    assert (collected.runs, collected.unscored) == ([split], [run])
    assert not collected.skipped
    sources = gather(tmp_path, tmp_path / "data")
    assert list(sources.rows["config_hash"]) == [split.config_hash]
    (said,) = (line for line in sources.absent if "all data" in line)
    assert run.config_hash in said


def test_a_report_of_nothing_else_says_why_it_is_empty(tree, tmp_path):
    train_run(settings(epochs=1), tree.unsplit(), tmp_path)
    with pytest.raises(InputError, match="but 1 on all data"):
        gather(tmp_path, tmp_path / "data")


@pytest.mark.parametrize("model", ["ease", "popularity"])
def test_models_without_epochs_are_fitted_to_everything(model, tree, tmp_path):
    config = configs.resolve(configs.for_model(model, "memory"))
    metrics, run = train_run(config, tree.unsplit(), tmp_path)
    assert "test" not in metrics and run.on_all_data
    fitted = finished.restored(config, tree.unsplit(), run)
    by_split = finished.restored(config, tree, run)
    users = np.arange(40)
    assert not np.array_equal(fitted.score_all(users), by_split.score_all(users))


@pytest.mark.slow
def test_the_commands_train_export_and_refuse(command, data_dir, tmp_path):
    folders = f"--data_dir={data_dir}", f"--runs_dir={tmp_path}"

    def run(name, *flags):
        return command(f"hyperml_tf.{name}", *flags, *folders)

    done = run(
        *("train", "--config=run_configs/own_table.py", "--config.dataset=tiny"),
        *("--config.dim=4", "--config.epochs=4", "--config.eval_every=2", "--seed=3"),
    )
    assert done.returncode == 0, done.stderr
    (first,) = tmp_path.rglob("seed-3")
    done = run("train", f"--like={first}")
    assert done.returncode == 0, done.stderr
    assert "trained on all 8" in done.stdout  # 60 users of 14 items, fewer repeats
    (second,) = set(tmp_path.rglob("seed-3")) - {first}

    refused = run("evaluate", f"--run={second}")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "trained on all data" in refused.stderr
    both = run("train", f"--like={first}", "--config=run_configs/own_table.py")
    assert both.returncode == 2 and "give one of" in both.stderr

    output = tmp_path / "export"
    done = run("export", f"--run={second}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert "none was held out" in done.stdout
    record = json.loads((output / "export.json").read_text())
    assert record["held_out_interactions"] == 0
    assert f"all {record['training_interactions']:,} inter" in done.stdout
