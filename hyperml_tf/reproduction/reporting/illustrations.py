"""Figures of the report from recorded numbers: convergence, and the pictures."""

import json
import pathlib

from hyperml_tf.reproduction import FOLDER
from hyperml_tf.reproduction.reporting import curvature, figures, paper, pictures
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.sources import Sources


def drawn(sources: Sources, folder: pathlib.Path) -> dict[str, list[Figure]]:
    """The figures by section of the page; only groups and convergence for one's own."""
    found = {"groups": _picture(sources, folder, "groups")}
    if sources.of_paper:
        sections = {
            "overview": "paper",
            "sweeps": "sweeps",
            "variants": "curvature",
            "speed": "speed",
        }
        found |= {k: _picture(sources, folder, name) for k, name in sections.items()}
    return found | {"convergence": _convergence(sources, folder)}


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


def _picture(sources: Sources, folder: pathlib.Path, name: str) -> list[Figure]:
    """A picture of the documents as a figure of the report, if it shows something."""
    of_results = sources.strata["dataset"].isin(sources.results.datasets)
    benchmarks = (FOLDER / "benchmarks.jsonl").read_text().splitlines()
    shown = pictures.Shown(
        sources.results,
        sources.strata[of_results],
        [json.loads(line) for line in benchmarks],
        curvature.read(FOLDER / curvature.FILE),
    )
    drawing = pictures.PICTURES[name][0](shown, pictures.THEMES["light"])
    if drawing is None:
        return []
    return [figures.save(drawing, folder, f"picture_{name}", f"picture_{name}")]
