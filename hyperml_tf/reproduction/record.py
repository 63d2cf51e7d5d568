"""The record of runs: one row per finished run, `run_configs/results.csv`.

The runs folder is large and stays on its machine; the record is small and committed.
Every table can be built from it alone. Metrics are fractions, rounded to six digits.
"""

import io
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from hyperml_tf.errors import InputError
from hyperml_tf.files import write_atomically
from hyperml_tf.progress import duration
from hyperml_tf.reproduction import config_files, costs, schedule, schedule_progress
from hyperml_tf.training import configuration as configs
from hyperml_tf.training.run_folder import Run

RECORD = config_files.FOLDER / "results.csv"
COLUMNS = (
    "dataset", "model", "variant", "config_hash", "config", "seed", "commit", "device",
    "kernel", "epochs", "best_epoch", "valid_ndcg10", "valid_hr10", "hr10", "ndcg10",
    "ndcg10_method0", "full_hr10", "full_ndcg10", "seconds", "versions",
    "valid_full_ndcg10",
)  # fmt: skip
# Those that rows of older records lack.
_LATER = ("valid_full_ndcg10",)
#: What tells rows apart: a run is recorded once.
KEY = ["dataset", "model", "config_hash", "seed"]
METRICS = (
    "valid_ndcg10", "valid_hr10", "hr10", "ndcg10", "ndcg10_method0", "full_hr10",
    "full_ndcg10", "valid_full_ndcg10",
)  # fmt: skip
_TEXT = ("dataset", "model", "variant", "config_hash", "config", "commit", "device",
         "kernel", "versions")  # fmt: skip
_OF_PROCESS = ("commit", "device", "kernel")


class Collected(NamedTuple):
    """What a report takes from finished runs.

    Attributes:
        rows: of the runs that could be read.
        runs: these.
        skipped: which could not, and why.
        unscored: runs on all data, which have no metrics.
    """

    rows: pd.DataFrame
    runs: list[Run]
    skipped: list[str]
    unscored: list[Run]


def collect(runs: Iterable[Run]) -> Collected:
    """Rows of finished runs; a run with torn or absent files is left out by name."""
    rows, readable, skipped, unscored = [], [], [], []
    for run in runs:
        try:
            if run.on_all_data:
                unscored.append(run)
                continue
            rows.append(_row(run))
            readable.append(run)
        except KeyError as error:
            skipped.append(f"{run.folder}: no {error.args[0]!r} in its files")
        except (OSError, InputError, TypeError, AttributeError) as error:
            skipped.append(f"{run.folder}: {error}")
    return Collected(_frame(rows), readable, skipped, unscored)


def _row(run: Run) -> dict[str, Any]:
    config = configs.recorded(run.config)
    environment, metrics = run.environment, run.metrics
    versions = {"python": environment["python"], **environment["versions"]}
    settings = dict(sorted(config.identity.items()))
    valid, test, full = metrics["valid"], metrics["test"], metrics["test_full"]
    return {
        "dataset": run.dataset,
        "model": run.model,
        "variant": config.variant,
        "config_hash": run.config_hash,
        "config": json.dumps(settings, separators=(",", ":")),
        "seed": run.seed,
        **{name: _of_all(environment, name) for name in _OF_PROCESS},
        "epochs": int(metrics["epochs"]),
        "best_epoch": int(metrics["best_epoch"]),
        "valid_ndcg10": round(valid["ndcg10"], 6),
        "valid_hr10": round(valid["hr10"], 6),
        "hr10": round(test["hr10"], 6),
        "ndcg10": round(test["ndcg10"], 6),
        "ndcg10_method0": round(test["ndcg10_method0"], 6),
        "full_hr10": round(full["hr10"], 6),
        "full_ndcg10": round(full["ndcg10"], 6),
        "seconds": round(metrics["seconds"], 1),
        "versions": " ".join(f"{k}={v}" for k, v in versions.items()),
        "valid_full_ndcg10": _rounded(metrics.get("valid_full"), "ndcg10"),
    }


def _rounded(summary: Mapping[str, float] | None, metric: str) -> float:
    """A metric of a ranking; NaN for runs that are older than it."""
    return float("nan") if summary is None else round(summary[metric], 6)


def _of_all(environment: dict[str, Any], name: str) -> str:
    """Of the run's process; of all in turn, joined by +, where it was resumed."""
    processes = [*environment.get("earlier", []), environment]
    return "+".join(dict.fromkeys(process[name] for process in processes))


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(KEY, ignore_index=True)


def read(path: pathlib.Path = RECORD) -> pd.DataFrame:
    """The record at `path`; without rows if there is no file yet.

    Raises:
        InputError: the file is not a record.
    """
    try:
        rows = pd.read_csv(
            path,
            dtype=dict.fromkeys(_TEXT, str),
            keep_default_na=False,
            na_values={column: [""] for column in METRICS},
        )
    except FileNotFoundError:
        return _frame([])
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a record of runs ({error})") from None
    rows = rows.reindex(columns=[*rows, *(c for c in _LATER if c not in rows)])
    missing = [column for column in COLUMNS if column not in rows]
    if missing:
        raise InputError(
            f"{path} lacks the columns {', '.join(missing)}; restore it from git, or "
            "move it away to start a new record"
        )
    return rows[list(COLUMNS)]


def merge(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """`old` with the rows of `new` added; a run that both have is taken from `new`."""
    if old.empty or new.empty:
        return new if old.empty else old
    rows = pd.concat([old, new]).drop_duplicates(KEY, keep="last")
    return rows.sort_values(KEY, ignore_index=True)


def write(path: pathlib.Path, rows: pd.DataFrame) -> None:
    """Writes the record atomically."""
    text = io.StringIO()
    rows.to_csv(text, index=False, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue())


def estimate(tasks: Sequence[schedule.Task], jobs: int) -> str:
    """One line: how many runs and epochs, and how long they should take.

    The seconds per epoch are the record's for the same dataset and model, or those of
    `costs`. Runs that neither knows anything about are counted, not guessed.
    """
    rows = read()
    rows = rows[rows["epochs"] > 0]
    pace = (rows["seconds"] / rows["epochs"]).groupby([rows["dataset"], rows["model"]])
    median = costs.pace(costs.read()) | pace.median().to_dict()
    seconds, unknown = 0.0, 0
    for task in tasks:
        known = median.get((task.run.dataset, task.run.model))
        if known:
            seconds += known * task.config.epochs
        elif task.config.epochs:
            unknown += 1
    seconds = (seconds + schedule_progress.SECONDS_PER_RUN * len(tasks)) / jobs
    epochs = sum(task.config.epochs for task in tasks)
    line = f"{len(tasks)} runs to do, {epochs:,} epochs, {jobs} at a time; "
    line += f"estimate from recorded runs: {duration(seconds)}"
    if unknown:
        line += f", and {unknown} runs like none recorded: their ETA comes as they run"
    return line
