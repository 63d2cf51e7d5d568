"""Chooses settings on validation: the paper's grid, widened, by successive halving.

Rung r trains its candidates up to epoch E/3^(R-1-r) of the config's E, then keeps the
best third by validation nDCG@10, in the ranking that the config selects by (Jamieson &
Talwalkar 2016). A candidate that goes on is taken up from its checkpoint, so no epoch
is trained twice. The choice never looks at the test items.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import ml_collections
import numpy as np
from absl import logging

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import RunError
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import config_files
from hyperml_tf.reproduction.executors import Executor
from hyperml_tf.reproduction.schedule import Task
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import runs

_KEPT = 3  # one in three goes on to the next rung


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Overrides of the committed config, and how they did until they were left.

    Attributes:
        overrides: field -> value.
        epochs: end of the last rung that they were in.
        valid_ndcg10: best validation nDCG@10 until then, in the ranking that the
            config selects by; -1 for a run that failed.
    """

    overrides: Mapping[str, object]
    epochs: int
    valid_ndcg10: float


def space_of(
    config: ml_collections.ConfigDict,
    fixed: Mapping[str, object],
    values: Mapping[str, Sequence],
) -> dict[str, Sequence]:
    """The grid without what is fixed, with the user's own values.

    Args:
        config: the committed config.
        fixed: fields that are not searched.
        values: field -> values to try, instead of the grid's or beside it.

    Raises:
        ConfigError: `values` names a field that is fixed or that the config lacks.
    """
    for field in values:
        if field not in config:
            raise configs.ConfigError(f"{config.model} has no field {field!r}")
        if field in fixed:
            raise configs.ConfigError(
                f"--config.{field} fixes what --space={field}:… searches; give one"
            )
    space = DEFINITIONS[config.model].grid | dict(values)
    return {field: space[field] for field in space if field not in fixed}


def draw(
    space: Mapping[str, Sequence], budget: int | None, first: Mapping[str, object]
) -> list[dict[str, object]]:
    """`budget` different points of the grid, uniformly; None: all of them.

    Args:
        space: field -> values.
        budget: number of points.
        first: the committed values; always the first candidate.
    """
    size = math.prod(len(values) for values in space.values())
    points = [dict(first)]
    chosen = list(range(size))
    if budget is not None and budget < size:
        chosen = np.random.default_rng(0).permutation(size).tolist()
    for index in chosen:
        point = {}
        for field, values in space.items():
            index, place = divmod(index, len(values))
            point[field] = values[place]
        if point not in points and (budget is None or len(points) < budget):
            points.append(point)
    return points


def rungs(epochs: int, eval_every: int, candidates: int) -> list[int]:
    """Epochs at which each rung ends, multiples of `eval_every`; the last is E."""
    count = 1
    while _KEPT**count <= candidates and epochs // _KEPT**count >= eval_every:
        count += 1
    ends = [epochs // _KEPT**place for place in reversed(range(count))]
    return [max(end // eval_every, 1) * eval_every for end in ends[:-1]] + [epochs]


def search(
    config: ml_collections.ConfigDict,
    data: Interactions,
    budget: int | None,
    seed: int,
    executor: Executor,
    fixed: Mapping[str, object],
    values: Mapping[str, Sequence],
) -> list[Candidate]:
    """Runs the search, resuming what was done of it; all candidates, best first.

    Args:
        config: the committed config, with the user's own overrides applied.
        data: the prepared dataset.
        budget: number of configurations; None: the full grid.
        seed: of every run.
        executor: what runs the tasks.
        fixed: the user's own overrides, which every candidate keeps.
        values: as of `space_of`.

    Raises:
        ConfigError: a value that a field cannot have.
        RunError: every configuration failed.
    """
    space = space_of(config, fixed, values)
    points = draw(space, budget, {field: config[field] for field in space})
    # A task starts from the committed config, not from the one given.
    kept = departures(configs.settings(config), config) | dict(fixed)
    tasks = [_task(config, point, kept, data, seed, executor) for point in points]
    ends = [0]  # there is nothing to go on with
    if DEFINITIONS[config.model].trains:
        ends = rungs(config.epochs, config.eval_every, len(points))
    found: dict[Task, Candidate] = {}
    for place, end in enumerate(ends):
        logging.info(
            "rung %d of %d: %d configurations to epoch %d",
            *(place + 1, len(ends), len(tasks), end),
        )
        rung = [dataclasses.replace(task, stop_epoch=end) for task in tasks]
        failed = {task.run for task in executor.execute(rung)}
        for task in tasks:
            score = -1.0 if task.run in failed else _best_valid(task, end)
            found[task] = Candidate(dict(task.overrides), end, score)
        tasks.sort(key=lambda task: -found[task].valid_ndcg10)
        if found[tasks[0]].valid_ndcg10 < 0:
            raise RunError(
                f"all {len(tasks)} configurations failed by epoch {end}; see the last "
                f"lines of {tasks[0].run.folder / 'log.txt'}"
            )
        if place + 1 < len(ends):
            tasks = tasks[: max(len(tasks) // _KEPT, 1)]
    return sorted(found.values(), key=lambda c: (-c.epochs, -c.valid_ndcg10))


def departures(
    values: Mapping[str, object], config: ml_collections.ConfigDict
) -> dict[str, object]:
    """Those of `values` that are not the committed ones of `config`'s dataset."""
    committed = config_files.load(config.dataset, configs.name_of(config))
    return {k: value for k, value in values.items() if committed.get(k) != value}


def _task(config, point, kept, data, seed, executor) -> Task:
    resolved = configs.resolve(configs.changed(config, point))
    run = runs.locate(executor.runs_dir, resolved, data.fingerprint, seed)
    return Task(resolved, run, tuple((kept | point).items()))


def _best_valid(task: Task, end: int) -> float:
    """Best validation score up to epoch `end`, as `select_by` says; -1 without any."""
    select_by = task.config.get("select_by", "ndcg10")
    if not task.config.definition.trains:
        kind = "valid_full" if select_by == "full_ndcg10" else "valid"
        return task.run.metrics[kind].get("ndcg10", -1.0)
    rows = itertools.takewhile(lambda r: int(r["epoch"]) <= end, task.run.history())
    scores = (row.get(f"valid/{select_by}") for row in rows)
    return max((float(score) for score in scores if score), default=-1.0)


def as_file(overrides: Mapping[str, object]) -> list[str]:
    """Lines for `CHOSEN` of `run_configs/<dataset>.py`."""
    return [f'"{field}": {value!r},' for field, value in overrides.items()]


def as_flags(overrides: Mapping[str, object]) -> list[str]:
    """Flags for `hyperml_tf.train`, where the dataset has no file of its own."""
    return [f"--config.{field}={value}" for field, value in overrides.items()]
