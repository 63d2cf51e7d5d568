"""What training costs: seconds and memory of finished runs."""

import itertools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from hyperml_tf.reproduction import FOLDER
from hyperml_tf.training import runs
from hyperml_tf.training.run_folder import Run

_NAME = "cost"  # of the lines
Line = dict[str, Any]


def read(folder: pathlib.Path = FOLDER) -> list[Line]:
    """The lines of `of_runs` that `benchmarks.jsonl` of the record's folder has."""
    text = (folder / "benchmarks.jsonl").read_text(encoding="utf-8")
    lines = map(json.loads, text.splitlines())
    return [line for line in lines if line["name"] == _NAME]


def pace(lines: Sequence[Line]) -> dict[tuple[str, str], float]:
    """(dataset, model) -> seconds of an epoch, of the models that have epochs."""
    return {
        (line["dataset"], line["model"]): line["seconds_per_epoch"]
        for line in lines
        if line["epochs"]
    }


def of_runs(runs_dir: str | pathlib.Path) -> list[Line]:
    """A line for `benchmarks.jsonl` about every finished run of a folder.

    `seconds_per_epoch` is that of its fastest epoch, so without validations; what
    every run does once, to fit a model without epochs and to rank both splits at the
    end, is `seconds_once`.
    """
    return [_of_run(run) for run in runs.finished(runs_dir) if not run.on_all_data]


def _of_run(run: Run) -> Line:
    metrics, config = run.metrics, run.config
    ends = [0.0, *(float(row["seconds"]) for row in run.history())]
    epochs = [end - begin for begin, end in itertools.pairwise(ends)]
    fitting = 0.0 if epochs else metrics["seconds"]
    return {
        "name": _NAME,
        "dataset": run.dataset,
        "model": run.model,
        "variant": config["variant"],
        "rows": None,
        "kernel": run.environment["kernel"],
        "dim": config.get("dim"),
        "batch": config.get("batch_size"),
        "threads": run.environment["threads"],
        "epochs": metrics["epochs"],
        "seconds_per_epoch": round(min(epochs), 3) if epochs else 0.0,
        "seconds_once": round(fitting + metrics["evaluation_seconds"], 1),
        "peak_rss_mb": metrics.get("peak_memory_mb"),
    }
