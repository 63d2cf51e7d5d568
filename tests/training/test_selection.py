"""What chooses the epoch that counts, and models that have no epochs."""

import pytest

from hyperml_tf.kernels import choosing
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import record
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import finished
from tests.training.conftest import numbers, settings, train_run

FITTED = [key for key, of in DEFINITIONS.items() if of.reference and not of.trains]
SOFTMAX = ("mf_softmax", "hyperml_softmax")


@pytest.mark.parametrize("select_by", ["ndcg10", "full_ndcg10"])
def test_the_best_epoch_is_that_of_the_metric_selected_by(select_by, tree, tmp_path):
    config = settings(select_by=select_by, epochs=12, eval_every=1)
    metrics, run = train_run(config, tree, tmp_path)
    column = f"valid/{select_by}"
    history = run.history()
    scores = [float(row[column]) for row in history]
    assert metrics["best_epoch"] == 1 + scores.index(max(scores))
    kind = "valid" if select_by == "ndcg10" else "valid_full"
    assert metrics[kind]["ndcg10"] == pytest.approx(max(scores), abs=1e-6)
    # Ranking the catalogue costs time: it is done each time only where it chooses.
    assert ("valid/full_ndcg10" in history[0]) == (select_by == "full_ndcg10")


def test_both_validations_are_recorded_whatever_chose(tree, tmp_path):
    metrics, run = train_run(settings(), tree, tmp_path)
    (row,) = record.collect([run]).rows.to_dict("records")
    assert row["valid_ndcg10"] == round(metrics["valid"]["ndcg10"], 6)
    assert row["valid_full_ndcg10"] == round(metrics["valid_full"]["ndcg10"], 6)
    assert row["valid_full_ndcg10"] != row["full_ndcg10"]


def test_the_default_selection_changes_no_hash():
    config = configs.resolve(configs.for_model("hyperml", "games"))
    without = {k: v for k, v in config.to_dict().items() if k != "select_by"}
    digest = configs.config_hash(configs.recorded(without), "data")
    assert configs.config_hash(config, "data") == digest
    other = configs.for_model("hyperml", "games")
    other.select_by = "full_ndcg10"
    assert configs.config_hash(configs.resolve(other), "data") != digest


@pytest.mark.parametrize("key", FITTED)
def test_a_fitted_reference_row_is_a_run_that_opens_again(key, tree, tmp_path):
    config = configs.for_model(key, "memory")
    for option in ("dim", "l2"):
        if option in config:
            config[option] = 4
    resolved = configs.resolve(config)
    metrics, run = train_run(resolved, tree, tmp_path)
    assert metrics["epochs"] == metrics["best_epoch"] == 0
    assert metrics["test"]["ndcg10"] > 0.2  # four branches of 160 items
    assert not (run.folder / "checkpoints").exists()
    again = finished.restored(resolved, tree, run)
    assert not again.trainable_variables
    other, _ = train_run(resolved, tree, tmp_path / "other")
    assert numbers(other) == numbers(metrics)


@pytest.mark.parametrize("kernel", ["fused", "tensorflow"])
@pytest.mark.parametrize("key", SOFTMAX)
def test_a_softmax_model_is_trained_by_either_kernel_and_resumed(
    key, kernel, tree, tmp_path
):
    if kernel == "fused" and choosing.compiled("fused") is None:
        pytest.skip("no compiler, or a GPU")
    changes = {"model": key, "shared_negatives": 32, "mask_known": True}
    changes |= {"shared_sampler": "popularity", "learning_rate": 0.05}
    config = settings(**changes, epochs=30, eval_every=10)
    whole, run = train_run(config, tree, tmp_path / "whole", kernel=kernel)
    assert run.environment["kernel"] == kernel
    for stop in (13, None):
        parted, _ = train_run(
            config, tree, tmp_path / "parted", kernel=kernel, stop_epoch=stop
        )
    assert numbers(parted) == numbers(whole)
    # 26 of the 101 candidates are of the user's branch: to know that is worth .18.
    assert whole["test"]["ndcg10"] > 0.15
