"""What `./run_all.sh` takes for each of the paper's datasets, as a frame of numbers."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import config_files, costs
from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.groups import Results
from hyperml_tf.training.configuration import Name

SEEDS = 5
_KINDS = ("recorded", "dry run")


def of_datasets(results: Results, lines: Sequence[costs.Line]) -> pd.DataFrame:
    """A row for each dataset of the paper on which a model was trained, and their sum.

    The hours of a recorded dataset are those of its runs. Of another they are the
    measured seconds of an epoch times the epochs of its configuration, if patience
    ends none of its runs before.

    Args:
        results: the record.
        lines: of dry runs, as `costs.read` gives them.
    """
    rows = [_of_dataset(dataset, results, lines) for dataset in paper.TABLE1]
    frame = pd.DataFrame([row for row in rows if row])
    total = {"where": "Together"} | frame[["runs", "hours"]].sum().to_dict()
    return pd.concat([frame, pd.DataFrame([total])], ignore_index=True).assign(
        two=lambda f: f["hours"] / 2, sixteen=lambda f: f["hours"] / 16
    )


def _of_dataset(
    dataset: str, results: Results, lines: Sequence[costs.Line]
) -> dict[str, Any] | None:
    measured = [line for line in lines if line["dataset"] == dataset]
    recorded = {
        name: group.rows["seconds"].mean()
        for (of, name), group in results.main.items()
        if of == dataset
    }
    seconds = {Name(line["model"]): _seconds(line) for line in measured} or recorded
    if not any(DEFINITIONS[name.model].trains for name in seconds):
        return None
    each = {name: value * _runs(name) / 3600 for name, value in seconds.items()}
    slowest = max(each, key=lambda name: each[name])
    return {
        "dataset": dataset,
        "where": paper.dataset_title(dataset),
        "kind": _KINDS[bool(measured)],
        "runs": sum(map(_runs, each)),
        "hours": sum(each.values()),
        "slowest": slowest.title,
        "slowest_hours": each[slowest],
        "peak_mb": max((line["peak_rss_mb"] for line in measured), default=None),
    }


def _runs(name: Name) -> int:
    """A model that is not trained by gradient has one."""
    return SEEDS if DEFINITIONS[name.model].trains else 1


def _seconds(line: costs.Line) -> float:
    epochs = config_files.load(line["dataset"], line["model"]).epochs
    return epochs * line["seconds_per_epoch"] + line["seconds_once"]
