"""What a report lacks and why: said, not passed over."""

import pathlib
from collections.abc import Iterable, Sequence

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.groups import Results

SEEDS = 5
#: Datasets whose files nobody can download without asking.
_BEHIND_FORMS = {
    "yelp": "its files are behind a form at yelp.com/dataset",
    "meetup": "its files are given by the authors of Pham et al. (2015) on request",
}


def missing(results: Results, prepared: Iterable[str] | None) -> list[str]:
    """Sentences on datasets, models and seeds that have no finished run.

    Args:
        results: what there is.
        prepared: keys of the prepared datasets; None if that is not known.
    """
    return [
        *_datasets(results, prepared),
        *_models(results),
        *_seeds(results),
    ]


def _datasets(results: Results, prepared: Iterable[str] | None) -> list[str]:
    sentences = []
    if not any(d in paper.DATASET_TITLES for d in results.datasets):
        return []  # a report on tables of the user's own
    absent = [d for d in paper.TABLE1 if d not in results.datasets]
    ready = set(prepared or ()) & set(absent)
    for dataset in absent:
        reason = "no finished run is recorded"
        if dataset in ready:
            reason += ", though it is prepared"
        elif dataset in _BEHIND_FORMS:
            reason += f"; {_BEHIND_FORMS[dataset]}"
        elif prepared is not None:
            reason += "; it is not prepared here"
        sentences.append(f"{paper.dataset_title(dataset)}: {reason}.")
    return sentences


def _models(results: Results) -> list[str]:
    sentences = []
    for dataset in filter(paper.DATASET_TITLES.__contains__, results.datasets):
        absent = [
            paper.model_title(model)
            for model, table in paper.TABLE_OF_MODEL.items()
            if results.row(dataset, model) is None
            and (table == 2 or results.published(dataset, model))
        ]
        if absent:
            name = paper.dataset_title(dataset)
            sentences.append(f"{name}: no finished run of {', '.join(absent)}.")
    return sentences


def _seeds(results: Results) -> list[str]:
    short = [
        f"{g.title} on {paper.dataset_title(g.dataset)} ({g.n})"
        for g in results.main.values()
        if g.n < SEEDS and DEFINITIONS[g.model].trains and g.dataset in results.datasets
    ]
    if not short:
        return []
    return [f"Fewer than {SEEDS} seeds: {', '.join(short)}."]


def unfinished(runs_dir: pathlib.Path) -> Sequence[str]:
    """Runs that were started and have not finished: failed, interrupted or going on."""
    folders = sorted(runs_dir.glob("*/*/*/seed-*"))
    names = [
        str(folder.relative_to(runs_dir))
        for folder in folders
        if not (folder / "metrics.json").exists()
    ]
    if not names:
        return []
    return [f"Started and not finished: {', '.join(names)}."]
