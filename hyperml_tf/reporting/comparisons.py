"""HyperML against the best baseline of each dataset: `run_configs/significance.csv`.

Made from the per-user ranks in the run folders and kept beside the record, so that
tables can be built where the runs are not. `interval` is JSON, [low, high]; metrics
are fractions; `p` is Wilcoxon's, `p_holm` the same corrected over datasets.
"""

import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import logging

from hyperml_tf.errors import InputError
from hyperml_tf.evaluation import significance
from hyperml_tf.reporting.groups import Group, Results
from hyperml_tf.training.run_folder import Run, write_atomically

COLUMNS = (
    "dataset", "pair", "metric", "difference", "interval", "p", "p_holm", "users",
    "seeds",
)  # fmt: skip
_KEY = ["dataset", "metric"]

#: (dataset, model, config hash) -> its runs on this machine.
RunsOf = Mapping[tuple[str, str, str], Sequence[Run]]


def pair(group: Group, other: Group) -> str:
    """How a comparison is named."""
    return f"{group.model} - {other.model}"


def compare_all(results: Results, runs: RunsOf) -> pd.DataFrame:
    """One row per dataset and metric whose two sides have runs here, uncorrected."""
    rows = []
    for dataset in results.datasets:
        ours = results.of(dataset, "hyperml")
        for metric in significance.METRICS:
            baseline = results.best_baseline(dataset, metric)
            if ours is None or baseline is None:
                continue
            row = _compare(ours, baseline, metric, runs)
            if row is not None:
                rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _compare(
    ours: Group, baseline: Group, metric: str, runs: RunsOf
) -> dict[str, Any] | None:
    both = []
    for group in (ours, baseline):
        key = group.dataset, group.model, group.config_hash
        both.append({run.seed: run for run in runs.get(key, ())})
    # Equal numbers of seeds: averaging over more makes ranks less extreme.
    seeds = sorted(both[0].keys() & both[1].keys())
    if not seeds:
        return None
    name = f"{ours.dataset}: {pair(ours, baseline)}"
    chosen = [runs_of[seed] for runs_of in both for seed in seeds]
    if len({run.environment.get("data_fingerprint") for run in chosen}) > 1:
        logging.warning("not compared, prepared data differ: %s", name)
        return None
    try:
        ranks = [np.load(run.folder / "test_ranks.npy").astype(float) for run in chosen]
        found = significance.compare(ranks[: len(seeds)], ranks[len(seeds) :], metric)
    except (OSError, ValueError, EOFError) as error:
        logging.warning("not compared, no ranks to read: %s (%s)", name, error)
        return None
    return {
        "dataset": ours.dataset,
        "pair": pair(ours, baseline),
        "metric": metric,
        "difference": round(found.difference, 6),
        "interval": [round(found.low, 6), round(found.high, 6)],
        "p": float(f"{found.p:.4g}"),
        "p_holm": float("nan"),
        "users": found.users,
        "seeds": len(seeds),
    }


def merged(recorded: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """New rows in place of recorded ones, Holm-corrected over all datasets."""
    parts = [part for part in (recorded, new) if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = pd.concat(parts).drop_duplicates(_KEY, keep="last")
    rows = rows.sort_values(_KEY, ignore_index=True)
    for _, family in rows.groupby("metric"):
        rows.loc[family.index, "p_holm"] = significance.holm(family["p"].tolist())
    return rows


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


def by_cell(rows: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(dataset, metric, pair) -> its row, for Table 2."""
    return {
        (row["dataset"], row["metric"], row["pair"]): row
        for row in rows.to_dict("records")
    }
