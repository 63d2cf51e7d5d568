"""What curvature gains on a dataset beside how like a tree the dataset is."""

import pathlib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
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
#: A hyperbolic model and its Euclidean twin; None: itself at c = 0.
_TWINS = {
    "HyperML − CML": ("hyperml", "cml"),
    "HyperML, softmax − MF, softmax": ("hyperml_softmax", "mf_softmax"),
    "Hyperbolic MF − itself at c = 0": ("hyperbolic_mf", None),
}
_MARKS = (("ball", "o"), ("third", "s"), ("fourth", "^"))
_ASIDE = 0.12  # from each other, so that no mark hides another


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
            except InputError:
                continue
            found = hyperbolicity.of_items(data)._asdict()
            rows.append({"dataset": dataset, **{k: round(found[k], 4) for k in found}})
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(
        "dataset", key=lambda names: names.map(paper.dataset_order), ignore_index=True
    )


def gains(results: Results, known: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset: δ, and what each hyperbolic model gains over its twin.

    `ndcg10_0` is the difference of the means of the first of the twins, and
    `ndcg10_0_wide` half of its 95 % interval over seeds, both sides' taken together.
    """
    found = []
    for row in known.to_dict("records"):
        where = paper.dataset_title(row["dataset"])
        found.append({"where": where, **row, **_gains_on(results, row["dataset"])})
    return pd.DataFrame(found)


def _gains_on(results: Results, dataset: str) -> dict[str, float]:
    found = {}
    for number, (curved, flat) in enumerate(_TWINS.values()):
        one = results.row(dataset, curved)
        other = results.row(dataset, flat) if flat else _at_zero(results, one)
        if one is None or other is None:
            continue
        for metric in ("ndcg10", "full_ndcg10"):
            key = f"{metric}_{number}"
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
    if frame.empty or "ndcg10_0" not in frame:
        return None
    frame = frame.sort_values("delta", ignore_index=True)
    labels = [f"{row.where}\n{row.delta:.2f}" for row in frame.itertuples()]
    drawing, panels = plt.subplots(1, len(rankings), figsize=(9.4, 3.6))
    for axes, (metric, ranked) in zip(panels, rankings.items(), strict=True):
        for number, (title, (colour, marker)) in enumerate(
            zip(_TWINS, _MARKS, strict=True)
        ):
            key = f"{metric}_{number}"
            if key in frame:
                axes.errorbar(
                    frame.index + _ASIDE * (number - 1), 100 * frame[key],
                    yerr=100 * frame[f"{key}_wide"], fmt=marker, color=theme[colour],
                    label=title, markersize=5,
                )  # fmt: skip
        axes.axhline(0, color=theme["soft"], linewidth=1)
        axes.set_xticks(frame.index, labels, fontsize=8)
        axes.set(title=ranked, xlabel="dataset, and δ of the graph of its items")
    panels[0].set_ylabel("gain in nDCG@10, points")
    handles = panels[0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside lower center", ncols=3)
    return drawing
