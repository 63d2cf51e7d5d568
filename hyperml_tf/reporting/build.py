"""Builds the whole report from a runs folder and a record, and writes it."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from absl import logging

from hyperml_tf.errors import InputError
from hyperml_tf.experiments import catalogue
from hyperml_tf.experiments import runs as runs_folder
from hyperml_tf.models import TITLES
from hyperml_tf.reporting import (
    committed,
    documents,
    figures,
    groups,
    missing,
    paper,
    record,
    result_tables,
    tables,
)
from hyperml_tf.reporting import page as pages
from hyperml_tf.training.run_folder import Run, write_atomically


class Sources(NamedTuple):
    """What a report is made from.

    Attributes:
        results: grouped runs.
        runs: (dataset, model, config hash) -> folders of its seeds; empty where only
            the record knows them.
        stats: `stats.json` of each prepared dataset.
        absent: what is missing and why.
        data_dir: the prepared datasets.
    """

    results: groups.Results
    runs: Mapping[tuple[str, str, str], list[Run]]
    stats: Mapping[str, Mapping[str, Any]]
    absent: list[str]
    data_dir: pathlib.Path


def gather(
    runs_dir: pathlib.Path, data_dir: pathlib.Path, recorded: pd.DataFrame | None
) -> tuple[Sources, pd.DataFrame]:
    """Reads runs, the record's rows and the datasets' statistics.

    Args:
        runs_dir: runs.
        data_dir: prepared datasets; need not exist.
        recorded: rows of the record to report along with the runs, or None.

    Returns:
        The sources, and the rows of the record with those of the runs merged in.

    Raises:
        InputError: there is no finished run in either.
    """
    collected = record.collect(runs_folder.finished(runs_dir))
    for reason in collected.skipped:
        logging.warning("skipped %s", reason)
    rows = collected.rows
    if recorded is not None:
        rows = record.merge(recorded, rows)
    if rows.empty:
        raise InputError(
            f"no finished runs in {runs_dir}; train some (python -m hyperml_tf.train "
            "--config=run_configs/ml100k.py) or name a record "
            "(--record=run_configs/results.csv)"
        )
    results = groups.results(rows, committed.settings, committed.published)
    stats = statistics(data_dir)
    absent = missing.missing(results, TITLES, stats if data_dir.is_dir() else None)
    absent += missing.unfinished(runs_dir)
    absent += [f"Skipped, its files are not whole: {s}." for s in collected.skipped]
    by_group: dict[tuple[str, str, str], list[Run]] = {}
    for run in collected.runs:
        by_group.setdefault((run.dataset, run.model, run.config_hash), []).append(run)
    return Sources(results, by_group, stats, absent, data_dir), rows


def statistics(data_dir: pathlib.Path) -> dict[str, dict[str, Any]]:
    """`stats.json` of every readable prepared dataset."""
    found = {}
    for path in sorted(data_dir.glob("*/stats.json")):
        try:
            found[path.parent.name] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            logging.warning("skipped %s: %s", path, error)
    return found


def all_tables(sources: Sources) -> dict[str, tables.Table]:
    """Every table of the report by name."""
    results = sources.results
    built = [
        result_tables.summary(results, TITLES),
        result_tables.table1(sources.stats),
        result_tables.table2(results, TITLES, pd.DataFrame()),
        result_tables.table2_full(results, TITLES),
        result_tables.table3(results),
        documents.provenance_table(results, TITLES),
    ]
    return {table.name: table for table in built if table.rows}


def convergence(sources: Sources, folder: pathlib.Path) -> list[figures.Figure]:
    """One figure for each trained model on each dataset."""
    drawn = []
    results = sources.results
    for dataset in results.datasets:
        for model in result_tables.MODELS:
            group = results.main.get((dataset, model))
            runs = group and sources.runs.get((dataset, model, group.config_hash))
            if not runs:
                continue
            title = f"{TITLES[model]} on {paper.dataset_title(dataset)}"
            drawing = figures.convergence(
                runs, title, results.published(dataset, model)
            )
            if drawing is None:
                continue
            norms = " and norms in units of the radius" if drawing.axes[2:] else ""
            caption = (
                f"Training loss, metrics on the validation items{norms} "
                f"by epoch; {figures.epochs_of(runs)}. Line: mean; band: one sample "
                "standard deviation; faint: each seed."
            )
            name = f"convergence_{dataset}_{model}"
            heading = f"Convergence of {title}"
            drawn.append(figures.save(drawing, folder, name, heading, caption))
    return drawn


def write(sources: Sources, output: pathlib.Path) -> None:
    """Writes tables, figures and `report.html` into `output`."""
    built = all_tables(sources)
    folder = output / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for table in built.values():
        text = f"# {table.title}\n\n{tables.markdown(table)}\n"
        write_atomically(folder / f"{table.name}.md", text)
        write_atomically(folder / f"{table.name}.csv", tables.comma_separated(table))
    figures.use_style()
    drawn = convergence(sources, output / "figures")
    html = pages.page(
        "HyperML on TensorFlow: report",
        _lead(sources),
        _sections(sources, built, drawn),
    )
    write_atomically(output / "report.html", html)
    logging.info(
        "%s: %d tables, %d figures", output / "report.html", len(built), len(drawn)
    )


def _lead(sources: Sources) -> list[str]:
    results = sources.results
    count = sum(group.n for group in results.groups)
    names = ", ".join(paper.dataset_title(d) for d in results.datasets)
    return [
        "HyperML: A Boosting Metric Learning Approach in Hyperbolic Space for "
        "Recommender Systems (Vinh Tran et al., WSDM 2020), run again on TensorFlow.",
        f"{count} finished runs of {len(results.groups)} configurations on {names}. "
        "Every number comes from recorded files.",
    ]


def _sections(
    sources: Sources,
    built: Mapping[str, tables.Table],
    drawn: Sequence[figures.Figure],
) -> list[pages.Section]:
    def named(*names: str) -> list[tables.Table]:
        return [built[name] for name in names if name in built]

    section = pages.Section
    return [
        section("overview", "Results", tables=named("results")),
        section("missing", "What is missing, and why", items=sources.absent),
        section(
            "paper", "The paper's tables",
            tables=named("table1", "table2", "table2_full", "table3", "table4"),
        ),
        section("convergence", "Convergence", figures=drawn),
        section(
            "contradictions", "Where the paper contradicts itself",
            items=paper.INCONSISTENCIES,
        ),
        section(
            "provenance", "What was run: settings and environment of every row",
            extra=pages.provenance(sources.results.groups, TITLES),
        ),
    ]  # fmt: skip


def report(
    runs_dir: pathlib.Path,
    data_dir: pathlib.Path,
    output: pathlib.Path | None,
    record_path: pathlib.Path | None = None,
    results_md: pathlib.Path | None = None,
    readme: pathlib.Path | None = None,
) -> None:
    """Does what the command asks for.

    Args:
        runs_dir: runs.
        data_dir: prepared datasets.
        output: folder of the report, None for no report.
        record_path: record to update, and to report along with the runs.
        results_md: document to write from the record.
        readme: document whose table to rewrite from the record.

    Raises:
        InputError: nothing to report, or a document without its markers.
    """
    documented = results_md is not None or readme is not None
    path = record_path or catalogue.FOLDER / "results.csv"
    recorded = record.read(path) if record_path or documented else None
    sources, rows = gather(runs_dir, data_dir, recorded)
    if record_path:
        record.write(record_path, rows)
        logging.info("%s: %d runs", record_path, len(rows))
    if documented:
        write_documents(path, results_md, readme)
    if output:
        write(sources, output)


def write_documents(
    path: pathlib.Path, results_md: pathlib.Path | None, readme: pathlib.Path | None
) -> None:
    """Writes RESULTS.md and the README's table from the record at `path` alone."""
    results = groups.results(record.read(path), committed.settings, committed.published)
    absent = missing.missing(results, TITLES, prepared=None)
    summary = result_tables.summary(results, TITLES)
    if results_md:
        built = [
            summary,
            result_tables.table2(results, TITLES, pd.DataFrame()),
            result_tables.table2_full(results, TITLES),
            result_tables.table3(results),
        ]
        text = documents.results_md(
            [table for table in built if table.rows],
            documents.provenance_table(results, TITLES),
            absent,
        )
        write_atomically(results_md, text)
    if readme:
        block = documents.readme_block(summary, absent)
        text = readme.read_text(encoding="utf-8")
        write_atomically(readme, documents.with_block(text, block, readme))
