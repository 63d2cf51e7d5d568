"""Builds the report, the record and the documents, and writes them."""

import pathlib
from collections.abc import Sequence

import pandas as pd
from absl import logging

from hyperml_tf.files import write_atomically
from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import (
    comparisons,
    figures,
    illustrations,
    own,
    paper,
    strata,
    tables,
)
from hyperml_tf.reproduction.reporting.findings import Findings
from hyperml_tf.reproduction.reporting.formats import Table
from hyperml_tf.reproduction.reporting.page import Section, page
from hyperml_tf.reproduction.reporting.sources import Sources, gather

#: Beside any record: its comparisons, the searches before it, the comparisons by
#: groups of users and items, and the counts of the prepared datasets.
SIGNIFICANCE, SEARCHES = "significance.csv", "searches.csv"
GROUPS, DATASETS = "groups.csv", "datasets.csv"
_COUNTS = (
    "users", "items", "interactions", "interactions_table1", "density_table1",
    "held_out_users",
)  # fmt: skip


def report(
    runs_dir: pathlib.Path,
    data_dir: pathlib.Path,
    output: pathlib.Path | None,
    record_path: pathlib.Path | None = None,
    docs: pathlib.Path | None = None,
    embeddings: bool = True,
) -> None:
    """Does what the command asks for.

    Args:
        runs_dir: runs.
        data_dir: prepared datasets; need not exist.
        output: folder of the report, None for no report.
        record_path: record to update, and to report along with the runs.
        docs: repository whose README, RESULTS.md and docs/ to write from the record.
        embeddings: whether to restore models for the disks, the explorer, coverage and
            novelty.

    Raises:
        InputError: there is nothing to report.
    """
    if output or record_path:
        _report(runs_dir, data_dir, output, record_path, embeddings)
    if docs:
        # Only here: the documents' templates need the whole record.
        from hyperml_tf.reproduction.reporting import documents, facts

        written = documents.write(facts.Facts(record_path or record.RECORD), docs)
        logging.info("%s: %d documents and pictures", docs, len(written))


def _report(runs_dir, data_dir, output, path, embeddings) -> None:
    known = record.read(path) if path else record.read(record.RECORD)[:0]
    beside = path or record.RECORD
    compared = comparisons.read(beside.with_name(SIGNIFICANCE))
    grouped = strata.read(beside.with_name(GROUPS))
    if not path:  # the runs alone
        compared, grouped = compared[:0], grouped[:0]
    sources = gather(runs_dir, data_dir, known, compared, grouped)
    if path:
        record.write(path, sources.rows)
        comparisons.write(path.with_name(SIGNIFICANCE), sources.significance)
        strata.write(path.with_name(GROUPS), sources.strata)
        _write_counts(path.with_name(DATASETS), sources)
        logging.info("%s: %d runs", path, len(sources.rows))
    if output:
        _write_report(sources, output, embeddings)


def _write_counts(path: pathlib.Path, sources: Sources) -> None:
    """Adds the counts of the prepared datasets to those that are recorded."""
    counts = [
        {"dataset": dataset, **{name: stats[name] for name in _COUNTS}}
        for dataset, stats in sources.stats.items()
        if dataset in paper.DATASET_TITLES
    ]
    parts = [pd.DataFrame(counts, columns=["dataset", *_COUNTS])]
    if path.exists():
        parts.insert(0, pd.read_csv(path))
    frame = pd.concat([part for part in parts if len(part)] or parts)
    frame = frame.drop_duplicates("dataset", keep="last")
    frame = frame.sort_values("dataset", key=lambda keys: keys.map(paper.dataset_order))
    write_atomically(path, frame.to_csv(index=False, lineterminator="\n"))


def _write_report(sources: Sources, output: pathlib.Path, embeddings: bool) -> None:
    """Writes tables, figures and `report.html` into `output`."""
    figures.use_style()
    folder = output / "figures"
    mine = sources.own_datasets
    of_paper = len(mine) < len(sources.results.datasets)
    built = tables.of_results(sources.results, sources.significance)
    if of_paper:
        built.insert(0, tables.table1(sources.stats))
    built += [own.table(sources, dataset, embeddings) for dataset in mine]
    drawn = {
        "groups": illustrations.pictured(sources, folder, "groups"),
        "convergence": illustrations.convergence(sources, folder),
        "sweeps": illustrations.swept(sources, folder),
    }
    explorer: list[Section] = []
    if of_paper:
        for name in ("paper", "sweeps", "speed"):
            drawn[f"picture_{name}"] = illustrations.pictured(sources, folder, name)
    if embeddings:
        # Only here: restoring models and t-SNE take their time to load.
        from hyperml_tf.reproduction.reporting.gallery import Gallery

        gallery = Gallery(sources, folder)
        parts = gallery.figure2(), gallery.figure3(), gallery.figure5()
        drawn["space"] = [figure for part in parts for figure in part]
        built += [gallery.norms(), gallery.purity()]
        explorer.append(gallery.explorer())
        sources.absent.extend(gallery.notes)
    shown = {table.name: table for table in built if len(table.frame)}
    (output / "tables").mkdir(parents=True, exist_ok=True)
    for table in shown.values():
        stem = output / "tables" / table.name
        text = f"# {table.title}\n\n{table.markdown}\n\n{table.note}\n"
        write_atomically(stem.with_suffix(".md"), text)
        write_atomically(stem.with_suffix(".csv"), table.csv)
    arrange = _reproduction if of_paper else _own_tables
    title, lead, sections = arrange(sources, shown, drawn, explorer)
    write_atomically(output / "report.html", page(title, lead, sections))
    count = sum(map(len, drawn.values()))
    place = output / "report.html"
    logging.info("%s: %d tables, %d figures", place, len(shown), count)
    for line in own.announced(sources, mine):
        logging.info("%s", line)


def _named(shown: dict[str, Table], *names: str) -> list[Table]:
    return [shown[name] for name in names if name in shown]


def _runs_of(sources: Sources) -> str:
    results = sources.results
    count = sum(group.n for group in results.groups)
    names = ", ".join(paper.dataset_title(d) for d in results.datasets)
    return (
        f"{count} finished runs of {len(results.groups)} configurations on {names}. "
        "Every number comes from recorded files."
    )


def _own_section(sources: Sources, shown: dict[str, Table], drawn: Sequence) -> Section:
    mine = sources.own_datasets
    words = [" ".join(own.sentences(sources, dataset)) for dataset in mine]
    found = _named(shown, *(f"own_{dataset}" for dataset in mine))
    return Section("own", "Which model won", words, tables=found, figures=drawn)


def _own_tables(sources, shown, drawn, explorer):
    """The page for someone's own tables: nothing of the paper."""
    names = ", ".join(sources.own_datasets)
    sections = [
        _own_section(sources, shown, drawn["groups"]),
        *explorer,
        Section(
            "space", "Where users and items lie", figures=drawn.get("space", ()),
            tables=_named(shown, "norms", "genres"),
        ),
        Section("convergence", "Convergence", figures=drawn["convergence"]),
        Section("missing", "What is missing, and why", items=sources.absent),
        Section("settings", "Settings", tables=_named(shown, "variants", "settings")),
        Section("provenance", "What was run", runs=sources.results.groups),
    ]  # fmt: skip
    return f"Recommendations on {names}", [_runs_of(sources)], sections


def _reproduction(sources, shown, drawn, explorer):
    """The page of the paper's datasets, with one's own tables before them if any."""
    lead = [
        "HyperML: A Boosting Metric Learning Approach in Hyperbolic Space for "
        "Recommender Systems (Vinh Tran et al., WSDM 2020), run again on TensorFlow.",
        _runs_of(sources),
    ]

    def named(*names: str) -> list[Table]:
        return _named(shown, *names)

    sections = [
        _own_section(sources, shown, ()),
        Section(
            "overview", "Results",
            items=Findings(sources.results, sources.significance).lines(),
            tables=named("verdicts", "results", "claims", "lead"),
            figures=drawn["picture_paper"],
        ),
        Section("missing", "What is missing, and why", items=sources.absent),
        Section(
            "paper", "The paper's tables",
            tables=named("table1", "table2", "table2_full", "table3"),
        ),
        Section(
            "sweeps", "Sweeps of c and γ", tables=named("table4", "figure4"),
            figures=[*drawn["picture_sweeps"], *drawn["sweeps"]],
        ),
        Section("groups", "For whom", figures=drawn["groups"]),
        Section(
            "variants", "Variants, controls and settings",
            tables=named("variants", "dimensions", "split_order", "settings"),
        ),
        Section(
            "space", "Inside the embeddings: Figs 2, 3 and 5",
            tables=named("norms", "genres"), figures=drawn.get("space", ()),
        ),
        *explorer,
        Section("convergence", "Convergence", figures=drawn["convergence"]),
        Section("speed", "Speed", figures=drawn["picture_speed"]),
        Section(
            "contradictions", "Where the paper contradicts itself",
            items=paper.INCONSISTENCIES,
        ),
        Section(
            "provenance", "What was run: settings and environment of every row",
            runs=sources.results.groups,
        ),
    ]  # fmt: skip
    return "HyperML on TensorFlow: report", lead, sections
