"""What a table of one's own wants to know: which model won, and for whom.

The models are held against popularity, which is what a shop has without any model.
Coverage and novelty are of the ten items that a model would show each user.
"""

import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import tensorflow as tf
from absl import logging

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.models.base import Recommender
from hyperml_tf.reproduction.reporting import formats, result_frames
from hyperml_tf.reproduction.reporting.formats import Column, Table, mean, text
from hyperml_tf.reproduction.reporting.groups import Group
from hyperml_tf.reproduction.reporting.sources import Sources
from hyperml_tf.training import finished

K = 10
# Users scored at a time: [256, 50,000] floats are 51 MB.
_BLOCK = 256


def recommended(model: Recommender, data: Interactions, k: int = K) -> np.ndarray:
    """The k items [N, k] that each user with a held-out item would be shown.

    Training and validation items of the user are left out, as in the test.
    """
    users = np.flatnonzero(data.test_item >= 0)
    found = []
    for start in range(0, len(users), _BLOCK):
        block = users[start : start + _BLOCK]
        scores = np.array(model.score_all(tf.constant(block, tf.int32)))
        for line, user in zip(scores, block, strict=True):
            own = slice(data.row_splits[user], data.row_splits[user + 1])
            line[data.train_item[own]] = -np.inf
            line[data.valid_item[user]] = -np.inf
        found.append(np.argsort(-scores, axis=1, kind="stable")[:, :k])
    return np.concatenate(found)


def coverage(items: np.ndarray, num_items: int) -> float:
    """Share of the catalogue that somebody is shown."""
    return len(np.unique(items)) / num_items


def novelty(items: np.ndarray, data: Interactions) -> float:
    """Mean surprise of what is shown, in bits: -log2 of the share of users with it.

    An item without training interactions counts as one that a single user has.
    """
    counts = np.bincount(data.train_item, minlength=data.num_items)
    share = np.maximum(counts, 1) / data.num_users
    return float(-np.log2(share)[items].mean())


def winner(sources: Sources, dataset: str) -> Group:
    """The row with the best validation nDCG@10."""
    rows = [g for (of, _), g in sources.results.main.items() if of == dataset]
    return max(rows, key=lambda g: g.mean("valid_ndcg10"))


def folder(sources: Sources, group: Group) -> pathlib.Path | None:
    """The run to export: that of its first seed."""
    runs = sources.runs.get((group.dataset, group.model, group.config_hash), ())
    return min(runs, key=lambda run: run.seed).folder if runs else None


def table(sources: Sources, dataset: str, restore: bool) -> Table:
    """Every row on a dataset against popularity.

    Args:
        sources: what the report is made from.
        dataset: its key.
        restore: whether to restore models, which coverage and novelty need.
    """
    results = sources.results
    asked = result_frames.tests(results, sources.significance)
    against = asked[asked["question"] == "popularity"].to_dict("records")
    tests = {(id(t["first"]), t["metric"]): t for t in against}
    rows = []
    for (of, _), group in results.main.items():
        if of != dataset:
            continue
        row = {"model": group.title, "n": group.n, **result_frames.measured(group)}
        for metric in formats.METRICS:
            test = tests.get((id(group), metric), {})
            for key in ("difference", "low", "high"):
                row[f"{metric}_{key}"] = test.get(key)
        if restore:
            row |= _shown(sources, group)
        rows.append(row | {"valid": group.mean("valid_ndcg10")})
    columns = [text("Model", "model"), Column("n", ("n",))]
    for key, title in formats.METRICS.items():
        columns += [mean(title, key), *formats.tested(f"{key}_", "over popularity")]
    columns.append(mean("nDCG@10, full catalogue", "full_ndcg10"))
    if restore:
        columns.append(Column("Coverage %", ("coverage",), formats.percent))
        columns.append(Column("Novelty, bits", ("novelty",), _one_digit))
    frame = pd.DataFrame(rows).sort_values("valid", ascending=False).astype(object)
    note = (
        "Per cent on held-out items, among 100 sampled negatives or in the full "
        "catalogue; differences in percentage points, with 95 % intervals over users. "
        "The best model on validation stands first."
    )
    if restore:
        note += (
            f" Coverage is the share of the catalogue that is among somebody's {K} "
            f"recommended items. Novelty is how rare those {K} are: the mean of -log2 "
            "of the share of users who have the item."
        )
    return Table(f"own_{dataset}", f"Models on {dataset}", frame, columns, note)


def _one_digit(value: float | None) -> str:
    return formats.BLANK if formats.absent(value) else f"{value:.1f}"


def _shown(sources: Sources, group: Group) -> dict[str, float]:
    run = folder(sources, group)
    if run is None:
        return {}
    try:
        opened = finished.open_run(str(run), str(sources.data_dir))
        data = opened[1]
        items = recommended(finished.restored(*opened), data)
    except (InputError, OSError, ValueError, tf.errors.OpError) as error:
        logging.warning("%s: its recommendations are not known: %s", run, error)
        return {}
    return {
        "coverage": coverage(items, data.num_items), "novelty": novelty(items, data)
    }  # fmt: skip


def sentences(sources: Sources, dataset: str) -> list[str]:
    """Which model won, by how much, and for whom, in words."""
    best = winner(sources, dataset)
    found = [f"{best.title} is the best model on {dataset} by validation."]
    if best.model == "popularity":
        return [*found, "No other model is better on validation."]
    asked = result_frames.tests(sources.results, sources.significance)
    gains = [
        f"{formats.signed(test['difference'])} points of {test['metric_title']} "
        f"({formats.interval(test['low'], test['high'])})"
        for test in asked[asked["question"] == "popularity"].to_dict("records")
        if test["first"] is best and not formats.absent(test["difference"])
    ]
    floor = sources.results.row(dataset, "popularity")
    if floor is None or not gains:
        return [*found, "Train popularity too, to see what the model adds to it."]
    ours, theirs = (formats.percent(g.mean("full_ndcg10")) for g in (best, floor))
    found += [
        "Among sampled negatives it is ahead of popularity by "
        f"{formats.listed(gains)}.",
        f"In the full catalogue its nDCG@10 is {ours} per cent, popularity's {theirs}.",
    ]
    groups = sources.strata[sources.strata["dataset"] == dataset]
    return [*found, _for_whom(groups)] if len(groups) else found


def _for_whom(groups: pd.DataFrame) -> str:
    parts = []
    of_metric = groups[groups["metric"] == "ndcg10"]
    words = {
        "user": "users with {} interactions",
        "item": "users whose held-out item has {} interactions",
    }
    for kind, part in of_metric.groupby("kind", sort=False):
        part = part.reset_index(drop=True)
        most, least = part["difference"].idxmax(), part["difference"].idxmin()
        parts += [
            f"{adjective} for {words[str(kind)].format(part['label'][row])} "
            f"({formats.signed(part['difference'][row])})"
            for adjective, row in (("most", most), ("least", least))
        ]
    return f"Of nDCG@10 it gains {formats.listed(parts)}."


def announced(sources: Sources, datasets: Sequence[str]) -> list[str]:
    """Lines for the terminal: who won, and how to export it."""
    lines = []
    for dataset in datasets:
        lines += sentences(sources, dataset)[:3]
        run = folder(sources, winner(sources, dataset))
        if run is not None:
            shown = sources.runs_dir.joinpath(*run.parts[-4:])
            lines.append(f"Its run, for --run= of hyperml_tf.export: {shown}")
    return lines
