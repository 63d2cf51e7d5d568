"""The record of searches, `run_configs/searches.csv`: every candidate tried."""

import io
import json
import pathlib
from collections.abc import Sequence

import pandas as pd

from hyperml_tf.errors import InputError
from hyperml_tf.files import write_atomically
from hyperml_tf.reproduction.halving import Candidate

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
    """Adds a search to the table, to earlier ones of the same name.

    Those that were trained longest come first, and of these the best on validation. Of
    equal candidates the one added last counts.

    Args:
        path: the table.
        dataset: key.
        name: what was searched: a model, or `hyperml+`.
        candidates: of the search.
    """
    new = [
        {
            "dataset": dataset,
            "model": name,
            "epochs": candidate.epochs,
            "valid_ndcg10": round(candidate.valid_ndcg10, 6),
            "overrides": json.dumps(dict(candidate.overrides)),
        }
        for candidate in candidates
    ]
    recorded = read(path)
    of_name = (recorded["dataset"] == dataset) & (recorded["model"] == name)
    tried = pd.concat(
        [part for part in (recorded[of_name], pd.DataFrame(new)) if len(part)]
    )
    points = tried["overrides"].map(
        lambda text: tuple(sorted(json.loads(text).items()))
    )
    tried = tried[~points.duplicated(keep="last")]
    tried = tried.sort_values(
        ["epochs", "valid_ndcg10"], ascending=False, kind="stable"
    )
    tried["place"] = range(1, len(tried) + 1)
    rows = pd.concat([part for part in (recorded[~of_name], tried) if len(part)])
    rows = rows[list(COLUMNS)].sort_values(["dataset", "model", "place"])
    text = io.StringIO()
    rows.to_csv(text, index=False, lineterminator="\n")
    write_atomically(path, text.getvalue())
