"""One model against another on the same users: `run_configs/significance.csv`.

Made from the per-user ranks in the run folders and kept beside the record, so that
tables can be built where the runs are not. `pair` names the two in words, `configs` by
their hashes. `interval` is JSON, [low, high]; metrics are fractions; `p` is Wilcoxon's,
`p_holm` the same corrected over the rows of the same question and metric.
"""

import itertools
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import logging

from hyperml_tf.errors import InputError
from hyperml_tf.evaluation import significance
from hyperml_tf.files import write_atomically
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.groups import Group, Results
from hyperml_tf.training.configuration import Name
from hyperml_tf.training.run_folder import Run

COLUMNS = (
    "question", "dataset", "pair", "configs", "metric", "difference", "interval", "p",
    "p_holm", "users", "seeds",
)  # fmt: skip
_KEY = ["question", "dataset", "metric", "configs"]

#: Questions about what stands for two models, (the first, the second).
PAIRS: dict[str, tuple[str | Name, str | Name]] = {
    "cml": ("hyperml", "cml"),
    "options": (Name("hyperml", beyond=True), Name("cml", beyond=True)),
    "table3": ("hyperts", "hyperml"),
    "tangent": ("hyperts", "cml"),
    "bpr": ("mf_bpr", "cml"),
}

#: (dataset, model, config hash) -> its runs on this machine.
RunsOf = Mapping[tuple[str, str, str], Sequence[Run]]


def configs(group: Group, other: Group) -> str:
    """What identifies a comparison: two configurations can have the same label."""
    return f"{group.config_hash} {other.config_hash}"


def _questions(
    results: Results, dataset: str, metric: str
) -> Iterator[tuple[str, Group | None, Group | None]]:
    """What is compared on a dataset: (question, first, second).

    "table2" is HyperML against the best baseline, "lead" the best hyperbolic row
    against the best Euclidean one, options beyond the paper included; "dim" HyperML
    against CML at equal dimension; "variant" every changed configuration against what
    it changes; "popularity", on a table of one's own, every row against popularity.
    """
    hyperml, baseline = (
        results.of(dataset, "hyperml"),
        results.best_baseline(dataset, metric),
    )
    yield "table2", hyperml, baseline
    euclidean = results.best_euclidean(dataset, metric)
    yield "lead", results.best_hyperbolic(dataset), euclidean
    for question, (first, second) in PAIRS.items():
        yield question, results.of(dataset, first), results.of(dataset, second)
    for ball, flat in results.at_equal_dim(dataset).values():
        yield "dim", ball, flat
    for group in results.groups:
        if group.dataset == dataset:
            yield "variant", group, results.centre(group)
    if dataset not in paper.DATASET_TITLES:
        floor = results.row(dataset, "popularity")
        for group in results.rows_of(dataset):
            if group is not floor:
                yield "popularity", group, floor


def asked(results: Results) -> Iterator[tuple[str, str, str, Group, Group]]:
    """(dataset, metric, question, first, second) wherever there are both."""
    for dataset, metric in itertools.product(results.datasets, significance.METRICS):
        for question, first, second in _questions(results, dataset, metric):
            if first is not None and second is not None:
                yield dataset, metric, question, first, second


def compare_all(results: Results, runs: RunsOf) -> pd.DataFrame:
    """One row per question and metric whose two sides have runs here, uncorrected."""
    found = []
    for dataset, metric, question, ours, other in asked(results):
        pair = f"{ours.label} - {other.label}"
        try:
            both = paired(ours, other, runs)
            first, second = ([ranks_of(run) for run in side] for side in both)
            if not first:
                continue
            test = significance.compare(first, second, metric)
        except (InputError, OSError, ValueError, EOFError) as error:
            logging.warning("%s: not compared: %s (%s)", dataset, pair, error)
            continue
        row: dict[str, Any] = {"question": question, "dataset": dataset, "pair": pair}
        row |= {"configs": configs(ours, other), "metric": metric}
        row |= {"difference": round(test.difference, 6), "users": test.users}
        row |= {"interval": [round(test.low, 6), round(test.high, 6)]}
        row |= {"p": float(f"{test.p:.4g}"), "seeds": len(first)}
        found.append(row)
    return pd.DataFrame(found, columns=list(COLUMNS))


def paired(ours: Group, other: Group, runs: RunsOf) -> tuple[list[Run], list[Run]]:
    """The runs of both sides, seed by seed.

    Those of the seeds that both have: what one seed changes alike for both is no
    difference. The one run of a model without randomness stands for all seeds.

    Raises:
        InputError: the runs were trained on different data.
    """
    first, second = (
        {run.seed: run for run in runs.get((g.dataset, g.model, g.config_hash), ())}
        for g in (ours, other)
    )
    if not DEFINITIONS[other.model].trains and second:
        second = dict.fromkeys(first, second[min(second)])
    seeds = sorted(first.keys() & second.keys())
    both = [first[seed] for seed in seeds], [second[seed] for seed in seeds]
    chosen = itertools.chain(*both)
    if len({run.environment.get("data_fingerprint") for run in chosen}) > 1:
        raise InputError("the prepared data differ")
    return both


def ranks_of(run: Run, file: str = "test_ranks.npy") -> np.ndarray:
    """[U] ranks of the users' held-out items."""
    return np.load(run.folder / file, allow_pickle=False).astype(float)


def merged(recorded: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Both, Holm-corrected over datasets; of two that compare the same, the newer one.

    One of fewer seeds does not take the place of a recorded one, though.
    """
    parts = [part for part in (recorded, new) if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = pd.concat(parts)
    rows = rows.sort_values("seeds", kind="stable").drop_duplicates(_KEY, keep="last")
    rows = rows.sort_values(_KEY, ignore_index=True)
    families = rows.groupby(["question", "metric"])["p"]
    return rows.assign(
        p_holm=families.transform(lambda p: significance.holm(p.tolist()))
    )


def current(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Those rows that compare what stands for the models now.

    Settings are chosen anew and bests change; a test of what stood before would
    otherwise be shown beside the figures of what stands now.
    """
    if rows.empty:
        return rows
    known = {
        (question, dataset, metric, configs(one, other))
        for dataset, metric, question, one, other in asked(results)
    }
    cells = rows[_KEY].itertuples(index=False, name=None)
    return rows[np.array([cell in known for cell in cells], bool)]


def read_table(
    path: pathlib.Path,
    columns: Sequence[str],
    converters: dict[str, Callable[[str], Any]] | None = None,
) -> pd.DataFrame:
    """A table beside the record; without rows if there is none yet.

    Raises:
        InputError: the file is not such a table.
    """
    try:
        # Written again as it was read, to the last digit.
        frame = pd.read_csv(path, converters=converters, float_precision="round_trip")
        return frame[list(columns)]
    except FileNotFoundError:
        return pd.DataFrame(columns=list(columns))
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path} has not the columns {', '.join(columns)} ({error}); restore it "
            "from git, or move it away to start a new one"
        ) from None


def read(path: pathlib.Path) -> pd.DataFrame:
    """The table of comparisons, see `read_table`."""
    return read_table(path, COLUMNS, {"interval": json.loads})


def write(path: pathlib.Path, rows: pd.DataFrame) -> None:
    """Writes the table atomically."""
    rows = rows.assign(interval=rows["interval"].map(json.dumps))
    for column in ("p", "p_holm"):
        rows[column] = rows[column].map(lambda p: float(f"{p:.4g}"))
    write_atomically(path, rows.to_csv(index=False, lineterminator="\n"))
