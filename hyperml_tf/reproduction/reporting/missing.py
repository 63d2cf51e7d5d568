"""What a report lacks and why: said, not passed over."""

import pathlib
from collections.abc import Container

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.groups import Results

SEEDS = 5
#: Hyperbolic models that are not in the paper, and their Euclidean twins.
_BEYOND = ("hyperbolic_mf", "mf_softmax", "hyperml_softmax")
#: Datasets whose files nobody can download without asking.
_BEHIND_FORMS = {
    "yelp": "its files are behind a form at yelp.com/dataset",
    "meetup": "its files are given by the authors of Pham et al. (2015) on request",
}


def missing(results: Results, prepared: Container[str] | None) -> list[str]:
    """Sentences on datasets, models and seeds that have no finished run.

    Args:
        results: what there is.
        prepared: keys of the prepared datasets; None if that is not known.
    """
    sentences = []
    known = [d for d in results.datasets if d in paper.DATASET_TITLES]
    for dataset in paper.TABLE1 if known else ():
        if dataset not in known:
            name, reason = paper.dataset_title(dataset), _reason(dataset, prepared)
            sentences.append(f"{name}: no finished run is recorded{reason}.")
    for dataset in known:
        absent = [
            paper.model_title(model)
            for model, table in paper.TABLE_OF_MODEL.items()
            if results.row(dataset, model) is None
            and (table == 2 or results.published(dataset, model))
        ]
        name = paper.dataset_title(dataset)
        if absent:
            sentences.append(f"{name}: no finished run of {', '.join(absent)}.")
        beyond = [
            paper.model_title(model)
            for model in _BEYOND
            if dataset in paper.TABLE1 and results.row(dataset, model) is None
        ]
        if beyond:
            sentences.append(
                f"{name}: no finished run of {'; '.join(beyond)}, which are not in the "
                "paper; its best rows are the best of what was run."
            )
    short = [
        f"{g.title} on {paper.dataset_title(g.dataset)} ({g.n})"
        for g in results.main.values()
        if g.n < SEEDS and DEFINITIONS[g.model].trains and g.dataset in results.datasets
    ]
    if short:
        sentences.append(f"Fewer than {SEEDS} seeds: {', '.join(short)}.")
    return sentences


def _reason(dataset: str, prepared: Container[str] | None) -> str:
    if prepared is not None and dataset in prepared:
        return ", though it is prepared"
    if dataset in _BEHIND_FORMS:
        return f"; {_BEHIND_FORMS[dataset]}"
    return "" if prepared is None else "; it is not prepared here"


def unfinished(runs_dir: pathlib.Path) -> list[str]:
    """Runs that were started and have not finished: failed, interrupted or going on."""
    names = [
        str(folder.relative_to(runs_dir))
        for folder in sorted(runs_dir.glob("*/*/*/seed-*"))
        if not (folder / "metrics.json").exists()
    ]
    return [f"Started and not finished: {', '.join(names)}."] * bool(names)
