"""Runs many runs: each a process of `hyperml_tf.train`, a few at a time.

One thread a process is the default: two runs beside each other finish sooner than
one after the other on two cores, and a run's bits do not depend on how many run.
"""

import dataclasses
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import ml_collections
from absl import logging

from hyperml_tf.data import interactions
from hyperml_tf.errors import InputError
from hyperml_tf.experiments import catalogue, runs
from hyperml_tf.experiments import config as configs
from hyperml_tf.training.run_folder import Run

_POLL_SECONDS = 0.5
_PROGRESS_SECONDS = 15.0
#: Overhead of a run beyond its epochs, for estimates: imports, tracing, scoring.
SECONDS_PER_RUN = 12.0


@dataclasses.dataclass(frozen=True)
class Task:
    """One run to be: a resolved config, a seed, and how to say it on a command line.

    With `stop_epoch`, the run is left there, to be taken up again by another task.
    """

    config: ml_collections.FrozenConfigDict
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

    def command(
        self, data_dir: str, runs_dir: str, threads: int, kernel: str = "auto"
    ) -> list[str]:
        """The process that does the run."""
        path = catalogue.path_of(self.config.dataset)
        return [
            *(sys.executable, "-m", "hyperml_tf.train"),
            f"--config={path}:{self.config.model}",
            f"--config.dataset={self.config.dataset}",
            *(f"--config.{field}={value}" for field, value in self.overrides),
            f"--seed={self.run.seed}",
            f"--data_dir={data_dir}",
            f"--runs_dir={runs_dir}",
            f"--threads={threads}",
            f"--kernel={kernel}",
            *([f"--stop_epoch={self.stop_epoch}"] if self.stop_epoch else []),
        ]


def plan(
    datasets: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
    data_dir: str,
    runs_dir: str,
    overrides: Mapping[str, object],
    sweep: Sequence[Mapping[str, object]] = ({},),
) -> list[Task]:
    """The runs of every model on every dataset with every seed, seeds outermost.

    With seeds outermost, an interrupted schedule leaves all configurations with a
    like number of runs. A model without randomness (popularity) gets one seed. An
    override that a model's config does not have is left out for that model.

    Args:
        datasets: keys, prepared in `data_dir`.
        models: keys.
        seeds: roots of randomness.
        data_dir: prepared datasets.
        runs_dir: runs.
        overrides: fields to set in every config that has them.
        sweep: further fields to set, one variant of every config each.

    Raises:
        InputError: a dataset is not prepared, or a config is out of range.
    """
    tasks: dict[Run, Task] = {}
    for seed, dataset, model, swept in itertools.product(
        seeds, datasets, models, sweep
    ):
        data = interactions.load(dataset, data_dir)
        config = catalogue.load(dataset, model)
        if not config.epochs and seed != seeds[0]:
            continue
        for field in swept:
            if field not in config and config.epochs:
                raise InputError(f"{model} has no field {field!r} to sweep over")
        wanted = {**overrides, **swept} if config.epochs else {}
        fitting = {field: value for field, value in wanted.items() if field in config}
        if any(config[field] != value for field, value in fitting.items()):
            named = (f"{k}={v}" for k, v in fitting.items() if k in swept)
            fitting["variant"] = " ".join(named)
        config.update(fitting)
        resolved = configs.resolve(config)
        run = runs.locate(runs_dir, resolved, data.fingerprint, seed)
        tasks.setdefault(run, Task(resolved, run, tuple(fitting.items())))
    return list(tasks.values())


class LocalExecutor:
    """Runs tasks as local processes.

    Args:
        jobs: how many at a time.
        threads: TensorFlow threads of each.
        data_dir: prepared datasets.
        runs_dir: runs.
        kernel: what does the steps, one of `kernels.CHOICES`.
    """

    def __init__(
        self,
        jobs: int,
        threads: int,
        data_dir: str,
        runs_dir: str,
        kernel: str = "auto",
    ):
        self.jobs, self.threads, self.kernel = jobs, threads, kernel
        self.data_dir, self.runs_dir = data_dir, runs_dir
        self._running: dict[subprocess.Popen, Task] = {}

    def execute(self, tasks: Sequence[Task]) -> list[Task]:
        """Runs what is not finished yet; returns the tasks that failed.

        A failed run does not stop the others. On an interrupt the processes are
        ended; they go on from their checkpoints when asked for again.
        """
        waiting = [task for task in tasks if not task.done]
        skipped = len(tasks) - len(waiting)
        if skipped:
            logging.info("%d of %d runs are finished already", skipped, len(tasks))
        progress = Progress(waiting, self.jobs)
        failed = []
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self.jobs:
                    self._start(waiting.pop(0))
                for task in self._ended():
                    if task.done:
                        progress.say_finished(task)
                    else:
                        failed.append(task)
                        logging.error("%s failed: %s", task.name, _last_words(task))
                progress.say_sometimes()
                time.sleep(_POLL_SECONDS)
        finally:
            for process in self._running:
                process.terminate()
            for process in self._running:
                process.wait()
            self._running.clear()
        return failed

    def _start(self, task: Task) -> None:
        task.run.folder.mkdir(parents=True, exist_ok=True)
        command = task.command(self.data_dir, self.runs_dir, self.threads, self.kernel)
        with open(task.run.folder / "log.txt", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self._running[process] = task

    def _ended(self) -> list[Task]:
        ended = [process for process in self._running if process.poll() is not None]
        return [self._running.pop(process) for process in ended]


def _last_words(task: Task) -> str:
    log = task.run.folder / "log.txt"
    lines = log.read_text(errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'no message'} (see {log})"


class Progress:
    """What is done of a schedule, and when it will end.

    The estimate weighs the epochs left by the seconds per epoch seen so far, of the
    same dataset and model where there are any.
    """

    def __init__(self, tasks: Sequence[Task], jobs: int):
        self.tasks, self.jobs = list(tasks), jobs
        self.begin = self.spoken = time.monotonic()

    def seconds_left(self) -> float | None:
        """Estimated wall seconds to the end; None before the first epochs."""
        pace: dict[tuple[str, str], list[tuple[float, float]]] = {}
        left: list[tuple[tuple[str, str], int]] = []
        for task in self.tasks:
            kind = (task.run.dataset, task.run.model)
            rows = task.run.history()
            done = task.epochs_done
            if done:
                pace.setdefault(kind, []).append((float(rows[-1]["seconds"]), done))
            if not task.done:
                left.append((kind, max(task.last_epoch - done, 0)))
        if not pace:
            return None
        mean = {k: sum(s for s, _ in v) / sum(e for _, e in v) for k, v in pace.items()}
        typical = sum(mean.values()) / len(mean)
        work = sum(epochs * mean.get(kind, typical) for kind, epochs in left)
        return (work + SECONDS_PER_RUN * len(left)) / self.jobs

    def say_finished(self, task: Task) -> None:
        """One line for a run that ended well."""
        if task.run.done:
            test = task.run.metrics["test"]
            logging.info(
                "%s: test nDCG@10 %.2f %%  HR@10 %.2f %%",
                task.name,
                100 * test.get("ndcg10", float("nan")),
                100 * test.get("hr10", float("nan")),
            )
        self.say()

    def say_sometimes(self) -> None:
        """A progress line, if the last one was a while ago."""
        if time.monotonic() - self.spoken > _PROGRESS_SECONDS:
            self.say()

    def say(self) -> None:
        """A progress line."""
        self.spoken = time.monotonic()
        done = sum(task.done for task in self.tasks)
        left = self.seconds_left()
        eta = f"ETA {duration(left)}" if left is not None else "ETA not known yet"
        took = duration(self.spoken - self.begin)
        logging.info("%d/%d runs  %s so far  %s", done, len(self.tasks), took, eta)


def duration(seconds: float) -> str:
    """Seconds in words: "42 s", "7 min 05 s", "3 h 20 min"."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def default_jobs() -> int:
    """One run a core that this process may use."""
    return len(os.sched_getaffinity(0))


def parse_sweep(text: str) -> list[dict[str, object]]:
    """[{"c": 0.5}, {"c": 1.0}] from "c:0.5,1.0"; numbers where they are numbers.

    Raises:
        InputError: not of the form FIELD:VALUE,VALUE.
    """
    field, _, values = text.partition(":")
    if not field or not values:
        raise InputError(f"--sweep={text} must be FIELD:VALUE,VALUE,…")
    return [{field: _number(value)} for value in values.split(",")]


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
