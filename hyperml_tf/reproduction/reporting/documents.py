"""RESULTS.md and the README's tables: generated from the record, never typed."""

import pathlib
from collections.abc import Mapping, Sequence

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction.reporting.tables import Table, markdown, without

_COMMAND = "python -m hyperml_tf.report"
# Columns that the README leaves to RESULTS.md.
_LEFT_TO_RESULTS = (
    "difference",
    "nDCG@10 (discount from rank 2)",
    "HR@10, full catalogue",
)


def results_md(tables: Sequence[Table], absent: Sequence[str]) -> str:
    """The text of RESULTS.md."""
    parts = [
        "# Results",
        f"Generated from `run_configs/results.csv` by `{_COMMAND} "
        "--results_md=RESULTS.md`; do not edit.",
    ]
    for table in tables:
        parts += [f"## {table.title}", markdown(table)]
    if absent:
        parts += ["## What is missing", "\n".join(f"- {line}" for line in absent)]
    return "\n\n".join(parts) + "\n"


def readme(
    text: str,
    tables: Mapping[str, Table],
    absent: Sequence[str],
    name: str | pathlib.Path = "README.md",
) -> str:
    """The README's `text` with its tables as they are now.

    Args:
        text: with markers around each table.
        tables: by name; those of the README are "verdicts" and "results".
        absent: what was not run, and why.
        name: of the document, for messages.

    Raises:
        InputError: a pair of markers is not there, once each and in order.
    """
    lines = "\n".join(f"- {line}" for line in absent)
    missing = f"\n\nNot run, and why:\n\n{lines}" if absent else ""
    results = markdown(without(tables["results"], _LEFT_TO_RESULTS)) + missing
    text = _with_block(text, "results", results, name)
    if "verdicts" not in tables:
        return text
    return _with_block(text, "verdicts", markdown(tables["verdicts"]), name)


def _with_block(text: str, block: str, content: str, name: str | pathlib.Path) -> str:
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise InputError(f"{name} must hold {begin} and {end} once each")
    before, rest = text.split(begin)
    if end not in rest:
        raise InputError(f"in {name}, {end} stands before {begin}")
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"
