"""Builds the report, the record and the documents, and writes them."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from absl import logging

from hyperml_tf.files import write_atomically
from hyperml_tf.reproduction import record, searches
from hyperml_tf.reproduction.reporting import (
    claims,
    committed,
    comparisons,
    documents,
    figures,
    groups,
    illustrations,
    missing,
    paper,
    result_tables,
    sweeps,
    tables,
    verdicts,
)
from hyperml_tf.reproduction.reporting import page as pages
from hyperml_tf.reproduction.reporting.sources import Sources, gather
from hyperml_tf.reproduction.reporting.tables import Table

#: Beside any record: its table of comparisons, and the searches before it.
SIGNIFICANCE = "significance.csv"
SEARCHES = "searches.csv"


def report(
    runs_dir: pathlib.Path,
    data_dir: pathlib.Path,
    output: pathlib.Path | None,
    record_path: pathlib.Path | None = None,
    results_md: pathlib.Path | None = None,
    readme: pathlib.Path | None = None,
    embeddings: bool = True,
) -> None:
    """Does what the command asks for.

    Args:
        runs_dir: runs.
        data_dir: prepared datasets; need not exist.
        output: folder of the report, None for no report.
        record_path: record to update, and to report along with the runs.
        results_md: document to write from the record.
        readme: document whose table to rewrite from the record.
        embeddings: whether to restore models for Figs 2, 3 and 5 and the explorer.

    Raises:
        InputError: nothing to report, or a document without its markers.
    """
    documented = results_md is not None or readme is not None
    path = record_path or record.RECORD
    known = record.read(path), comparisons.read(path.with_name(SIGNIFICANCE))
    if not (record_path or documented):  # the runs alone
        known = known[0][:0], known[1][:0]
    sources = gather(runs_dir, data_dir, *known)
    if record_path:
        record.write(record_path, sources.rows)
        comparisons.write(record_path.with_name(SIGNIFICANCE), sources.significance)
        logging.info("%s: %d runs", record_path, len(sources.rows))
    if documented:
        _write_documents(path, results_md, readme)
    if output:
        _write_report(sources, output, embeddings)


def recorded_tables(path: pathlib.Path) -> tuple[dict[str, Table], list[str]]:
    """The tables that the record at `path` gives by itself, and what it lacks."""
    rows = record.read(path)
    results = groups.results(rows, committed.settings, committed.published)
    tests = comparisons.current(comparisons.read(path.with_name(SIGNIFICANCE)), results)
    absent = missing.missing(results, prepared=None)
    found = claims.searches(searches.read(path.with_name(SEARCHES)))
    return _by_name([*_result_tables(results, tests), found]), absent


def _result_tables(results: groups.Results, tests: pd.DataFrame) -> list[Table]:
    told = claims.claims(results, tests), claims.lead(results, tests)
    built = [
        verdicts.verdicts(*told),
        result_tables.summary(results),
        result_tables.table2(results, tests),
        result_tables.table2_full(results),
        result_tables.table3(results),
    ]
    for field in ("c", "distortion_weight"):
        found = sweeps.of_field(results, field)
        built.append(result_tables.sweep_table(results, found, field))
    built += [
        *told,
        claims.variants(results, tests),
        claims.dimensions(results, tests),
        result_tables.split_order(results),
        claims.settings(results),
    ]
    return [*built, result_tables.configurations(results)]


def _by_name(built: Iterable[Table]) -> dict[str, Table]:
    return {table.name: table for table in built if table.rows}


def _write_documents(
    path: pathlib.Path, results_md: pathlib.Path | None, readme: pathlib.Path | None
) -> None:
    built, absent = recorded_tables(path)
    if results_md:
        write_atomically(results_md, documents.results_md(list(built.values()), absent))
    if readme:
        text = readme.read_text(encoding="utf-8")
        write_atomically(readme, documents.readme(text, built, absent, readme))


def _write_report(sources: Sources, output: pathlib.Path, embeddings: bool) -> None:
    """Writes tables, figures and `report.html` into `output`."""
    figures.use_style()
    folder = output / "figures"
    built = _by_name(_result_tables(sources.results, sources.significance))
    built |= _by_name([result_tables.table1(sources.stats)])
    drawn = {
        "convergence": illustrations.convergence(sources, folder),
        "sweeps": illustrations.swept(sources, folder),
    }
    explorer: list[pages.Section] = []
    if embeddings:
        # Only here: restoring models and t-SNE take their time to load.
        from hyperml_tf.reproduction.reporting.gallery import Gallery

        gallery = Gallery(sources, folder)
        parts = gallery.figure2(), gallery.figure3(), gallery.figure5()
        drawn["space"] = [figure for part in parts for figure in part]
        built |= _by_name([gallery.norms(), gallery.purity()])
        explorer.append(gallery.explorer())
        sources.absent.extend(gallery.notes)
    (output / "tables").mkdir(parents=True, exist_ok=True)
    for table in built.values():
        stem = output / "tables" / table.name
        text = f"# {table.title}\n\n{tables.markdown(table)}\n"
        write_atomically(stem.with_suffix(".md"), text)
        write_atomically(stem.with_suffix(".csv"), tables.comma_separated(table))
    title = "HyperML on TensorFlow: report"
    html = pages.page(title, _lead(sources), _sections(sources, built, drawn, explorer))
    write_atomically(output / "report.html", html)
    count = sum(map(len, drawn.values()))
    logging.info("%s: %d tables, %d figures", output / "report.html", len(built), count)


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
    built: Mapping[str, Table],
    drawn: Mapping[str, list[figures.Figure]],
    explorer: Sequence[pages.Section],
) -> list[pages.Section]:
    def named(*names: str) -> list[Table]:
        return [built[name] for name in names if name in built]

    section = pages.Section
    return [
        section(
            "overview", "Results",
            tables=named("verdicts", "results", "claims", "lead"),
        ),
        section("missing", "What is missing, and why", items=sources.absent),
        section(
            "paper", "The paper's tables",
            tables=named("table1", "table2", "table2_full", "table3"),
        ),
        section(
            "sweeps", "Sweeps of c and γ",
            tables=named("table4", "figure4"), figures=drawn["sweeps"],
        ),
        section(
            "variants", "Variants, controls and settings",
            tables=named("variants", "dimensions", "split_order", "settings"),
        ),
        section(
            "space", "Inside the embeddings: Figs 2, 3 and 5",
            tables=named("norms", "genres"), figures=drawn.get("space", ()),
        ),
        *explorer,
        section("convergence", "Convergence", figures=drawn["convergence"]),
        section(
            "contradictions", "Where the paper contradicts itself",
            items=paper.INCONSISTENCIES,
        ),
        section(
            "provenance", "What was run: settings and environment of every row",
            extra=pages.provenance(sources.results.groups),
        ),
    ]  # fmt: skip
