"""The parts of the search that need no training."""

import csv
import types

import pandas as pd
import pytest

from hyperml_tf.errors import RunError
from hyperml_tf.reproduction import config_files, halving, schedule, searches
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import runs


@pytest.mark.parametrize(
    "epochs, eval_every, candidates, ends",
    [
        (300, 50, 12, [100, 300]),  # 300/9 = 33 is shorter than one validation
        (500, 50, 12, [50, 150, 500]),  # 55 and 166, rounded down to validations
        (90, 10, 27, [10, 30, 90]),
        (90, 10, 2, [90]),  # nothing to halve
        (10, 50, 12, [10]),
    ],
)
def test_rungs_are_thirds_at_validations(epochs, eval_every, candidates, ends):
    assert halving.rungs(epochs, eval_every, candidates) == ends


def test_the_full_grid_is_the_papers_times_regularisation():
    config = configs.for_model("hyperml", "games")
    space = halving.space_of(config, {}, {})
    # 2 optimizers, 4 rates, 3 dims, 3 batches, 6 weights, 3 margins, 3 dropouts
    points = halving.draw(space, None, {field: config[field] for field in space})
    assert len(points) == 2 * 4 * 3 * 3 * 6 * 3 * 3
    assert len({tuple(point.items()) for point in points}) == len(points)


def test_a_budget_draws_different_points_and_begins_with_the_committed_one():
    config = configs.for_model("mf_bpr", "games")
    space = halving.space_of(config, {}, {})
    assert {"l2", "dropout"} < set(space) and "margin" not in space
    committed = {field: config[field] for field in space}
    points = halving.draw(space, 12, committed)
    assert points[0] == committed and len(points) == 12
    assert all(points.count(point) == 1 for point in points)
    assert points == halving.draw(space, 12, committed)
    assert all(point[f] in space[f] for point in points for f in space)


def test_values_of_ones_own_replace_the_grids_and_unknown_fields_are_refused():
    config = configs.for_model("cml", "games")
    space = halving.space_of(config, {"l2": 1}, {"negatives": [1, 3], "margin": [0.3]})
    assert space["negatives"] == [1, 3] and space["margin"] == [0.3]
    assert "distortion_weight" not in space
    assert "dropout" not in halving.space_of(config, {"dropout": 0.2}, {})
    with pytest.raises(configs.ConfigError, match="cml has no field 'c'"):
        halving.space_of(config, {}, {"c": [1, 2]})
    with pytest.raises(configs.ConfigError, match=r"--config\.dim fixes what --space"):
        halving.space_of(config, {"dim": 32}, {"dim": [32, 64]})


class Executor:
    """Writes a history instead of training; runs of these rates fail at the end."""

    def __init__(self, runs_dir, failing):
        self.runs_dir, self.failing = str(runs_dir), failing

    def execute(self, tasks):
        for task in tasks:
            task.run.folder.mkdir(parents=True, exist_ok=True)
            with open(task.run.folder / "history.csv", "w") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(["epoch", "valid/ndcg10"])
                rows.writerow([2, task.config.learning_rate])
        return [t for t in tasks if t.config.learning_rate in self.failing]


def searched(tmp_path, failing, rates=(0.1, 0.2, 0.3)):
    config = config_files.load("tiny", "cml")
    config.epochs, config.eval_every = 6, 2
    data = types.SimpleNamespace(fingerprint="data")
    executor = Executor(tmp_path, failing)
    rates = {"learning_rate": rates}
    fixed = {
        f: config[f] for f in halving.space_of(config, {}, {}) if f != "learning_rate"
    }
    return halving.search(config, data, 4, 0, executor, fixed, rates)


def test_a_configuration_that_fails_never_wins(tmp_path):
    found = searched(tmp_path, failing=[0.3])
    # .3 validated best, then failed.
    assert (found[0].epochs, found[0].valid_ndcg10) == (6, 0.2)
    (failed,) = (c for c in found if c.overrides["learning_rate"] == 0.3)
    assert failed.valid_ndcg10 == -1 and failed.epochs == 2


def test_a_search_of_which_nothing_is_left_fails(tmp_path):
    with pytest.raises(RunError, match=r"all 4 configurations failed.*log\.txt"):
        searched(tmp_path, failing=[0.1, 0.2, 0.3, 0.001])


def test_a_value_of_another_type_is_refused_by_name(tmp_path):
    with pytest.raises(configs.ConfigError, match=r"learning_rate = 'many'.*float"):
        searched(tmp_path, failing=[], rates=("many", 0.1, 0.2))


def test_settings_are_printed_as_they_are_committed_or_given():
    overrides = {"dim": 32, "optimizer": "adagrad"}
    assert halving.as_file(overrides) == ['"dim": 32,', "\"optimizer\": 'adagrad',"]
    flags = ["--config.dim=32", "--config.optimizer=adagrad"]
    assert halving.as_flags(overrides) == flags


def test_what_the_given_config_has_otherwise_reaches_every_run(tmp_path):
    """A task starts from the committed file, not from the one that was given."""
    (best, *_) = searched(tmp_path, failing=[])
    assert best.overrides["epochs"] == 6 and best.overrides["eval_every"] == 2
    assert "loss" not in best.overrides


def test_a_second_round_adds_to_the_first(tmp_path):
    path = tmp_path / "searches.csv"

    def add(*tried, name="cml+"):
        made = [halving.Candidate(overrides, *how) for overrides, *how in tried]
        searches.add(path, "tiny", name, made)

    add(({"dim": 8}, 6, 0.2), ({"dim": 16}, 2, 0.3))
    add(({"dim": 8}, 6, 0.9), name="cml")
    add(({"dim": 32, "margin": 0.5}, 6, 0.4), ({"dim": 64}, 2, 0.1))
    first = path.read_text()
    add(({"margin": 0.5, "dim": 32}, 6, 0.4), ({"dim": 64}, 2, 0.1))
    rows = searches.read(path)
    rows = rows[rows["model"] == "cml+"]
    assert rows["valid_ndcg10"].tolist() == [0.4, 0.2, 0.3, 0.1]
    assert rows["place"].tolist() == [1, 2, 3, 4]
    assert len(path.read_text()) == len(first)
    assert len(searches.read(path)) == 5


def test_searches_by_another_ranking_are_other_searches(tmp_path):
    path = tmp_path / "searches.csv"
    old = pd.DataFrame(
        [("tiny", "cml", 1, 6, 0.2, '{"dim": 8}')], columns=searches.COLUMNS[:-1]
    )
    old.to_csv(path, index=False)  # of before there was another ranking
    found = [halving.Candidate({"dim": 8}, 6, 0.04)]
    searches.add(path, "tiny", "cml", found, "full_ndcg10")
    rows = searches.read(path)
    assert rows["select_by"].tolist() == ["full_ndcg10", "ndcg10"]
    assert rows["place"].tolist() == [1, 1]


def test_a_search_ranks_by_what_the_config_selects_by(tmp_path):
    config = config_files.load("tiny", "cml")
    config.select_by = "full_ndcg10"
    resolved = configs.resolve(config)
    run = runs.locate(tmp_path, resolved, "data", 0)
    run.folder.mkdir(parents=True)
    rows = ["epoch,valid/ndcg10,valid/full_ndcg10", "2,0.9,0.1", "4,0.2,0.3", "6,1,1"]
    (run.folder / "history.csv").write_text("\n".join(rows) + "\n")
    assert halving._best_valid(schedule.Task(resolved, run, ()), 4) == 0.3


def test_what_adapt_fits_is_searched_by_the_metrics_of_finished_runs(tmp_path):
    config = config_files.load("tiny", "ease")

    class Fits:
        runs_dir = str(tmp_path)

        def execute(self, tasks):
            for task in tasks:
                assert "--stop_epoch=0" not in task.arguments("data", "runs", 1)
                task.run.folder.mkdir(parents=True, exist_ok=True)
                scores = {"ndcg10": 1 / task.config.l2}
                full = {"ndcg10": task.config.l2}
                task.run.write_json(
                    "metrics.json", {"valid": scores, "valid_full": full}
                )
            return []

    data = types.SimpleNamespace(fingerprint="data")
    for select_by, best in (("ndcg10", 2.0), ("full_ndcg10", 100.0)):
        config.select_by = select_by
        found = halving.search(
            config, data, None, 0, Fits(), {"select_by": select_by}, {"l2": (2.0, 4.0)}
        )
        assert len(found) == 3 and found[0].overrides["l2"] == best
