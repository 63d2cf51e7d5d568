"""The pictures of the documents, from the record, each for a light and a dark page."""

import functools
import io
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Circle
from scipy import stats

from hyperml_tf.files import replacing
from hyperml_tf.reproduction import FOLDER
from hyperml_tf.reproduction.reporting import figures, formats, paper, result_frames
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
        asked: `result_frames.tests` of them.
        strata: rows of `strata`.
        benchmarks: lines of `benchmarks.jsonl`.
    """

    results: Results
    asked: pd.DataFrame
    strata: pd.DataFrame
    benchmarks: list[dict[str, Any]]

    @property
    def datasets(self) -> list[str]:
        """Those of the paper's datasets that have rows."""
        return [d for d in self.results.datasets if d in paper.TABLE1]


def _style(theme: Mapping[str, str]) -> dict[str, Any]:
    ink, soft, ground = theme["ink"], theme["soft"], theme["ground"]
    return figures.STYLE | {
        "figure.facecolor": ground, "axes.facecolor": ground,
        "savefig.facecolor": ground, "text.color": ink, "axes.labelcolor": ink,
        "axes.edgecolor": soft, "xtick.color": soft, "ytick.color": ink,
        "grid.color": theme["grid"], "legend.fontsize": 9,
    }  # fmt: skip


def half_width(std: float, n: int) -> float:
    """Half of the 95 % interval of a mean over n seeds, by Student's t."""
    return 0.0 if n < 2 else stats.t.ppf(0.975, n - 1) * std / math.sqrt(n)


def against_paper(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """Every row's nDCG@10, ours with intervals and the paper's, in both rankings."""
    frame, datasets = result_frames.rows(shown.results), shown.datasets
    if not datasets:
        return None
    models = list(dict.fromkeys(frame[frame["dataset"].isin(datasets)]["model"]))
    place = {model: len(models) - i for i, model in enumerate(models)}
    drawing, grid = plt.subplots(
        2, len(datasets), sharey=True, squeeze=False,
        figsize=(2.4 * len(datasets) + 1.2, 0.42 * len(models) + 2.2),
    )  # fmt: skip
    rankings = {
        "ndcg10": "among 100 sampled negatives", "full_ndcg10": "in the full catalogue"
    }  # fmt: skip
    for (metric, ranked), line in zip(rankings.items(), grid, strict=True):
        for axes, dataset in zip(line, datasets, strict=True):
            for row in frame[frame["dataset"] == dataset].to_dict("records"):
                y = place[row["model"]]
                if row["n"]:
                    colour = theme["ball" if row["hyperbolic"] else "flat"]
                    wide = half_width(row[f"{metric}_std"], row["n"])
                    axes.errorbar(
                        100 * row[metric], y, xerr=100 * wide, fmt="o", color=colour,
                        markersize=4.5, elinewidth=1.5,
                    )  # fmt: skip
                printed = row.get("paper_ndcg10")
                if metric == "ndcg10" and not formats.absent(printed):
                    axes.plot(
                        100 * printed, y, "D", markersize=4.5, markerfacecolor="none",
                        markeredgecolor=theme["soft"],
                    )  # fmt: skip
            axes.set_yticks(list(place.values()), list(place))
            axes.set_ylim(0.4, len(models) + 0.6)
            axes.margins(x=0.1)
            axes.set_xlabel("nDCG@10, per cent")
            axes.set_title(paper.dataset_title(dataset))
        line[0].set_ylabel(ranked)
    marks = [
        ("ball", "o", "hyperbolic, ours"), ("flat", "o", "Euclidean, ours"),
        ("soft", "D", "the paper"),
    ]  # fmt: skip
    handles = [
        plt.Line2D(
            [], [], linestyle="", marker=marker, color=theme[colour], label=label,
            markerfacecolor="none" if marker == "D" else theme[colour],
        )
        for colour, marker, label in marks
    ]  # fmt: skip
    drawing.legend(handles=handles, loc="outside lower center", ncols=3)
    return drawing


def by_group(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """Comparisons of `strata` by user activity and item popularity."""
    frame = shown.strata
    if frame.empty:
        return None
    pairs = list(frame.groupby(["dataset", "one", "other"], sort=False))
    kinds = {
        "user": "training interactions of the user",
        "item": "training interactions of the held-out item",
    }
    drawing, grid = plt.subplots(
        len(pairs), 2, squeeze=False, figsize=(8.6, 2.9 * len(pairs) + 0.4)
    )
    for line, ((dataset, one, other), rows) in zip(grid, pairs, strict=True):
        for axes, (kind, words) in zip(line, kinds.items(), strict=True):
            for shift, (metric, colour, label) in enumerate(
                (
                    ("ndcg10", "ball", "100 sampled negatives"),
                    ("full_ndcg10", "flat", "full catalogue"),
                )
            ):
                part = rows[(rows["kind"] == kind) & (rows["metric"] == metric)]
                part = part.sort_values("group")
                x = part["group"] + 0.16 * (shift - 0.5)
                ends = [
                    part["difference"] - part["low"],
                    part["high"] - part["difference"],
                ]
                axes.errorbar(
                    x, 100 * part["difference"], yerr=[100 * end for end in ends],
                    fmt="o", markersize=4.5, color=theme[colour], label=label,
                )  # fmt: skip
                axes.set_xticks(part["group"], part["label"])
            axes.axhline(0, color=theme["soft"], linewidth=1)
            axes.set_xlabel(words)
        line[0].set_ylabel(f"{one} − {other}\nnDCG@10, points")
        line[0].set_title(paper.dataset_title(dataset), loc="left")
    handles, labels = grid[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=2)
    return drawing


def swept(shown: Shown, theme: Mapping[str, str]) -> Drawing | None:
    """nDCG@10 by dimension, HyperML beside CML, and by c."""
    by_dim = result_frames.dimensions(shown.asked)
    by_c = result_frames.sweeps(shown.results, "c")
    found = [
        (kind, dataset, part)
        for kind, frame in (("dim", by_dim), ("value", by_c))
        if len(frame)
        for dataset, part in frame.groupby("dataset", sort=False)
        if len(part) > 2
    ]
    if not found:
        return None
    drawing, grid = plt.subplots(
        1, len(found), squeeze=False, figsize=(3.1 * len(found), 3.3)
    )
    for axes, (kind, dataset, part) in zip(grid[0], found, strict=True):
        title = paper.dataset_title(str(dataset))
        if kind == "dim":
            line(axes, part, kind, "ball_ndcg10", theme["ball"], "HyperML")
            line(axes, part, kind, "flat_ndcg10", theme["flat"], "CML")
            axes.set(title=f"{title}, by dimension", xlabel="d")
        else:
            line(axes, part, kind, "ndcg10", theme["ball"], "HyperML")
            cml = shown.results.of(str(dataset), "cml")
            if cml:
                axes.axhline(100 * cml.mean("ndcg10"), color=theme["flat"], label="CML")
            axes.set(title=f"{title}, by curvature", xlabel="c")
    grid[0][0].set_ylabel("nDCG@10, per cent")
    handles = grid[0][0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside lower center", ncols=2)
    return drawing


def line(
    axes: Axes, table: pd.DataFrame, x: str, metric: str, colour: str, label: str
) -> None:
    """A metric by the values of `x`, with 95 % intervals over seeds."""
    table = table.astype({x: float, metric: float, f"{metric}_std": float, "n": int})
    pairs = zip(table[f"{metric}_std"], table["n"], strict=True)
    wide = [100 * half_width(std, n) for std, n in pairs]
    axes.errorbar(
        table[x], 100 * table[metric], yerr=wide, fmt="o-", color=colour, label=label,
        markersize=4, linewidth=1.5,
    )  # fmt: skip
    if table[x].min() > 0:
        axes.set_xscale("log", base=2)
        axes.set_xticks(table[x], [f"{v:g}" for v in table[x]])


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
