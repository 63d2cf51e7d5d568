"""What a table of one's own wants to know: which model won, and for whom.

The models are held against popularity, which is what a shop has without any model.
Coverage and novelty are of the ten items that a model would show each user.
"""

import dataclasses

import pandas as pd
import tensorflow as tf
from absl import logging

from hyperml_tf.errors import InputError
from hyperml_tf.evaluation import metrics, protocol
from hyperml_tf.reproduction.reporting import (
    formats,
    result_frames,
    strata,
    tables,
    wording,
)
from hyperml_tf.reproduction.reporting.formats import Table
from hyperml_tf.reproduction.reporting.groups import Group
from hyperml_tf.reproduction.reporting.sources import Sources
from hyperml_tf.training import finished

K = 10


def _best(sources: Sources, dataset: str) -> Group:
    """The row with the best validation nDCG@10."""
    rows = sources.results.rows_of(dataset)
    return max(rows, key=lambda g: g.mean("valid_ndcg10"))


def table(sources: Sources, dataset: str, restore: bool) -> Table:
    """Every row on a dataset against popularity.

    Args:
        sources: what the report is made from.
        dataset: its key.
        restore: whether to restore models, which coverage and novelty need.
    """
    asked = result_frames.tests(sources.results, sources.significance)
    asked = asked[asked["dataset"] == dataset]
    against = result_frames.pairs(asked, "popularity", second="floor_")
    rows = []
    for group in sources.results.rows_of(dataset):
        row = {"model": group.title, "n": group.n, **result_frames.measured(group)}
        row["valid"] = group.mean("valid_ndcg10")
        rows.append(row | (_shown(sources, group) if restore else {}))
    frame = pd.DataFrame(rows).sort_values("valid", ascending=False)
    new = [name for name in against if name not in frame]
    frame = frame.merge(against[new], "left", left_on="model", right_on="one")
    words = {"dataset": dataset, "k": K, "restored": restore}
    found = tables.noted("own", frame.astype(object), **words)
    return dataclasses.replace(found, name=f"own_{dataset}")


def _shown(sources: Sources, group: Group) -> dict[str, float]:
    """Coverage and novelty of a configuration's first run, if it is here."""
    for run in sources.runs_of_group(group)[:1]:
        try:
            opened = finished.open_run(str(run.folder), str(sources.data_dir))
            data = opened[1]
            model = finished.restored(*opened)
            shown = protocol.full(model, data, "test", show=K).shown
            assert shown is not None
            return {
                "coverage": metrics.coverage(shown, data.num_items),
                "novelty": metrics.novelty(shown, data.train_item, data.num_users),
            }
        except (InputError, OSError, ValueError, tf.errors.OpError) as error:
            logging.warning("%s: no recommendations: %s", run.folder, error)
    return {}


def sentences(sources: Sources, dataset: str) -> list[str]:
    """Which model won, by how much, and for whom, in words."""
    best, floor = _best(sources, dataset), sources.results.row(dataset, "popularity")
    asked = result_frames.tests(sources.results, sources.significance)
    asked = asked[(asked["question"] == "popularity") & (asked["dataset"] == dataset)]
    tests = asked[asked["one"] == best.title].dropna(subset="difference")
    gains = [
        f"{formats.signed(test['difference'])} points of {test['metric_title']} "
        f"({formats.interval(test['low'], test['high'])})"
        for test in tests.to_dict("records")
    ]
    full = {
        side: formats.percent(group.mean("full_ndcg10"))
        for side, group in (("ours", best), ("theirs", floor or best))
    }
    groups = sources.strata[sources.strata["dataset"] == dataset]
    return wording.lines(
        "own.j2",
        best=best,
        dataset=dataset,
        gains=formats.listed(gains) if gains else "",
        ahead=bool((tests["difference"] > 0).all()),
        for_whom=_for_whom(groups) if gains and len(groups) else "",
        split=_split(sources, dataset),
        rules=_rules(sources, dataset),
        **full,
    )


def _split(sources: Sources, dataset: str) -> str:
    """How `prepare` split the dataset; "" for the last two items of each user."""
    return sources.stats.get(dataset, {}).get("split", "")


def _rules(sources: Sources, dataset: str) -> str:
    """What `prepare` was told to leave out of the table, in words."""
    told = sources.stats.get(dataset, {}).get("rules") or {}
    words = {
        "min_rating": "rows with a rating below {:g} are left out",
        "min_user": "users with fewer than {} items are left out",
        "min_item": "items with fewer than {} users are left out",
        "keep": "of repeated pairs the {} row is kept",
    }
    said = [words[name].format(told[name]) for name in words if name in told]
    return formats.listed(said) if said else ""


def _for_whom(groups: pd.DataFrame) -> str:
    parts = []
    for (*_, kind), least, most in strata.extremes(groups):
        for adjective, row in (("most", most), ("least", least)):
            whom = strata.WHOM[kind].format(row["label"])
            parts.append(
                f"{adjective} for {whom} ({formats.signed(row['difference'])})"
            )
    return formats.listed(parts)


def announced(sources: Sources) -> list[str]:
    """Lines for the terminal: who won, and how to export it."""
    lines = []
    for dataset in sources.own_datasets:
        lines += sentences(sources, dataset)[:3]
        for run in sources.runs_of_group(_best(sources, dataset))[:1]:
            shown = sources.runs_dir.joinpath(*run.folder.parts[-4:])
            export = f"hyperml_tf.export --run={shown} --output=export/{dataset}"
            if _split(sources, dataset).startswith("user"):
                # Nothing trained the rows of the users that are held out.
                export = f"hyperml_tf.train --all_data --like={shown}"
            lines.append(f"To export it: python -m {export}")
    return lines
