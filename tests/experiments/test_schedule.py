"""Which runs a schedule holds, and in what order."""

import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.experiments import config as configs
from hyperml_tf.experiments import launch, progress, schedule


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
    assert progress.duration(seconds) == words
