"""The committed record of finished runs, and the estimates it allows."""

import csv
import pathlib
import statistics
from collections.abc import Sequence

from hyperml_tf.experiments import progress, schedule

RECORD = pathlib.Path(__file__).parents[2] / "run_configs" / "results.csv"


def read(path: pathlib.Path = RECORD) -> list[dict[str, str]]:
    """Rows of the record; none if there is no file yet."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def estimate(tasks: Sequence[schedule.Task], jobs: int) -> str:
    """One line: how many runs and epochs, and how long they should take.

    The seconds per epoch are the record's for the same dataset and model. Runs that
    the record knows nothing about are counted, not guessed.
    """
    pace: dict[tuple[str, str], list[float]] = {}
    for row in read():
        if int(row["epochs"]):
            key = (row["dataset"], row["model"])
            pace.setdefault(key, []).append(float(row["seconds"]) / int(row["epochs"]))
    seconds, unknown = 0.0, 0
    for task in tasks:
        known = pace.get((task.run.dataset, task.run.model))
        if known:
            seconds += statistics.median(known) * task.config.epochs
        elif task.config.epochs:
            unknown += 1
    seconds = (seconds + progress.SECONDS_PER_RUN * len(tasks)) / jobs
    epochs = sum(task.config.epochs for task in tasks)
    line = f"{len(tasks)} runs to do, {epochs:,} epochs, {jobs} at a time; "
    line += f"estimate from recorded runs: {progress.duration(seconds)}"
    if unknown:
        line += f", and {unknown} runs like none recorded: their ETA comes as they run"
    return line
