"""Builds the report, the record and the documents, and writes them."""

import pathlib
from collections.abc import Mapping, Sequence

import pandas as pd
from absl import logging

from hyperml_tf.errors import InputError
from hyperml_tf.files import write_atomically
from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import (
    comparisons,
    curvature,
    figures,
    illustrations,
    own,
    paper,
    result_frames,
    tables,
)
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.findings import Findings
from hyperml_tf.reproduction.reporting.formats import Table
from hyperml_tf.reproduction.reporting.page import Section, page
from hyperml_tf.reproduction.reporting.sources import Sources, gather

#: Beside any record: its comparisons, and the searches before it.
SIGNIFICANCE, SEARCHES = "significance.csv", "searches.csv"
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
        InputError: there is nothing to report, or `docs` is no checkout.
    """
    if docs and not (docs / "pyproject.toml").exists():
        raise InputError(
            f"--docs writes the documents of a checkout, and {docs} is an installed "
            "package; clone the repository and run the command there"
        )
    if output or record_path:
        sources = gather(runs_dir, data_dir, record_path)
        if record_path:
            _write_record(sources, record_path)
        if output:
            _write_report(sources, output, embeddings)
    if docs:
        # Only here: the documents' templates need the whole record.
        from hyperml_tf.reproduction.reporting import documents, facts

        written = documents.write(facts.Facts(record_path or record.RECORD), docs)
        logging.info("%s: %d documents and pictures", docs, len(written))


def _write_record(sources: Sources, path: pathlib.Path) -> None:
    """Writes the record and the tables beside it."""
    record.write(path, sources.rows)
    comparisons.write(path.with_name(SIGNIFICANCE), sources.significance)
    _write_csv(path.with_name("groups.csv"), sources.strata)
    counts = path.with_name("datasets.csv")
    known = comparisons.read_table(counts, ["dataset", *_COUNTS]).set_index("dataset")
    for dataset, stats in sources.stats.items():
        if dataset in paper.DATASET_TITLES:
            known.loc[dataset] = pd.Series({name: stats[name] for name in _COUNTS})
    known = known.convert_dtypes().reset_index()
    order = known["dataset"].map(paper.dataset_order)
    _write_csv(counts, known.iloc[order.argsort()])
    beside = path.with_name(curvature.FILE)
    deltas = curvature.measured(curvature.read(beside), sources.stats, sources.data_dir)
    _write_csv(beside, deltas)
    logging.info("%s: %d runs", path, len(sources.rows))


def _write_csv(path: pathlib.Path, frame: pd.DataFrame) -> None:
    write_atomically(path, frame.to_csv(index=False, lineterminator="\n"))


def _write_report(sources: Sources, output: pathlib.Path, embeddings: bool) -> None:
    """Writes tables, figures and `report.html` into `output`."""
    figures.use_style()
    built = tables.of_results(sources.results, sources.significance)
    if sources.of_paper:
        built.insert(0, tables.noted("table1", result_frames.table1(sources.stats)))
    built += [own.table(sources, d, embeddings) for d in sources.own_datasets]
    drawn = illustrations.drawn(sources, output / "figures")
    explorer: list[Section] = []
    if embeddings:
        # Only here: restoring models and t-SNE take their time to load.
        from hyperml_tf.reproduction.reporting.gallery import Gallery

        gallery = Gallery(sources, output / "figures")
        drawn["space"] = gallery.figures()
        built += [gallery.norms(), gallery.purity()]
        explorer = [gallery.explorer()]
        sources.absent.extend(gallery.notes)
    shown = {table.name: table for table in built if len(table.frame)}
    (output / "tables").mkdir(parents=True, exist_ok=True)
    for table in shown.values():
        stem = output / "tables" / table.name
        text = f"# {table.title}\n\n{table.markdown}\n\n{table.note}\n"
        write_atomically(stem.with_suffix(".md"), text)
        write_atomically(stem.with_suffix(".csv"), table.csv)
    place = output / "report.html"
    write_atomically(place, _page(sources, shown, drawn, explorer))
    count = sum(map(len, drawn.values()))
    logging.info("%s: %d tables, %d figures", place, len(shown), count)
    for line in own.announced(sources):
        logging.info("%s", line)


#: Sections of the page of the paper's datasets: key, heading, tables; figures have
#: the section's key.
_PAPER = (
    ("own", "Which model won", ""),
    ("overview", "Results", "verdicts results claims lead"),
    ("missing", "What is missing, and why", ""),
    ("tables", "The paper's tables", "table1 table2 table3"),
    ("sweeps", "Sweeps of c and γ", "table4 figure4"),
    ("groups", "For whom", ""),
    ("variants", "Variants and controls", "variants dimensions split_order"),
    ("space", "Inside the embeddings: Figs 2, 3 and 5", "norms genres"),
    ("explorer", "", ""),
    ("convergence", "Convergence", ""),
    ("speed", "Speed", ""),
    ("contradictions", "Where the paper contradicts itself", ""),
    ("runs", "What was run", "configurations"),
)
#: Likewise of the page of someone's own tables, which says nothing of the paper.
_OWN = (
    ("own", "Which model won", ""),
    ("groups", "For whom", ""),
    ("explorer", "", ""),
    ("space", "Where users and items lie", "norms genres"),
    ("convergence", "Convergence", ""),
    ("missing", "What is missing, and why", ""),
    ("runs", "What was run", "variants configurations"),
)
_THE_PAPER = (
    "HyperML: A Boosting Metric Learning Approach in Hyperbolic Space for Recommender "
    "Systems (Vinh Tran et al., WSDM 2020), run again on TensorFlow."
)


def _page(
    sources: Sources,
    shown: Mapping[str, Table],
    drawn: Mapping[str, Sequence[Figure]],
    explorer: Sequence[Section],
) -> str:
    results, mine = sources.results, sources.own_datasets
    lead = (
        f"{len(sources.rows)} finished runs of {len(results.groups)} configurations on "
        f"{paper.listed(results.datasets)}. Every number comes from recorded files."
    )
    items = {
        "own": [line for dataset in mine for line in own.sentences(sources, dataset)],
        "overview": Findings(results, sources.significance).lines(),
        "missing": sources.absent,
        "contradictions": paper.INCONSISTENCIES,
    }
    of_section = {"own": [f"own_{dataset}" for dataset in mine]}
    sections: list[Section] = []
    for key, title, names in _PAPER if sources.of_paper else _OWN:
        if key == "explorer":
            sections += explorer
            continue
        found = [shown[n] for n in of_section.get(key, names.split()) if n in shown]
        figures_of = drawn.get(key, ())
        sections.append(Section(key, title, (), items.get(key, ()), found, figures_of))
    if sources.of_paper:
        return page("HyperML on TensorFlow: report", [_THE_PAPER, lead], sections)
    return page(f"Recommendations on {', '.join(mine)}", [lead], sections)
