"""One model against another on the same users: `run_configs/significance.csv`.

Made from the per-user ranks in the run folders and kept beside the record, so that
tables can be built where the runs are not. `pair` names the two in words, `configs` by
their hashes. `interval` is JSON, [low, high]; metrics are fractions; `p` is Wilcoxon's,
`p_holm` the same corrected over the rows of the same question and metric.
"""

import io
import itertools
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
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


def pair(group: Group, other: Group) -> str:
    """How a comparison is named."""
    return f"{group.label} - {other.label}"


def configs(group: Group, other: Group) -> str:
    """What identifies a comparison: two configurations can have the same label."""
    return f"{group.config_hash} {other.config_hash}"


def questions(
    results: Results, dataset: str, metric: str
) -> Iterator[tuple[str, Group | None, Group | None]]:
    """What is compared on a dataset: (question, first, second).

    "table2" is HyperML against the best baseline, "lead" the best hyperbolic row
    against the best Euclidean one, options beyond the paper included; "dim" HyperML
    against CML at equal dimension; "variant" every changed configuration against what
    it changes; "popularity", on a table of one's own, every row against popularity.
    """
    yield (
        "table2",
        results.of(dataset, "hyperml"),
        results.best_baseline(dataset, metric),
    )
    yield (
        "lead",
        results.best_hyperbolic(dataset),
        results.best_euclidean(dataset, metric),
    )
    for question, models in PAIRS.items():
        first, second = (results.of(dataset, model) for model in models)
        yield question, first, second
    for ball, flat in results.at_equal_dim(dataset).values():
        yield "dim", ball, flat
    for group in results.groups:
        if group.dataset == dataset:
            yield "variant", group, results.centre(group)
    if dataset not in paper.DATASET_TITLES:
        for (of, name), group in results.main.items():
            if of == dataset and name.model != "popularity":
                yield "popularity", group, results.row(dataset, "popularity")


def compare_all(results: Results, runs: RunsOf) -> pd.DataFrame:
    """One row per question and metric whose two sides have runs here, uncorrected."""
    rows = []
    for dataset, metric in itertools.product(results.datasets, significance.METRICS):
        for question, ours, other in questions(results, dataset, metric):
            if ours is None or other is None:
                continue
            row = _compare(ours, other, metric, runs)
            if row is not None:
                rows.append({"question": question, **row})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _compare(
    ours: Group, baseline: Group, metric: str, runs: RunsOf
) -> dict[str, Any] | None:
    both = []
    for group in (ours, baseline):
        key = group.dataset, group.model, group.config_hash
        both.append({run.seed: run for run in runs.get(key, ())})
    # The seeds that both have: what one seed changes alike for both is no difference.
    seeds = sorted(both[0].keys() & both[1].keys())
    if not DEFINITIONS[baseline.model].trains and both[1]:  # its one run stands for all
        (only,) = both[1].values()
        both[1], seeds = dict.fromkeys(both[0], only), sorted(both[0])
    if not seeds:
        return None
    name = f"{ours.dataset}: {pair(ours, baseline)}"
    chosen = [runs_of[seed] for runs_of in both for seed in seeds]
    if len({run.environment.get("data_fingerprint") for run in chosen}) > 1:
        logging.warning("not compared, prepared data differ: %s", name)
        return None
    try:
        ranks = [_ranks(run) for run in chosen]
        found = significance.compare(ranks[: len(seeds)], ranks[len(seeds) :], metric)
    except (OSError, ValueError, EOFError) as error:
        logging.warning("not compared, no ranks to read: %s (%s)", name, error)
        return None
    return {
        "dataset": ours.dataset,
        "pair": pair(ours, baseline),
        "configs": configs(ours, baseline),
        "metric": metric,
        "difference": round(found.difference, 6),
        "interval": [round(found.low, 6), round(found.high, 6)],
        "p": float(f"{found.p:.4g}"),
        "p_holm": float("nan"),
        "users": found.users,
        "seeds": len(seeds),
    }


def _ranks(run: Run) -> np.ndarray:
    path = run.folder / "test_ranks.npy"
    return np.load(path, allow_pickle=False).astype(float)


def merged(recorded: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Both, Holm-corrected over datasets; of two that compare the same, the newer one.

    One of fewer seeds does not take the place of a recorded one, though.
    """
    parts = [part for part in (recorded, new) if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = pd.concat(parts)
    key = ["question", "dataset", "metric", "configs"]
    rows = rows.sort_values("seeds", kind="stable").drop_duplicates(key, keep="last")
    rows = rows.sort_values(key, ignore_index=True)
    for _, family in rows.groupby(["question", "metric"]):
        rows.loc[family.index, "p_holm"] = significance.holm(family["p"].tolist())
    return rows


def current(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Those rows that compare what stands for the models now.

    Settings are chosen anew and bests change; a test of what stood before would
    otherwise be shown beside the figures of what stands now.
    """
    if rows.empty:
        return rows
    asked = {
        (question, dataset, metric, configs(one, other))
        for dataset, metric in itertools.product(results.datasets, significance.METRICS)
        for question, one, other in questions(results, dataset, metric)
        if one and other
    }
    cells = rows[["question", "dataset", "metric", "configs"]]
    return rows[[cell in asked for cell in cells.itertuples(index=False, name=None)]]


def read(path: pathlib.Path) -> pd.DataFrame:
    """The table at `path`; without rows if there is none yet.

    Raises:
        InputError: the file is not such a table.
    """
    try:
        rows = pd.read_csv(path, converters={"interval": json.loads})
        return rows[list(COLUMNS)]
    except FileNotFoundError:
        return pd.DataFrame(columns=list(COLUMNS))
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path} is not a significance table ({error}); restore it from git, or "
            "move it away to start a new one"
        ) from None


def write(path: pathlib.Path, rows: pd.DataFrame) -> None:
    """Writes the table atomically."""
    text = io.StringIO()
    rows = rows.assign(interval=rows["interval"].map(json.dumps))
    rows["p_holm"] = rows["p_holm"].map(lambda p: float(f"{p:.4g}"))
    rows.to_csv(text, index=False, lineterminator="\n")
    write_atomically(path, text.getvalue())
