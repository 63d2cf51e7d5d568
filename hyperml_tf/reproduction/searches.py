"""The record of searches, `run_configs/searches.csv`: every candidate tried."""

import io
import json
import pathlib
from collections.abc import Sequence

import pandas as pd

from hyperml_tf.errors import InputError
from hyperml_tf.files import write_atomically
from hyperml_tf.reproduction.halving import Candidate

COLUMNS = (
    *("dataset", "model", "place", "epochs", "valid_ndcg10", "overrides"),
    "select_by",
)
# What tells searches apart.
_SEARCH = ["dataset", "model", "select_by"]


def read(path: pathlib.Path) -> pd.DataFrame:
    """The table at `path`, best candidate of each search first; empty without one.

    `epochs` is where a candidate was left, `overrides` JSON; `valid_ndcg10` is that of
    the ranking that `select_by` says.

    Raises:
        InputError: the file is not such a table.
    """
    try:
        rows = pd.read_csv(path)
        if "select_by" not in rows:  # all were, before there was another
            rows["select_by"] = "ndcg10"
        return rows[list(COLUMNS)]
    except FileNotFoundError:
        return pd.DataFrame(columns=list(COLUMNS))
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is not a table of searches ({error})") from None


def add(
    path: pathlib.Path,
    dataset: str,
    name: str,
    candidates: Sequence[Candidate],
    select_by: str = "ndcg10",
) -> None:
    """Adds a search to the table, to earlier ones of the same name.

    Those that were trained longest come first, and of these the best on validation. Of
    equal candidates the one added last counts.

    Args:
        path: the table.
        dataset: key.
        name: what was searched: a model, or `hyperml+`.
        candidates: of the search.
        select_by: the config's; a search by another ranking is another search.
    """
    new = [
        {
            "dataset": dataset,
            "model": name,
            "epochs": candidate.epochs,
            "valid_ndcg10": round(candidate.valid_ndcg10, 6),
            "overrides": json.dumps(dict(candidate.overrides)),
            "select_by": select_by,
        }
        for candidate in candidates
    ]
    recorded = read(path)
    same = recorded[_SEARCH] == [dataset, name, select_by]
    of_name = same.all(axis="columns")
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
    rows = rows[list(COLUMNS)].sort_values([*_SEARCH, "place"])
    text = io.StringIO()
    rows.to_csv(text, index=False, lineterminator="\n")
    write_atomically(path, text.getvalue())
