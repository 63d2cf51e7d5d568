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
from hyperml_tf.reproduction.reporting.groups import Group
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

    @property
    def of_paper(self) -> bool:
        """Whether there is any other dataset."""
        return len(self.own_datasets) < len(self.results.datasets)

    def runs_of(self, dataset: str, name: str | Name) -> Sequence[Run]:
        """Runs here of what stands for a name on a dataset, by seed."""
        return self.runs_of_group(self.results.row(dataset, name))

    def runs_of_group(self, group: Group | None) -> Sequence[Run]:
        """Runs here of a configuration, by seed."""
        if group is None:
            return ()
        runs = self.runs.get((group.dataset, group.model, group.config_hash), ())
        return sorted(runs, key=lambda run: run.seed)


def gather(
    runs_dir: pathlib.Path, data_dir: pathlib.Path, path: pathlib.Path | None = None
) -> Sources:
    """Reads runs, a record and the datasets' statistics.

    Args:
        runs_dir: runs.
        data_dir: prepared datasets; need not exist.
        path: record to report along with the runs; the tables beside it are
            `significance.csv` and `groups.csv`.

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
    rows = collected.rows
    if path:
        rows = record.merge(record.read(path), rows)
    if rows.empty:
        others = f" but {len(unscored)} on all data" if unscored else ""
        raise InputError(
            f"no finished runs in {runs_dir}{others}; train some (python "
            "-m hyperml_tf.train --config=run_configs/ml100k.py) or name a record "
            "(--record=run_configs/results.csv)"
        )
    results = groups.results(rows, committed.settings, committed.published)
    stats = _statistics(data_dir)
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
    tests = comparisons.compare_all(results, by_group)
    grouped = strata.compare_all(results, by_group, data_dir)
    if path:
        known = comparisons.read(path.with_name("significance.csv"))
        tests = comparisons.merged(comparisons.current(known, results), tests)
        known = comparisons.read_table(path.with_name("groups.csv"), strata.COLUMNS)
        grouped = strata.merged(known, grouped)
    else:
        tests = comparisons.merged(tests[:0], tests)
    return Sources(
        results, rows, by_group, tests, grouped, stats, absent, data_dir, runs_dir
    )


def _statistics(data_dir: pathlib.Path) -> dict[str, dict[str, Any]]:
    """`stats.json` of every readable prepared dataset."""
    found = {}
    for path in sorted(data_dir.glob("*/stats.json")):
        try:
            found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            logging.warning("skipped %s: %s", path, error)
    return found
