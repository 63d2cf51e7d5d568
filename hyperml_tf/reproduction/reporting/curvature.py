"""What curvature gains on a dataset beside how like a tree the dataset is."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from absl import logging
from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Drawing

from hyperml_tf.data import prepared
from hyperml_tf.errors import InputError
from hyperml_tf.reproduction import hyperbolicity
from hyperml_tf.reproduction.reporting import comparisons, paper
from hyperml_tf.reproduction.reporting.groups import Group, Results, sweep

#: Of `run_configs/hyperbolicity.csv`.
COLUMNS = ("dataset", "delta", "delta_std", "linked")
FILE = "hyperbolicity.csv"


class _Twin(NamedTuple):
    """What a hyperbolic model is held against, and how its gain is drawn.

    Attributes:
        title: of the difference.
        flat: the Euclidean model; None: the hyperbolic one at c = 0.
        colour: of a theme.
        marker: matplotlib's.
        aside: how far from the middle, so that no mark hides another.
    """

    title: str
    flat: str | None
    colour: str
    marker: str
    aside: float


_TWINS = {
    "hyperml": _Twin("HyperML − CML", "cml", "ball", "o", -0.12),
    "hyperml_softmax": _Twin(
        "HyperML, softmax − MF, softmax", "mf_softmax", "third", "s", 0.0
    ),
    "hyperbolic_mf": _Twin(
        "Hyperbolic MF − itself at c = 0", None, "fourth", "^", 0.12
    ),
}


def read(path: pathlib.Path) -> pd.DataFrame:
    """What was measured, from the file beside the record."""
    return comparisons.read_table(path, COLUMNS)


def measured(
    known: pd.DataFrame, datasets: Iterable[str], data_dir: pathlib.Path
) -> pd.DataFrame:
    """`known` with δ of those prepared datasets of the paper that it lacks."""
    rows = known.to_dict("records")
    have = set(known["dataset"])
    for dataset in datasets:
        if dataset in paper.TABLE1 and dataset not in have:
            try:
                data = prepared.load(dataset, data_dir)
            except InputError as error:
                logging.warning("%s: δ of its items not measured: %s", dataset, error)
                continue
            logging.info("%s: measuring how like a tree its items lie", dataset)
            found = hyperbolicity.of_items(data)._asdict()
            rows.append({"dataset": dataset, **{k: round(found[k], 4) for k in found}})
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(
        "dataset", key=lambda names: names.map(paper.dataset_order), ignore_index=True
    )


def gains(results: Results, known: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset: δ, and what each hyperbolic model gains over its twin.

    `ndcg10_hyperml` is the mean of HyperML minus that of its twin, and
    `ndcg10_hyperml_wide` half of its 95 % interval over seeds, both sides' together.
    """
    found = []
    for row in known.to_dict("records"):
        where = paper.dataset_title(row["dataset"])
        found.append({"where": where, **row, **_gains_on(results, row["dataset"])})
    return pd.DataFrame(found)


def _gains_on(results: Results, dataset: str) -> dict[str, float]:
    found = {}
    for curved, twin in _TWINS.items():
        one = results.row(dataset, curved)
        other = results.row(dataset, twin.flat) if twin.flat else _at_zero(results, one)
        if one is None or other is None:
            continue
        for metric in ("ndcg10", "full_ndcg10"):
            key = f"{metric}_{curved}"
            found[key] = one.mean(metric) - other.mean(metric)
            wide = one.half_width(metric), other.half_width(metric)
            found[f"{key}_wide"] = float(np.hypot(*wide))
    return found


def _at_zero(results: Results, group: Group | None) -> Group | None:
    return sweep(results.groups, group, "c").get(0.0) if group else None


def draw(
    frame: pd.DataFrame, rankings: Mapping[str, str], theme: Mapping[str, str]
) -> Drawing | None:
    """Gains in nDCG@10 on datasets in order of δ, a panel for each ranking.

    Args:
        frame: of `gains`.
        rankings: metric -> how items were ranked.
        theme: colours.
    """
    if frame.empty or "ndcg10_hyperml" not in frame:
        return None
    frame = frame.sort_values("delta", ignore_index=True)
    labels = [f"{row.where}\n{row.delta:.2f}" for row in frame.itertuples()]
    drawing, panels = plt.subplots(1, len(rankings), figsize=(9.4, 3.6))
    for axes, (metric, ranked) in zip(panels, rankings.items(), strict=True):
        for curved, twin in _TWINS.items():
            key = f"{metric}_{curved}"
            if key in frame:
                axes.errorbar(
                    frame.index + twin.aside, 100 * frame[key],
                    yerr=100 * frame[f"{key}_wide"], fmt=twin.marker,
                    color=theme[twin.colour], label=twin.title, markersize=5,
                )  # fmt: skip
        axes.axhline(0, color=theme["soft"], linewidth=1)
        axes.set_xticks(frame.index, labels, fontsize=8)
        axes.set(title=ranked, xlabel="dataset, and δ of the graph of its items")
    panels[0].set_ylabel("gain in nDCG@10, points")
    handles = panels[0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside lower center", ncols=3)
    return drawing
