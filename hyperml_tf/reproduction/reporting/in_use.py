"""Tables of what was measured for use: new users without training, and newer data.

Each is a CSV beside the record, of metrics as fractions, one row a measurement.
"""

import pathlib

import pandas as pd

from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.formats import Column, Table, percent, text

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
    frame = _read(folder / FOLD_IN, _FOLD_IN)
    frame["title"] = frame["model"].map(paper.model_title)
    columns = [
        text("Model", "title"),
        text("New users are", "way"),
        Column("nDCG@10, item before the last", ("valid_full_ndcg10",), percent),
        Column("nDCG@10, last item", ("full_ndcg10",), percent),
        Column("HR@10, last item", ("full_hr10",), percent),
    ]
    note = "Per cent, in the full catalogue; docs/serving.md says how it was measured."
    return Table("fold_in", "New users without training", frame, columns, note)


def start_from(folder: pathlib.Path) -> Table:
    """Epochs that a full retrain takes, and those of a run that starts from another."""
    frame = _read(folder / START_FROM, _START_FROM)
    frame["title"] = frame["model"].map(paper.model_title)
    columns = [
        text("Model", "title"),
        Column("Full retrain: best epoch", ("full_epoch",)),
        Column("its validation nDCG@10", ("full_valid_ndcg10",), percent),
        Column("Started from the first run: epochs to it", ("started_epoch",)),
        Column("validation nDCG@10 there", ("started_valid_ndcg10",), percent),
        Column("and at the first validation", ("started_first_valid_ndcg10",), percent),
    ]
    note = "Per cent; docs/operations.md says how it was measured."
    return Table("start_from", "Newer data", frame, columns, note)


def _read(path: pathlib.Path, fields: tuple[str, ...]) -> pd.DataFrame:
    """The measurements, without rows where there are none yet."""
    if not path.exists():
        return pd.DataFrame(columns=list(fields))
    return pd.read_csv(path)[list(fields)]
