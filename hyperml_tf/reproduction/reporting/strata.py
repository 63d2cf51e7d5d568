"""One row against another by user activity and by item popularity.

Users are split into four groups by how many training interactions they have, and again
by how many the item has that was held out for them. In each group the two rows are
compared as in `comparisons`, paired over users: `run_configs/groups.csv`.
"""

import io
import itertools
import pathlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
from absl import logging

from hyperml_tf.data import prepared
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.evaluation import significance
from hyperml_tf.files import write_atomically
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.comparisons import RunsOf, configs
from hyperml_tf.reproduction.reporting.groups import Group, Results
from hyperml_tf.training.run_folder import Run

COLUMNS = (
    "dataset", "one", "other", "configs", "kind", "group", "label", "metric",
    "one_mean", "other_mean", "difference", "low", "high", "users", "seeds",
)  # fmt: skip
_GROUPS = 4
#: Metric -> the file of ranks that it is computed from.
_RANKS = {"ndcg10": "test_ranks.npy", "full_ndcg10": "test_full_ranks.npy"}


def pairs(results: Results, runs: RunsOf) -> Iterator[tuple[Group, Group]]:
    """What is compared on a dataset, among the rows whose runs are here.

    The best hyperbolic row on validation with the best Euclidean one on the test items;
    on a table of one's own, the best row on validation with popularity.
    """

    def here(group: Group) -> bool:
        return bool(runs.get((group.dataset, group.model, group.config_hash)))

    for dataset in results.datasets:
        main = [g for (of, _), g in results.main.items() if of == dataset and here(g)]
        models = [g for g in main if g.model != "popularity"]
        ball = [g for g in models if DEFINITIONS[g.model].hyperbolic]
        flat = [g for g in models if not DEFINITIONS[g.model].hyperbolic]
        if dataset not in paper.DATASET_TITLES:
            floor = [g for g in main if g.model == "popularity"]
            if models and floor:
                yield max(models, key=lambda g: g.mean("valid_ndcg10")), floor[0]
        elif ball and flat:
            first = max(ball, key=lambda g: g.mean("valid_ndcg10"))
            yield first, max(flat, key=lambda g: g.mean("ndcg10"))


def compare_all(results: Results, runs: RunsOf, data_dir: pathlib.Path) -> pd.DataFrame:
    """A row for each pair, kind of group, group and metric."""
    found = []
    for one, other in pairs(results, runs):
        try:
            data = prepared.load(one.dataset, str(data_dir))
            found += _compare(one, other, runs, data)
        except (InputError, OSError, ValueError) as error:
            logging.warning("%s: not compared by groups: %s", one.dataset, error)
    return pd.DataFrame(found, columns=list(COLUMNS))


def _compare(one: Group, other: Group, runs: RunsOf, data: Interactions) -> list[dict]:
    both = []
    for group in (one, other):
        key = group.dataset, group.model, group.config_hash
        both.append({run.seed: run for run in runs[key]})
    if any(
        run.environment.get("data_fingerprint") != data.fingerprint
        for run in itertools.chain(*(of.values() for of in both))
    ):
        raise InputError("the prepared data are not those of the runs")
    shared = sorted(both[0].keys() & both[1].keys())
    # A row without randomness has one run; every seed of the other is held against it.
    seeds = shared if DEFINITIONS[other.model].trains else sorted(both[0])
    found = []
    for metric, file in _RANKS.items():
        values = [
            _values([of.get(seed, of[min(of)]) for seed in seeds], file) for of in both
        ]
        for kind, counts in _counts(data).items():
            for place, (label, members) in enumerate(_quarters(counts, values[0])):
                ours, theirs = (value[members] for value in values)
                difference = (ours - theirs).round(12)
                low, high = significance.bootstrap_interval(difference)
                found.append(
                    {
                        "dataset": one.dataset, "one": one.title, "other": other.title,
                        "configs": configs(one, other), "kind": kind, "group": place,
                        "label": label, "metric": metric,
                        "one_mean": round(ours.mean(), 6),
                        "other_mean": round(theirs.mean(), 6),
                        "difference": round(difference.mean(), 6),
                        "low": round(low, 6), "high": round(high, 6),
                        "users": len(members), "seeds": len(seeds),
                    }
                )  # fmt: skip
    return found


def _values(runs: list[Run], file: str) -> np.ndarray:
    """[U] nDCG@10, mean over seeds; NaN for users without a held-out item."""
    ranks = [np.load(r.folder / file, allow_pickle=False).astype(float) for r in runs]
    value = significance.METRICS["ndcg10"]
    found = np.mean([value(rank) for rank in ranks], axis=0)
    return np.where(np.isnan(ranks).any(axis=0), np.nan, found)


def _counts(data: Interactions) -> dict[str, np.ndarray]:
    """Training interactions [U] of each user, and of the user's held-out item."""
    of_items = np.bincount(data.train_item, minlength=data.num_items)
    of_test = np.where(data.test_item >= 0, of_items[np.maximum(data.test_item, 0)], 0)
    return {"user": np.diff(data.row_splits), "item": of_test}


def _quarters(
    counts: np.ndarray, values: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """(label, users) of groups of about equal size, by rising count."""
    users = np.flatnonzero(~np.isnan(values))
    edges = np.quantile(counts[users], np.linspace(0, 1, _GROUPS + 1)[1:-1])
    place = np.searchsorted(np.unique(edges), counts[users], side="left")
    for group in np.unique(place):
        members = users[place == group]
        least, most = counts[members].min(), counts[members].max()
        yield (f"{least}" if least == most else f"{least}–{most}"), members


def merged(recorded: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Recorded rows, with those of newly compared datasets in their place.

    A comparison of fewer seeds does not take the place of a recorded one.
    """
    if recorded is None or recorded.empty:
        return new
    had, has = (rows.groupby("dataset")["seeds"].max() for rows in (recorded, new))
    better = [dataset for dataset in has.index if has[dataset] >= had.get(dataset, 0)]
    kept = recorded[~recorded["dataset"].isin(better)]
    return pd.concat([kept, new[new["dataset"].isin(better)]], ignore_index=True)


def read(path: pathlib.Path) -> pd.DataFrame:
    """The table at `path`; without rows if there is none yet."""
    try:
        return pd.read_csv(path)[list(COLUMNS)]
    except FileNotFoundError:
        return pd.DataFrame(columns=list(COLUMNS))
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path} is not a table of groups ({error}); restore it from git"
        ) from None


def write(path: pathlib.Path, rows: pd.DataFrame) -> None:
    """Writes the table atomically."""
    text = io.StringIO()
    rows.to_csv(text, index=False, lineterminator="\n")
    write_atomically(path, text.getvalue())
