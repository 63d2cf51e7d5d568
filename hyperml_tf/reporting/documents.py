"""RESULTS.md and the README's table: generated from the record, never typed."""

import pathlib
from collections.abc import Sequence

from hyperml_tf.errors import InputError
from hyperml_tf.reporting.tables import Table, markdown, without

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
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


def readme_block(summary: Table, absent: Sequence[str]) -> str:
    """What stands between the README's two markers, markers included."""
    lines = "\n".join(f"- {line}" for line in absent)
    missing = f"\n\nNot run, and why:\n\n{lines}" if absent else ""
    short = without(summary, _LEFT_TO_RESULTS)
    return f"{BEGIN}\n{markdown(short)}{missing}\n{END}"


def with_block(text: str, block: str, name: str | pathlib.Path) -> str:
    """`text` with `block` in place of what stood between the markers.

    Raises:
        InputError: the markers are not there, once each and in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"{name} must hold {BEGIN} and {END} once each")
    before, rest = text.split(BEGIN)
    if END not in rest:
        raise InputError(f"in {name}, {END} stands before {BEGIN}")
    return before + block + rest.split(END)[1]
