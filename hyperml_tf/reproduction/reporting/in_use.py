"""Tables of what was measured for use: new users without training, and newer data.

Each is a CSV beside the record, of metrics as fractions, one row a measurement.
"""

import pathlib

import pandas as pd

from hyperml_tf.reproduction.reporting import paper, tables
from hyperml_tf.reproduction.reporting.formats import Table

FOLD_IN, START_FROM = "fold_in.csv", "start_from.csv"
_FOLD_IN = (
    "dataset", "model", "way", "most_epochs", "users", "valid_full_ndcg10",
    "full_ndcg10", "full_hr10",
)  # fmt: skip
_START_FROM = (
    "dataset", "model", "early_interactions", "interactions", "full_eval_every",
    "full_epoch", "full_valid_ndcg10", "started_eval_every", "started_epoch",
    "started_valid_ndcg10", "started_first_valid_ndcg10",
)  # fmt: skip


def fold_in(folder: pathlib.Path) -> Table:
    """Users left out of training, by model and by what stands for them."""
    return tables.noted("fold_in", _read(folder / FOLD_IN, _FOLD_IN))


def start_from(folder: pathlib.Path) -> Table:
    """Epochs that a full retrain takes, and those of a run that starts from another."""
    return tables.noted("start_from", _read(folder / START_FROM, _START_FROM))


def _read(path: pathlib.Path, fields: tuple[str, ...]) -> pd.DataFrame:
    """The measurements, without rows where there are none yet."""
    if not path.exists():
        return pd.DataFrame(columns=[*fields, "title"])
    frame = pd.read_csv(path)[list(fields)]
    return frame.assign(title=frame["model"].map(paper.model_title))
