"""Figures of recorded numbers: convergence and sweeps, with the words under them."""

import pathlib

from hyperml_tf.reproduction.reporting import figures, paper, sweeps
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.result_tables import NAMES
from hyperml_tf.reproduction.reporting.sources import Sources


def convergence(sources: Sources, folder: pathlib.Path) -> list[Figure]:
    """One figure for each trained model on each dataset."""
    drawn = []
    results = sources.results
    for dataset in results.datasets:
        for name in NAMES:
            runs = sources.runs_of(dataset, name)
            if not runs:
                continue
            title = f"{name.title} on {paper.dataset_title(dataset)}"
            published = results.published(dataset, str(name))
            drawing = figures.convergence(runs, title, published)
            if drawing is None:
                continue
            norms = " and norms in units of the radius" if drawing.axes[2:] else ""
            caption = (
                f"Training loss, metrics on the validation items{norms} "
                f"by epoch; {figures.epochs_of(runs)}. Line: mean; band: one sample "
                "standard deviation; faint: each seed."
            )
            stem = f"convergence_{dataset}_{name}"
            heading = f"Convergence of {title}"
            drawn.append(figures.save(drawing, folder, stem, heading, caption))
    return drawn


def swept(sources: Sources, folder: pathlib.Path) -> list[Figure]:
    """Fig. 4, and Table 4 as a figure."""
    drawn = []
    for field, name in (("distortion_weight", "figure4"), ("c", "table4")):
        for dataset, values in sweeps.of_field(sources.results, field).items():
            symbol, where = sweeps.SYMBOLS[field], paper.dataset_title(dataset)
            title = f"HyperML on {where} by {symbol}"
            cml = sources.results.of(dataset, "cml")
            drawing = sweeps.draw(values, cml, field, title)
            seeds = sorted({group.n for group in values.values()})
            plural = "seed" if seeds == [1] else "seeds"
            caption = (
                f"Test metrics of HyperML as {symbol} alone changes, over "
                f"{' to '.join(map(str, seeds))} {plural}. Bars: one sample standard "
                "deviation; faint dots: each seed; CML as a level, the better of its "
                "two variants on validation."
            )
            if field == "distortion_weight" and dataset in paper.FIGURE4_BEST:
                caption += (
                    f" The paper: best at γ = {paper.FIGURE4_BEST[dataset]:g}, and "
                    f"{paper.FIGURE4_FALL[dataset]} % below CML's nDCG@10 at γ = 0."
                )
            heading = f"{'Fig. 4' if field != 'c' else 'Table 4 drawn'}: {title}"
            file = f"{name}_{dataset}"
            drawn.append(figures.save(drawing, folder, file, heading, caption))
    return drawn
