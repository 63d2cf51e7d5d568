"""Sweeps of one setting of HyperML against CML: Table 4 (c) and Fig. 4 (γ)."""

from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Drawing

from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.figures import (
    BLUE,
    GREY,
    VERMILLION,
    legend_below,
)
from hyperml_tf.reproduction.reporting.groups import Group, Results, sweep
from hyperml_tf.reproduction.reporting.result_tables import METRIC_TITLES

SYMBOLS = {"c": "c", "distortion_weight": "γ"}


def of_field(results: Results, field: str) -> dict[str, dict[float, Group]]:
    """Dataset -> value -> group, where HyperML was run with two values or more."""
    found = {}
    for dataset in results.datasets:
        centre = results.row(dataset, "hyperml")
        if centre is None or field not in centre.config:
            continue
        values = sweep(results.groups, centre, field)
        if len(values) > 1:
            found[dataset] = values
    return found


def draw(
    values: Mapping[float, Group],
    cml: Group | None,
    field: str,
    title: str,
) -> Drawing:
    """nDCG@10 and HR@10 by the swept value, with CML as a level.

    Args:
        values: value -> group.
        cml: the group to compare with, if it was run.
        field: the swept field of the config.
        title: names dataset and model.
    """
    drawing, panels = plt.subplots(1, 2, figsize=(8, 3.5))
    x = np.array(list(values))
    dataset = next(iter(values.values())).dataset
    for axes, (metric, name) in zip(panels, METRIC_TITLES.items(), strict=True):
        means = 100 * np.array([group.mean(metric) for group in values.values()])
        stds = 100 * np.array([group.std(metric) for group in values.values()])
        axes.errorbar(
            x, means, yerr=stds, color=BLUE, marker="o", markersize=4,
            capsize=3, linewidth=1.4, label="HyperML",
        )  # fmt: skip
        for value, group in values.items():
            seeds = 100 * group.rows[metric]
            axes.plot([value] * group.n, seeds, ".", color=BLUE, alpha=0.3)
        if cml is not None:
            level = 100 * cml.mean(metric)
            axes.axhline(
                level,
                color=VERMILLION,
                linewidth=1.4,
                label=paper.model_title(cml.model),
            )
            if cml.n > 1:
                spread = 100 * cml.std(metric)
                axes.axhspan(
                    level - spread, level + spread, color=VERMILLION, alpha=0.15,
                    linewidth=0,
                )  # fmt: skip
        if field == "c" and paper.TABLE4_METRIC.get(dataset) == metric:
            printed = paper.TABLE4[dataset]
            axes.plot(
                list(printed), list(printed.values()), color=GREY, linestyle="--",
                marker="x", markersize=4, label="HyperML, paper (Table 4)",
            )  # fmt: skip
        if field == "c" and min(x) > 0:
            axes.set_xscale("log", base=2)
            axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.set(xlabel=f"{SYMBOLS[field]} (no unit)", ylabel="per cent", title=name)
        axes.margins(y=0.25)
        legend_below(axes)
    drawing.suptitle(title, fontsize=11)
    return drawing
