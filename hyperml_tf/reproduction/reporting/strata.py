"""One row against another by user activity and by item popularity.

Users are split into four groups by how many training interactions they have, and again
by how many the item has that was held out for them. In each group the two rows are
compared as in `comparisons`, paired over users: `run_configs/groups.csv`.
"""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from absl import logging

from hyperml_tf.data import prepared
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.evaluation import metrics, significance
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction.reporting import comparisons, paper
from hyperml_tf.reproduction.reporting.comparisons import RunsOf
from hyperml_tf.reproduction.reporting.groups import Group, Results
from hyperml_tf.training.run_folder import Run

COLUMNS = (
    "dataset", "one", "other", "configs", "kind", "group", "label", "metric",
    "one_mean", "other_mean", "difference", "low", "high", "users", "seeds",
)  # fmt: skip
_GROUPS = 4
#: Kind of group -> its users in words, before and after the group's label.
WHOM = {
    "user": "users with {} training interactions",
    "item": "users whose held-out item has {} training interactions",
}
#: Metric -> the file of ranks that it is computed from.
_RANKS = {"ndcg10": "test_ranks.npy", "full_ndcg10": "test_full_ranks.npy"}


def _pairs(results: Results, runs: RunsOf) -> Iterator[tuple[Group, Group]]:
    """What is compared on a dataset, among the rows whose runs are here.

    The best hyperbolic row on validation with the best Euclidean one on the test items;
    on a table of one's own, the best row on validation with popularity.
    """
    for dataset in results.datasets:
        here = [
            g
            for g in results.rows_of(dataset)
            if runs.get((g.dataset, g.model, g.config_hash))
        ]
        here.sort(key=lambda g: g.mean("valid_ndcg10"), reverse=True)
        models = [g for g in here if g.model != "popularity"]
        if dataset in paper.DATASET_TITLES:
            first = [g for g in models if DEFINITIONS[g.model].hyperbolic]
            second = [g for g in models if not DEFINITIONS[g.model].hyperbolic]
            second.sort(key=lambda g: g.mean("ndcg10"), reverse=True)
        else:
            first, second = models, [g for g in here if g.model == "popularity"]
        if first and second:
            yield first[0], second[0]


def compare_all(results: Results, runs: RunsOf, data_dir: pathlib.Path) -> pd.DataFrame:
    """A row for each pair, kind of group, group and metric."""
    found = [pd.DataFrame(columns=list(COLUMNS))]
    for one, other in _pairs(results, runs):
        try:
            data = prepared.load(one.dataset, str(data_dir))
            found.append(_compare(one, other, runs, data))
        except (InputError, OSError, ValueError) as error:
            logging.warning("%s: not compared by groups: %s", one.dataset, error)
    return pd.concat([part for part in found if len(part)] or found)


def _compare(
    one: Group, other: Group, runs: RunsOf, data: Interactions
) -> pd.DataFrame:
    both = comparisons.paired(one, other, runs)
    if {run.environment.get("data_fingerprint") for run in both[0]} - {
        data.fingerprint
    }:
        raise InputError("the prepared data are not those of the runs")
    found = []
    for metric, file in _RANKS.items():
        ours, theirs = (_values(side, file) for side in both)
        for kind, counts in _counts(data).items():
            for group, (label, users) in enumerate(_quarters(counts, ours)):
                difference = (ours[users] - theirs[users]).round(12)
                low, high = significance.bootstrap_interval(difference)
                means = ours[users].mean(), theirs[users].mean(), difference.mean()
                row = (kind, group, label, metric, *means, low, high, len(users))
                found.append(row)
    frame = pd.DataFrame(found, columns=list(COLUMNS[4:-1])).round(6)
    return frame.assign(
        dataset=one.dataset, one=one.title, other=other.title,
        configs=comparisons.configs(one, other), seeds=len(both[0]),
    )[list(COLUMNS)]  # fmt: skip


def _values(runs: Sequence[Run], file: str) -> np.ndarray:
    """[U] nDCG@10, mean over seeds; NaN for users without a held-out item."""
    ranks = np.stack([comparisons.ranks_of(run, file) for run in runs])
    found = metrics.ndcg(ranks, 10).mean(axis=0)
    return np.where(np.isnan(ranks).any(axis=0), np.nan, found)


def _counts(data: Interactions) -> dict[str, np.ndarray]:
    """Interactions [U] that each user is ranked by, and the held-out item has."""
    of_items = np.bincount(data.train_item, minlength=data.num_items)
    of_test = np.where(data.test_item >= 0, of_items[np.maximum(data.test_item, 0)], 0)
    of_users = np.diff(data.row_splits)
    of_users = of_users + np.bincount(data.history_user, minlength=data.num_users)
    return {"user": of_users, "item": of_test}


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


def extremes(
    rows: pd.DataFrame,
) -> Iterator[tuple[tuple[str, str, str, str], pd.Series, pd.Series]]:
    """(dataset, one, other, kind), and its groups of least and greatest difference.

    In nDCG@10 among sampled negatives.
    """
    of_metric = rows[rows["metric"] == "ndcg10"]
    for key, part in of_metric.groupby(["dataset", "one", "other", "kind"], sort=False):
        yield (
            key,
            part.loc[part["difference"].idxmin()],
            part.loc[part["difference"].idxmax()],
        )


def merged(recorded: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Recorded rows, with those of newly compared datasets in their place.

    A comparison of fewer seeds does not take the place of a recorded one.
    """
    if recorded.empty:
        return new
    had, has = (rows.groupby("dataset")["seeds"].max() for rows in (recorded, new))
    better = [dataset for dataset in has.index if has[dataset] >= had.get(dataset, 0)]
    kept = recorded[~recorded["dataset"].isin(better)]
    rows = pd.concat([kept, new[new["dataset"].isin(better)]], ignore_index=True)
    order = rows["dataset"].map(paper.dataset_order)
    return rows.iloc[order.argsort(kind="stable")]
