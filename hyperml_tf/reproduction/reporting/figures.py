"""How every figure looks and is written; the convergence figure.

The colours are Okabe & Ito's (2008), which colour-blind readers can tell apart.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from hyperml_tf.reproduction.reporting import paper, wording
from hyperml_tf.training.run_folder import Run

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
GREY = "#666666"

STYLE = {
    "figure.dpi": 110,
    "savefig.dpi": 130,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "hyperml",  # equal figures are equal files
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure that was written.

    Attributes:
        name: of its files, without the ending.
        title: heading in the report.
        caption: what it shows, of which runs.
        png: the picture.
    """

    name: str
    title: str
    caption: str
    png: pathlib.Path


def use_style() -> None:
    """Sets matplotlib up for files; call before drawing."""
    matplotlib.use("agg")
    plt.rcParams.update(STYLE)


def save(
    drawing: Drawing, folder: pathlib.Path, name: str, words: str, **values: Any
) -> Figure:
    """Writes `<folder>/<name>.png` and `.svg`, and closes the drawing.

    Args:
        drawing: it.
        folder: where to.
        name: of the files.
        words: the entry of `wording` with title and caption.
        **values: what stands in them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    png = folder / f"{name}.png"
    drawing.savefig(png, metadata={"Software": None})
    drawing.savefig(png.with_suffix(".svg"), metadata={"Date": None})
    plt.close(drawing)
    title, _, caption = wording.entry(words, **values)
    return Figure(name, title, caption, png)


def histories(runs: Sequence[Run]) -> pd.DataFrame:
    """Recorded epochs of several seeds, long: columns `seed`, `epoch`, and the rest."""
    frames = [pd.DataFrame(run.history()).assign(seed=run.seed) for run in runs]
    frames = [frame for frame in frames if "epoch" in frame]
    if not frames:
        return pd.DataFrame(columns=["seed", "epoch"])
    return pd.concat(frames).apply(pd.to_numeric, errors="coerce")


def seed_lines(
    axes: Axes, history: pd.DataFrame, column: str, colour: str, label: str
) -> None:
    """The mean over seeds, a band of one sample std, and every seed faint behind."""
    table = history.pivot_table(column, "epoch", "seed").dropna(how="all")
    if table.empty:
        return
    marker = "o" if len(table) <= 30 else ""
    if table.shape[1] > 1:
        axes.plot(table.index, table, color=colour, linewidth=0.7, alpha=0.3)
        mean, std = table.mean(axis=1), table.std(axis=1, ddof=1)
        axes.fill_between(
            table.index, mean - std, mean + std, color=colour, alpha=0.18, linewidth=0
        )
    axes.plot(
        table.index, table.mean(axis=1), color=colour, linewidth=1.6, label=label,
        marker=marker, markersize=3,
    )  # fmt: skip


#: Panels of the convergence figure: title, axis, and (column, label, colour) of lines.
_PANELS = (
    (
        "Training loss", "loss, mean over triplets",
        (
            ("loss/total", "total", BLUE), ("loss/pull_push", "pull-push", VERMILLION),
            ("loss/distortion", "distortion (unweighted)", GREEN),
        ),
    ),
    (
        "Validation", "per cent",
        (("valid/ndcg10", "nDCG@10", BLUE), ("valid/hr10", "HR@10", VERMILLION)),
    ),
    (
        "Place in the ball", "fraction",
        (
            ("ball/max_norm", "largest norm", BLUE),
            ("ball/fraction_projected", "share of rows at the boundary", VERMILLION),
        ),
    ),
)  # fmt: skip


def convergence(runs: Sequence[Run], published: Mapping[str, float]) -> Drawing | None:
    """Loss, validation metrics and norms by epoch; None if nothing was recorded.

    Args:
        runs: seeds of one configuration.
        published: the paper's nDCG@10 and HR@10 as fractions, or empty.
    """
    history = histories(runs)
    if "loss/total" not in history:
        return None
    shares = [column for column in history if column.startswith("valid/")]
    history[shares] *= 100
    shown = _PANELS if "ball/max_norm" in history else _PANELS[:2]
    drawing, panels = plt.subplots(1, len(shown), figsize=(3.6 * len(shown), 3.2))
    for axes, (title, unit, lines) in zip(panels, shown, strict=True):
        for column, label, colour in lines:
            if column in history:
                seed_lines(axes, history, column, colour, label)
            if column.removeprefix("valid/") in published:
                axes.axhline(
                    100 * published[column.removeprefix("valid/")], color=colour,
                    linestyle="--", linewidth=1.1,
                    label=f"paper, Table {paper.TABLE_OF_MODEL[runs[0].model]} (test)",
                )  # fmt: skip
        axes.set(title=title, ylabel=unit, xlabel="epoch")
        axes.set_xlim(left=0)
        axes.set_ylim(0, min(100.0, 1.1 * axes.get_ylim()[1]))
        legend_below(axes)
    return drawing


def legend_below(axes: Axes) -> None:
    """A legend under the axes, where it hides nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def epochs_of(runs: Sequence[Run]) -> str:
    """Seeds and best epochs in words, for captions: `seeds 0–4, best epochs 50–150`."""
    seeds = sorted(run.seed for run in runs)
    best = sorted(int(run.metrics["best_epoch"]) for run in runs)
    return f"{_range('seed', seeds)}, best {_range('epoch', best)}"


def _range(word: str, values: Sequence[int]) -> str:
    values = list(np.unique(values))
    if len(values) == 1:
        return f"{word} {values[0]}"
    whole = len(values) == values[-1] - values[0] + 1
    if whole or len(values) > 6:
        return f"{word}s {values[0]}–{values[-1]}"
    return f"{word}s {', '.join(map(str, values))}"
