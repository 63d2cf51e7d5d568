"""What a report is made from: runs, the record, the datasets' statistics."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from absl import logging

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import (
    committed,
    comparisons,
    groups,
    missing,
    paper,
    strata,
)
from hyperml_tf.training import runs as runs_folder
from hyperml_tf.training.configuration import Name
from hyperml_tf.training.run_folder import Run


class Sources(NamedTuple):
    """What a report is made from.

    Attributes:
        results: grouped runs.
        rows: the same as rows of the record.
        runs: (dataset, model, config hash) -> folders of its seeds; empty where only
            the record knows them.
        significance: rows of `comparisons`.
        strata: rows of `strata`.
        stats: `stats.json` of each prepared dataset.
        absent: what is missing and why.
        data_dir: the prepared datasets.
        runs_dir: the runs.
    """

    results: groups.Results
    rows: pd.DataFrame
    runs: comparisons.RunsOf
    significance: pd.DataFrame
    strata: pd.DataFrame
    stats: Mapping[str, Mapping[str, Any]]
    absent: list[str]
    data_dir: pathlib.Path
    runs_dir: pathlib.Path

    @property
    def own_datasets(self) -> list[str]:
        """Tables of the user's own: neither the paper's datasets nor the demo's."""
        return [d for d in self.results.datasets if d not in paper.DATASET_TITLES]

    def runs_of(self, dataset: str, name: str | Name) -> Sequence[Run]:
        """Runs here of what stands for a name on a dataset."""
        group = self.results.row(dataset, name)
        if group is None:
            return ()
        return self.runs.get((dataset, group.model, group.config_hash), ())


def gather(
    runs_dir: pathlib.Path,
    data_dir: pathlib.Path,
    recorded: pd.DataFrame,
    compared: pd.DataFrame,
    grouped: pd.DataFrame | None = None,
) -> Sources:
    """Reads runs, the record's rows and the datasets' statistics.

    Args:
        runs_dir: runs.
        data_dir: prepared datasets; need not exist.
        recorded: rows of the record to report along with the runs.
        compared: likewise of the significance table.
        grouped: likewise of the comparisons by groups of users and items.

    Raises:
        InputError: there is no finished run in either.
    """
    collected = record.collect(runs_folder.finished(runs_dir))
    for reason in collected.skipped:
        logging.warning("skipped %s", reason)
    root = runs_dir.absolute()
    unscored = [str(run.folder.relative_to(root)) for run in collected.unscored]
    for name in unscored:
        logging.info("left out %s: trained on all data, it has no metrics", name)
    rows = record.merge(recorded, collected.rows)
    if rows.empty:
        others = f" but {len(unscored)} on all data" if unscored else ""
        raise InputError(
            f"no finished runs in {runs_dir}{others}; train some (python "
            "-m hyperml_tf.train --config=run_configs/ml100k.py) or name a record "
            "(--record=run_configs/results.csv)"
        )
    results = groups.results(rows, committed.settings, committed.published)
    stats = statistics(data_dir)
    absent = missing.missing(results, stats if data_dir.is_dir() else None)
    absent += missing.unfinished(runs_dir)
    if unscored:
        absent.append(
            f"Trained on all data, so without metrics: {', '.join(unscored)}."
        )
    absent += [f"Skipped, its files are not whole: {s}." for s in collected.skipped]
    by_group: dict[tuple[str, str, str], list[Run]] = {}
    for run in collected.runs:
        by_group.setdefault((run.dataset, run.model, run.config_hash), []).append(run)
    known = comparisons.current(compared, results)
    tests = comparisons.merged(known, comparisons.compare_all(results, by_group))
    groups_now = strata.compare_all(results, by_group, data_dir)
    return Sources(
        results, rows, by_group, tests, strata.merged(grouped, groups_now), stats,
        absent, data_dir, runs_dir,
    )  # fmt: skip


def statistics(data_dir: pathlib.Path) -> dict[str, dict[str, Any]]:
    """`stats.json` of every readable prepared dataset."""
    found = {}
    for path in sorted(data_dir.glob("*/stats.json")):
        try:
            found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            logging.warning("skipped %s: %s", path, error)
    return found
