"""Figures of the report from recorded numbers: convergence, sweeps, the pictures."""

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

_SYMBOLS = {"distortion_weight": "γ", "c": "c"}


def drawn(sources: Sources, folder: pathlib.Path) -> dict[str, list[Figure]]:
    """The figures by section of the page; only groups and convergence for one's own."""
    shown = ("paper", "sweeps", "speed") if sources.of_paper else ()
    found = {name: _picture(sources, folder, name) for name in ("groups", *shown)}
    found["convergence"] = _convergence(sources, folder)
    if sources.of_paper:
        found["sweeps"] += _swept(sources, folder)
    return found


def _convergence(sources: Sources, folder: pathlib.Path) -> list[Figure]:
    """One figure for each trained model on each dataset."""
    found = []
    results = sources.results
    for dataset, name in results.main:
        runs = sources.runs_of(dataset, name)
        if not runs or dataset not in results.datasets:
            continue
        printed = {} if name.beyond else results.published(dataset, name.model)
        drawing = figures.convergence(runs, printed)
        if drawing is None:
            continue
        words = {
            "title": f"{name.title} on {paper.dataset_title(dataset)}",
            "norms": bool(drawing.axes[2:]),
            "epochs": figures.epochs_of(runs),
        }
        file = f"convergence_{dataset}_{name}"
        found.append(figures.save(drawing, folder, file, "convergence", **words))
    return found


def _swept(sources: Sources, folder: pathlib.Path) -> list[Figure]:
    """Fig. 4, and Table 4 as a figure."""
    found = []
    for field, symbol in _SYMBOLS.items():
        for dataset in result_frames.swept(sources.results, field):
            best = paper.FIGURE4_BEST.get(dataset) if symbol == "γ" else None
            words = {
                "symbol": symbol,
                "where": paper.dataset_title(dataset),
                "best": best and f"{best:g}",
                "fall": paper.FIGURE4_FALL.get(dataset),
            }
            drawing = sweep(sources.results, dataset, field)
            file = f"sweep_{field}_{dataset}"
            found.append(figures.save(drawing, folder, file, "sweep", **words))
    return found


def sweep(results: Results, dataset: str, field: str) -> Drawing:
    """nDCG@10 and HR@10 of HyperML by the swept value, with CML as a level."""
    table = result_frames.sweeps(results, field)
    table = table[table["dataset"] == dataset]
    cml = results.of(dataset, "cml")
    drawing, panels = plt.subplots(1, 2, figsize=(8, 3.5))
    for axes, (metric, name) in zip(panels, formats.METRICS.items(), strict=True):
        pictures.line(axes, table, "value", metric, BLUE, "HyperML")
        if cml is not None:
            axes.axhline(100 * cml.mean(metric), color=VERMILLION, label=cml.title)
        if field == "c" and paper.TABLE4_METRIC.get(dataset) == metric:
            printed = paper.TABLE4[dataset]
            axes.plot(
                list(printed), list(printed.values()), color=GREY, linestyle="--",
                marker="x", markersize=4, label="HyperML, paper (Table 4)",
            )  # fmt: skip
        axes.set(xlabel=f"{_SYMBOLS[field]} (no unit)", ylabel="per cent", title=name)
        axes.margins(y=0.25)
        figures.legend_below(axes)
    return drawing


def _picture(sources: Sources, folder: pathlib.Path, name: str) -> list[Figure]:
    """A picture of the documents as a figure of the report, if it shows something."""
    of_results = sources.strata["dataset"].isin(sources.results.datasets)
    benchmarks = (FOLDER / "benchmarks.jsonl").read_text().splitlines()
    shown = pictures.Shown(
        sources.results,
        result_frames.tests(sources.results, sources.significance),
        sources.strata[of_results],
        [json.loads(line) for line in benchmarks],
    )
    drawing = pictures.PICTURES[name][0](shown, pictures.THEMES["light"])
    if drawing is None:
        return []
    return [figures.save(drawing, folder, f"picture_{name}", f"picture_{name}")]
