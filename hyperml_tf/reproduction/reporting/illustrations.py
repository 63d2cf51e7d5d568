"""Figures of the report from recorded numbers, with the words under them."""

import json
import pathlib

import matplotlib.pyplot as plt
from matplotlib.figure import Figure as Drawing

from hyperml_tf.reproduction import FOLDER
from hyperml_tf.reproduction.reporting import (
    figures,
    formats,
    paper,
    pictures,
    result_frames,
)
from hyperml_tf.reproduction.reporting.figures import BLUE, GREY, VERMILLION, Figure
from hyperml_tf.reproduction.reporting.groups import Results
from hyperml_tf.reproduction.reporting.sources import Sources

_SYMBOLS = {"c": "c", "distortion_weight": "γ"}


def convergence(sources: Sources, folder: pathlib.Path) -> list[Figure]:
    """One figure for each trained model on each dataset."""
    drawn = []
    results = sources.results
    for (dataset, name), _ in results.main.items():
        runs = sources.runs_of(dataset, name)
        if not runs or dataset not in results.datasets:
            continue
        title = f"{name.title} on {paper.dataset_title(dataset)}"
        printed = {} if name.beyond else results.published(dataset, name.model)
        drawing = figures.convergence(runs, title, printed)
        if drawing is None:
            continue
        norms = " and norms in units of the radius" if drawing.axes[2:] else ""
        caption = (
            f"Training loss, metrics on the validation items{norms} by epoch; "
            f"{figures.epochs_of(runs)}. The line is the mean, the band one sample "
            "standard deviation, and each seed is faint."
        )
        file, heading = f"convergence_{dataset}_{name}", f"Convergence of {title}"
        drawn.append(figures.save(drawing, folder, file, heading, caption))
    return drawn


def swept(sources: Sources, folder: pathlib.Path) -> list[Figure]:
    """Fig. 4, and Table 4 as a figure."""
    drawn = []
    for field, number in (("distortion_weight", "figure4"), ("c", "table4")):
        for dataset in result_frames.swept(sources.results, field):
            symbol, where = _SYMBOLS[field], paper.dataset_title(dataset)
            title = f"HyperML on {where} by {symbol}"
            caption = (
                f"Test metrics of HyperML as {symbol} alone changes. Bars are 95 % "
                "intervals over seeds; CML, the better of its two variants on "
                "validation, is a level."
            )
            if field == "distortion_weight" and dataset in paper.FIGURE4_BEST:
                caption += (
                    f" In the paper γ = {paper.FIGURE4_BEST[dataset]:g} is best, and "
                    f"γ = 0 is {paper.FIGURE4_FALL[dataset]} % below CML's nDCG@10."
                )
            prefix = "Fig. 4" if field != "c" else "Table 4 drawn"
            drawing = sweep(sources.results, dataset, field)
            file = f"{number}_{dataset}"
            drawn.append(
                figures.save(drawing, folder, file, f"{prefix}: {title}", caption)
            )
    return drawn


def sweep(results: Results, dataset: str, field: str) -> Drawing:
    """nDCG@10 and HR@10 of HyperML by the swept value, with CML as a level."""
    table = result_frames.sweeps(results, field)
    table = table[table["dataset"] == dataset].astype({"value": float})
    cml = results.of(dataset, "cml")
    drawing, panels = plt.subplots(1, 2, figsize=(8, 3.5))
    for axes, (metric, name) in zip(panels, formats.METRICS.items(), strict=True):
        wide = [
            100 * pictures.half_width(std, n)
            for std, n in zip(table[f"{metric}_std"], table["n"], strict=True)
        ]
        axes.errorbar(
            table["value"], 100 * table[metric].astype(float), yerr=wide,
            color=BLUE, marker="o", markersize=4, linewidth=1.4, label="HyperML",
        )  # fmt: skip
        if cml is not None:
            axes.axhline(100 * cml.mean(metric), color=VERMILLION, label=cml.title)
        if field == "c" and paper.TABLE4_METRIC.get(dataset) == metric:
            printed = paper.TABLE4[dataset]
            axes.plot(
                list(printed), list(printed.values()), color=GREY, linestyle="--",
                marker="x", markersize=4, label="HyperML, paper (Table 4)",
            )  # fmt: skip
        if field == "c" and min(table["value"]) > 0:
            axes.set_xscale("log", base=2)
            axes.set_xticks(
                table["value"].tolist(), [f"{value:g}" for value in table["value"]]
            )
        axes.set(xlabel=f"{_SYMBOLS[field]} (no unit)", ylabel="per cent", title=name)
        axes.margins(y=0.25)
        figures.legend_below(axes)
    drawing.suptitle(f"HyperML on {paper.dataset_title(dataset)} by {_SYMBOLS[field]}")
    return drawing


_PICTURES = {
    "paper": (
        "Ours against the paper's",
        "nDCG@10 of every row, with 95 % intervals over seeds; hollow marks are the "
        "paper's Tables 2 and 3.",
    ),
    "sweeps": (
        "HyperML by dimension and curvature",
        "nDCG@10 among 100 sampled negatives, with 95 % intervals over seeds. All "
        "other settings are those of the model's own row.",
    ),
    "groups": (
        "For whom: by user activity and item popularity",
        "Differences in nDCG@10 for four groups of users by how many training "
        "interactions they have, and by how many their held-out item has, with 95 % "
        "intervals over the users of the group.",
    ),
    "speed": (
        "Speed of a training step by rows",
        "One core, d = 64, batches of 512; the peers are other programs that do the "
        "same step.",
    ),
}


def pictured(sources: Sources, folder: pathlib.Path, name: str) -> list[Figure]:
    """A picture of the documents as a figure of the report, if it shows something."""
    of_results = sources.strata["dataset"].isin(sources.results.datasets)
    benchmarks = FOLDER / "benchmarks.jsonl"
    lines = benchmarks.read_text().splitlines() if name == "speed" else []
    shown = pictures.Shown(
        sources.results,
        result_frames.tests(sources.results, sources.significance),
        sources.strata[of_results],
        [json.loads(line) for line in lines],
    )
    drawing = pictures.PICTURES[name][0](shown, pictures.THEMES["light"])
    if drawing is None:
        return []
    return [figures.save(drawing, folder, f"picture_{name}", *_PICTURES[name])]
