"""Which runs there are to be: configurations, variants of them, and seeds."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from hyperml_tf.data import prepared
from hyperml_tf.errors import InputError
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import config_files
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import runs
from hyperml_tf.training.configuration import Configuration, Name
from hyperml_tf.training.run_folder import Run


@dataclasses.dataclass(frozen=True)
class Task:
    """One run to be: a configuration, a seed, and how to say it on a command line.

    With `stop_epoch`, the run is left there, to be taken up again by another task.
    """

    config: Configuration
    run: Run
    overrides: tuple[tuple[str, object], ...]
    stop_epoch: int | None = None

    @property
    def last_epoch(self) -> int:
        """Where this task ends, unless patience ends it before."""
        return min(self.stop_epoch or self.config.epochs, self.config.epochs)

    @property
    def epochs_done(self) -> int:
        """Epochs in the run's history."""
        rows = self.run.history()
        return int(rows[-1]["epoch"]) if rows else 0

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do for this task."""
        if self.run.done:
            return True
        return self.stop_epoch is not None and self.epochs_done >= self.last_epoch

    @property
    def name(self) -> str:
        """For messages."""
        variant = f" {self.config.variant}" if self.config.variant else ""
        return f"{self.run.dataset}/{self.run.model}{variant} seed {self.run.seed}"

    def arguments(
        self,
        data_dir: str,
        runs_dir: str,
        threads: int,
        kernel: str = "auto",
        op_determinism: bool = False,
    ) -> list[str]:
        """Arguments of `hyperml_tf.train` for the run."""
        path = config_files.path_of(self.config.dataset)
        return [
            f"--config={path}:{self.config.name}",
            f"--config.dataset={self.config.dataset}",
            *(f"--config.{field}={value}" for field, value in self.overrides),
            f"--seed={self.run.seed}",
            f"--data_dir={data_dir}",
            f"--runs_dir={runs_dir}",
            f"--threads={threads}",
            f"--kernel={kernel}",
            *(["--op_determinism"] if op_determinism else []),
            "--wait",
            *([f"--stop_epoch={self.stop_epoch}"] if self.stop_epoch else []),
        ]


def plan(
    datasets: Sequence[str],
    models: Sequence[str | Name],
    seeds: Sequence[int],
    data_dir: str,
    runs_dir: str,
    overrides: Mapping[str, object],
    sweep: Sequence[Mapping[str, object]] = ({},),
) -> list[Task]:
    """The runs of every model on every dataset with every seed, seeds outermost.

    With seeds outermost, an interrupted schedule leaves all configurations with a
    like number of runs. A model that is not trained by gradient gets one seed. An
    override that a model's config does not have is left out for that model.

    Args:
        datasets: keys, prepared in `data_dir`.
        models: keys, or names of settings beyond the paper.
        seeds: roots of randomness.
        data_dir: prepared datasets.
        runs_dir: runs.
        overrides: fields to set in every config that has them.
        sweep: further fields to set, one variant of every config each.

    Raises:
        InputError: a dataset is not prepared, or a config is out of range.
    """
    fingerprints = {d: prepared.load(d, data_dir).fingerprint for d in datasets}
    tasks: dict[Run, Task] = {}
    for seed, dataset, model, swept in itertools.product(
        seeds, datasets, models, sweep
    ):
        config = config_files.load(dataset, model)
        name = configs.name_of(config)
        trains = DEFINITIONS[name.model].trains
        if not trains and seed != seeds[0]:
            continue
        for field in swept:
            if field not in config and trains:
                raise InputError(f"{model} has no field {field!r} to sweep over")
        wanted = {**overrides, **swept}
        if not trains:
            wanted.pop("epochs", None)  # of which it has none
        fitting = {field: value for field, value in wanted.items() if field in config}
        if any(config[field] != value for field, value in fitting.items()):
            departures = {k: str(v) for k, v in fitting.items() if k in swept}
            fitting["variant"] = configs.variant(name.beyond, departures)
        resolved = configs.resolve(configs.changed(config, fitting))
        run = runs.locate(runs_dir, resolved, fingerprints[dataset], seed)
        tasks.setdefault(run, Task(resolved, run, tuple(fitting.items())))
    return list(tasks.values())


def parse_sweep(text: str) -> list[dict[str, object]]:
    """[{"c": 0.5}, {"c": 1.0}] from "c:0.5,1.0"."""
    field, values = parse_values(text, "sweep")
    return [{field: value} for value in values]


def parse_values(text: str, flag: str) -> tuple[str, list[object]]:
    """("c", [0.5, 1.0]) from "c:0.5,1.0"; numbers and booleans where they are such.

    Raises:
        InputError: not of the form FIELD:VALUE,VALUE.
    """
    field, _, values = text.partition(":")
    if not field or not values:
        raise InputError(f"--{flag}={text} must be FIELD:VALUE,VALUE,…")
    return field, [_value(value) for value in values.split(",")]


def _value(text: str) -> object:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
