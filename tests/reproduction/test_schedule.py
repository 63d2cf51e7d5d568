"""Which runs a schedule holds, and in what order."""

import pandas as pd
import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.progress import duration
from hyperml_tf.reproduction import record, schedule, schedule_progress
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import launch


def plan(data_dir, tmp_path, **changes):
    arguments = dict(
        datasets=["tiny"],
        models=["hyperml", "cml", "popularity"],
        seeds=range(2),
        data_dir=str(data_dir),
        runs_dir=str(tmp_path),
        overrides={},
    )
    return schedule.plan(**arguments | changes)


def test_seeds_are_outermost_and_popularity_runs_once(data_dir, tmp_path):
    tasks = plan(data_dir, tmp_path)
    assert [(task.run.seed, task.run.model) for task in tasks] == [
        *[(0, "hyperml"), (0, "cml"), (0, "popularity")],
        *[(1, "hyperml"), (1, "cml")],
    ]


def test_an_override_goes_to_the_models_that_have_the_field(data_dir, tmp_path):
    hyperml, cml, popularity = plan(
        data_dir, tmp_path, seeds=[0], overrides={"c": 2.0, "epochs": 3}
    )
    assert (hyperml.config.c, hyperml.config.epochs, cml.config.epochs) == (2, 3, 3)
    assert popularity.config.epochs == 0
    assert not any("config.c=" in word for word in cml.arguments("d", "r", 1))
    assert "--config.c=2.0" in hyperml.arguments("d", "r", 1)


def test_a_sweep_names_its_variants_and_keeps_the_base_row(data_dir, tmp_path):
    sweep = schedule.parse_sweep("c:0.5,1,2")
    tasks = plan(data_dir, tmp_path, models=["hyperml"], seeds=[0], sweep=sweep)
    assert [task.config.variant for task in tasks] == ["c=0.5", "", "c=2"]
    (base,) = plan(data_dir, tmp_path, models=["hyperml"], seeds=[0])
    assert tasks[1].run == base.run


def test_a_sweep_over_an_option_turns_it_off_and_on(data_dir, tmp_path):
    sweep = schedule.parse_sweep("item_bias:False,true")
    tasks = plan(data_dir, tmp_path, models=["mf_bpr"], seeds=[0], sweep=sweep)
    assert [task.config.item_bias for task in tasks] == [False, True]
    words = tasks[1].arguments("d", "r", 1)
    assert "--config.item_bias=True" in words


@pytest.mark.parametrize("text", ["c", "c:", ":1", "gamma:1"])
def test_a_sweep_that_means_nothing_is_refused(text, data_dir, tmp_path):
    with pytest.raises(InputError):
        sweep = schedule.parse_sweep(text)
        plan(data_dir, tmp_path, models=["hyperml"], sweep=sweep)


def test_ncf_starts_from_runs_with_the_fields_it_shares():
    config = configs.for_model("ncf", "tiny")
    config.dim, config.epochs, config.optimizer, config.layers = 32, 7, "sgd", 4
    gmf, mlp = launch.part_configs(configs.resolve(config))
    assert (gmf.model, mlp.model) == ("gmf", "mlp")
    assert (gmf.dim, gmf.epochs, mlp.layers) == (32, 7, 4)
    assert (gmf.optimizer, mlp.optimizer) == ("adam", "adam")
    assert "layers" not in gmf


@pytest.mark.parametrize(
    "seconds, words",
    [(0.4, "0 s"), (59.4, "59 s"), (425, "7 min 05 s"), (12000, "3 h 20 min")],
)
def test_durations_read_well(seconds, words):
    assert duration(seconds) == words


def test_an_estimate_takes_the_median_pace_of_recorded_runs(
    data_dir, tmp_path, monkeypatch
):
    # Seconds an epoch of hyperml on tiny: 1, 2, 6; a run of no epochs has no pace.
    recorded = pd.DataFrame(
        [("tiny", "hyperml", 10, 10.0), ("tiny", "hyperml", 5, 10.0),
         ("tiny", "hyperml", 1, 6.0), ("tiny", "hyperml", 0, 1.0),
         ("other", "hyperml", 1, 1000.0)],
        columns=["dataset", "model", "epochs", "seconds"],
    )  # fmt: skip
    monkeypatch.setattr(record, "read", lambda: recorded)
    monkeypatch.setattr(schedule_progress, "SECONDS_PER_RUN", 5)
    tasks = plan(data_dir, tmp_path, overrides={"epochs": 100})
    line = record.estimate(tasks, jobs=2)
    # (2 runs of hyperml * 100 epochs * 2 s + 5 runs * 5 s) / 2
    assert "5 runs to do, 400 epochs, 2 at a time" in line
    assert duration(212.5) in line
    assert "2 runs like none recorded" in line  # cml
    monkeypatch.setattr(record, "read", lambda: recorded[:0])
    assert "4 runs like none recorded" in record.estimate(tasks, jobs=2)
