"""The record of searches, `run_configs/searches.csv`: every candidate tried."""

import io
import json
import pathlib
from collections.abc import Sequence

import pandas as pd

from hyperml_tf.errors import InputError
from hyperml_tf.experiments.search import Candidate
from hyperml_tf.training.run_folder import write_atomically

COLUMNS = ("dataset", "model", "place", "epochs", "valid_ndcg10", "overrides")


def read(path: pathlib.Path) -> pd.DataFrame:
    """The table at `path`, best candidate of each search first; empty without one.

    `epochs` is where a candidate was left, `overrides` JSON.

    Raises:
        InputError: the file is not such a table.
    """
    try:
        return pd.read_csv(path)[list(COLUMNS)]
    except FileNotFoundError:
        return pd.DataFrame(columns=list(COLUMNS))
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is not a table of searches ({error})") from None


def add(
    path: pathlib.Path, dataset: str, name: str, candidates: Sequence[Candidate]
) -> None:
    """Puts a search in the table, in place of an earlier one of the same name.

    Args:
        path: the table.
        dataset: key.
        name: what was searched: a model, or `hyperml+`.
        candidates: best first.
    """
    rows = read(path)
    rows = rows[(rows["dataset"] != dataset) | (rows["model"] != name)]
    new = [
        {
            "dataset": dataset,
            "model": name,
            "place": place,
            "epochs": candidate.epochs,
            "valid_ndcg10": round(candidate.valid_ndcg10, 6),
            "overrides": json.dumps(dict(candidate.overrides)),
        }
        for place, candidate in enumerate(candidates, start=1)
    ]
    parts = [part for part in (rows, pd.DataFrame(new)) if len(part)]
    rows = pd.concat(parts).sort_values(["dataset", "model", "place"])
    text = io.StringIO()
    rows.to_csv(text, index=False, lineterminator="\n")
    write_atomically(path, text.getvalue())
