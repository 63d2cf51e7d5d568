"""The pictures of the documents, from the record, each for a light and a dark page."""

import functools
import io
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from hyperml_tf.files import replacing
from hyperml_tf.reproduction import FOLDER
from hyperml_tf.reproduction.reporting import (
    curvature,
    figures,
    formats,
    paper,
    result_frames,
)
from hyperml_tf.reproduction.reporting.groups import Results

#: Okabe & Ito's colours (2008), which colour-blind readers can tell apart.
THEMES: dict[str, dict[str, str]] = {
    "light": {
        "ink": "#1b1f24", "soft": "#5b6570", "grid": "#e3e6ea", "ground": "none",
        "flat": "#0072B2", "ball": "#D55E00", "third": "#009E73", "fourth": "#CC79A7",
    },
    "dark": {
        "ink": "#e4e7ea", "soft": "#9aa5b1", "grid": "#343b43", "ground": "none",
        "flat": "#56B4E9", "ball": "#FF9A55", "third": "#3AD6A6", "fourth": "#F08CC6",
    },
}  # fmt: skip
RANKINGS = {
    "ndcg10": "among 100 sampled negatives",
    "full_ndcg10": "in the full catalogue",
}
_KINDS = {
    "user": "training interactions of the user",
    "item": "training interactions of the held-out item",
}
_SIDE_BY_SIDE = (("ndcg10", "ball", -0.08), ("full_ndcg10", "flat", 0.08))
_CURVES = {
    "HyperML": ("ball", "o-"),
    "CML": ("flat", "-"),
    "the paper, Table 4": ("soft", "x--"),
}
_DISK = FOLDER / "disk.csv"
#: Line of `benchmarks.jsonl` -> what a reader is shown, with colour and line.
PEERS = {
    "fit/hyperml/fused": "ours, `fit` with sampling",
    "step/hyperml/fused": "ours, step alone",
    "fit/hyperml/tensorflow": "ours, TensorFlow path",
    "peer/geoopt_sparse": "geoopt, sparse",
    "peer/keras_adam_fit": "Keras Adam, `fit`",
    "peer/c": "C, one triplet at a time",
}
_LINES = (
    ("ball", "-"), ("ball", "--"), ("ball", ":"), ("third", "-"), ("fourth", "-"),
    ("flat", "-"),
)  # fmt: skip


class Shown(NamedTuple):
    """What pictures are drawn from.

    Attributes:
        results: grouped runs.
        strata: rows of `strata`.
        benchmarks: lines of `benchmarks.jsonl`.
        hyperbolicity: rows of `curvature.read`.
    """

    results: Results
    strata: pd.DataFrame
    benchmarks: list[dict[str, Any]]
    hyperbolicity: pd.DataFrame


def _style(theme: Mapping[str, str]) -> dict[str, Any]:
    ink, soft, ground = theme["ink"], theme["soft"], theme["ground"]
    return figures.STYLE | {
        "figure.facecolor": ground, "axes.facecolor": ground,
        "savefig.facecolor": ground, "text.color": ink, "axes.labelcolor": ink,
        "axes.edgecolor": soft, "xtick.color": soft, "ytick.color": ink,
        "grid.color": theme["grid"], "legend.fontsize": 9,
    }  # fmt: skip


def against_paper(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """Every row's nDCG@10 where HyperML was run, with the paper's, in both rankings."""
    frame = result_frames.rows(shown.results)
    run = frame[(frame["name"] == "hyperml") & (frame["n"] > 0)]["dataset"]
    frame = frame[frame["dataset"].isin(run) & frame["dataset"].isin(paper.TABLE1)]
    if frame.empty:
        return None
    datasets, models = (frame[name].unique() for name in ("dataset", "model"))
    frame["y"] = frame["model"].map({m: len(models) - i for i, m in enumerate(models)})
    colours = frame["hyperbolic"].map({True: theme["ball"], False: theme["flat"]})
    frame = frame.assign(colour=colours, ours=frame["n"] > 0)
    drawing, grid = plt.subplots(
        2, len(datasets), sharey=True, squeeze=False,
        figsize=(1.75 * len(datasets) + 1.3, 0.42 * len(models) + 2.2),
    )  # fmt: skip
    hollow: dict[str, Any] = {"markerfacecolor": "none", "color": theme["soft"]}
    for line, (metric, ranked) in zip(grid, RANKINGS.items(), strict=True):
        for axes, dataset in zip(line, datasets, strict=True):
            part = frame[frame["dataset"] == dataset]
            for row in part[part["ours"]].to_dict("records"):
                axes.errorbar(
                    100 * row[metric], row["y"], xerr=100 * row[f"{metric}_wide"],
                    fmt="o", color=row["colour"], markersize=4.5, elinewidth=1.5,
                )  # fmt: skip
            if metric == "ndcg10" and "paper_ndcg10" in part:
                axes.plot(100 * part["paper_ndcg10"], part["y"], "D", ms=4.5, **hollow)
            axes.set_yticks(range(len(models), 0, -1), models)
            axes.set(ylim=(0.4, len(models) + 0.6), xlabel="nDCG@10, per cent")
            axes.set_title(paper.dataset_title(dataset))
            axes.margins(x=0.1)
            axes.xaxis.set_major_locator(MaxNLocator(3))
        line[0].set_ylabel(ranked)
    handles = [
        plt.Line2D([], [], ls="", marker="o", color=theme["ball"]),
        plt.Line2D([], [], ls="", marker="o", color=theme["flat"]),
        plt.Line2D([], [], ls="", marker="D", **hollow),
    ]
    labels = ["hyperbolic, ours", "Euclidean, ours", "the paper"]
    drawing.legend(handles, labels, loc="outside lower center", ncols=3)
    return drawing


def by_group(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """Comparisons of `strata` by user activity and item popularity."""
    frame = shown.strata
    if frame.empty:
        return None
    pairs = frame.groupby(["dataset", "one", "other"], sort=False)
    drawing, grid = plt.subplots(
        len(pairs), 2, squeeze=False, figsize=(8.6, 2.9 * len(pairs) + 0.4)
    )
    for line, ((dataset, one, other), rows) in zip(grid, pairs, strict=True):
        for axes, (kind, words) in zip(line, _KINDS.items(), strict=True):
            for metric, colour, shift in _SIDE_BY_SIDE:
                part = rows[(rows["kind"] == kind) & (rows["metric"] == metric)]
                ends = part[["low", "high"]].sub(part["difference"], axis=0).abs()
                axes.errorbar(
                    part["group"] + shift, 100 * part["difference"],
                    yerr=100 * ends.T, fmt="o", markersize=4.5,
                    color=theme[colour], label=RANKINGS[metric],
                )  # fmt: skip
                axes.set_xticks(part["group"], part["label"])
            axes.axhline(0, color=theme["soft"], linewidth=1)
            axes.set_xlabel(words)
        line[0].set_ylabel(f"{one} − {other}\nnDCG@10, points")
        line[0].set_title(paper.dataset_title(dataset), loc="left")
    handles = grid[0][0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside lower center", ncols=2)
    return drawing


def swept(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """nDCG@10 and HR@10 of HyperML by dimension, c and γ, beside CML and the paper."""
    frame = result_frames.curves(shown.results)
    if frame.empty:
        return None
    panels = frame.groupby(["kind", "dataset"], sort=False)
    size = 2.1 * len(panels) + 0.4, 4.6
    drawing, grid = plt.subplots(
        2, len(panels), squeeze=False, sharex="col", figsize=size
    )
    handles = {}
    for column, ((symbol, _), part) in zip(grid.T, panels, strict=True):
        for axes, metric in zip(column, formats.METRICS, strict=True):
            for name, points in part[part["metric"] == metric].groupby("name"):
                colour, style = _CURVES[name]
                handles[name] = axes.errorbar(
                    points["x"], 100 * points["value"], yerr=100 * points["wide"],
                    fmt=style, color=theme[colour], label=name, ms=4, linewidth=1.5,
                )  # fmt: skip
            values = part["x"].unique()
            if values.min() > 0:
                axes.set_xscale("log", base=2)
                axes.set_xticks(values, [f"{x:g}" for x in values])
            else:
                axes.xaxis.set_major_locator(MaxNLocator(3))
        column[0].set_title(f"{part['where'].iloc[0]}, by {symbol}")
        column[1].set_xlabel(symbol)
    for axes, title in zip(grid[:, 0], formats.METRICS.values(), strict=True):
        axes.set_ylabel(f"{title}, per cent")
    drawing.legend(handles.values(), handles, loc="outside lower center", ncols=3)
    return drawing


def curved(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """What curvature gains beside how like a tree a dataset's items lie."""
    frame = curvature.gains(shown.results, shown.hyperbolicity)
    return curvature.draw(frame, RANKINGS, theme)


def speeds(benchmarks: list[dict[str, Any]]) -> pd.DataFrame:
    """Triplets a CPU second by rows: ours and peers', from one session."""
    peers = [line for line in benchmarks if line["name"] == "peer/c"]
    commits = {line["commit"] for line in peers}
    found = [
        {"name": b["name"], "rows": b["rows"], "rate": b["triplets_per_cpu_second"]}
        for b in benchmarks
        if b["name"] in PEERS and b["commit"] in commits
    ]
    return pd.DataFrame(found, columns=["name", "rows", "rate"])


def speed(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """Triplets a CPU second by rows, ours and peers', both axes logarithmic."""
    frame = speeds(shown.benchmarks)
    if frame.empty:
        return None
    drawing, axes = plt.subplots(figsize=(7, 4))
    for (name, label), (colour, line) in zip(PEERS.items(), _LINES, strict=True):
        part = frame[frame["name"] == name].sort_values("rows")
        axes.plot(
            part["rows"], part["rate"], line, marker="o", markersize=4,
            color=theme[colour], label=label.replace("`", ""),
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="rows of the tables, users and items")
    axes.set_ylabel("triplets a CPU second")
    drawing.legend(loc="outside lower center", ncols=3)
    return drawing


@functools.cache
def _disk() -> pd.DataFrame:
    return pd.read_csv(_DISK)


def disk(shown: Shown, theme: Mapping[str, str]) -> Drawing:
    """Users and items of a trained model, as Fig. 2 lays them out."""
    del shown
    frame = _disk()
    drawing, axes = plt.subplots(figsize=(4.8, 4.8))
    axes.add_patch(Circle((0, 0), 1, fill=False, color=theme["soft"], linewidth=1.2))
    for kind, marker, colour in (("item", "^", "flat"), ("user", "o", "ball")):
        part = frame[frame["kind"] == kind]
        axes.scatter(
            part["x"], part["y"], s=9, marker=marker, color=theme[colour], alpha=0.75,
            linewidth=0, label=f"{kind}s",
        )  # fmt: skip
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
    axes.axis("off")
    drawing.legend(loc="outside lower center", ncols=2, markerscale=2)
    return drawing


def disk_caption() -> str:
    """What the disk shows, in one sentence."""
    frame = _disk()
    first = frame.iloc[0]
    count = frame["kind"].value_counts()
    return (
        f"{count['user']:,} users and {count['item']:,} items of HyperML trained on "
        f"{paper.dataset_title(first['dataset'])} (seed {first['seed']}, epoch "
        f"{first['epoch']}). A point's distance from the centre is its true one in the "
        "ball; its angle puts near ones together (t-SNE)."
    )


#: File -> what draws it, and its format.
PICTURES: dict[str, tuple[Callable[..., Drawing | None], str]] = {
    "paper": (against_paper, "svg"),
    "groups": (by_group, "svg"),
    "sweeps": (swept, "svg"),
    "curvature": (curved, "svg"),
    "speed": (speed, "svg"),
    "disk": (disk, "png"),
}


def drawn(shown: Shown, name: str, theme: str) -> bytes | None:
    """A picture as the content of its file; None where there is nothing to show."""
    draw, ending = PICTURES[name]
    matplotlib.use("agg")
    with plt.rc_context(_style(THEMES[theme])):
        drawing = draw(shown, THEMES[theme])
        if drawing is None:
            return None
        file = io.BytesIO()
        metadata = {"Date": None} if ending == "svg" else {"Software": None}
        drawing.savefig(file, format=ending, dpi=150, metadata=metadata)
        plt.close(drawing)
    return file.getvalue()


def write(shown: Shown, folder: pathlib.Path) -> list[str]:
    """Writes every picture for both grounds."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (_, ending) in PICTURES.items():
        for theme in THEMES:
            content = drawn(shown, name, theme)
            if content is not None:
                path = folder / f"{name}_{theme}.{ending}"
                with replacing(path) as file:
                    file.write(content)
                written.append(str(path))
    return written
