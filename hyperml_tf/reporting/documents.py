"""RESULTS.md and the README's table: generated from the record, never typed."""

import pathlib
from collections.abc import Mapping, Sequence

from hyperml_tf.errors import InputError
from hyperml_tf.reporting.groups import Results
from hyperml_tf.reporting.tables import Table, markdown

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
_COMMAND = "python -m hyperml_tf.report"


def results_md(
    tables: Sequence[Table], provenance: Table, absent: Sequence[str]
) -> str:
    """The text of RESULTS.md."""
    parts = [
        "# Results",
        f"Generated from `run_configs/results.csv` by `{_COMMAND} "
        "--results_md=RESULTS.md`; do not edit.",
    ]
    for table in [*tables, provenance]:
        parts += [f"## {table.title}", markdown(table)]
    if absent:
        parts += ["## What is missing", "\n".join(f"- {line}" for line in absent)]
    return "\n\n".join(parts) + "\n"


def provenance_table(results: Results, titles: Mapping[str, str]) -> Table:
    """Every recorded configuration: seeds, commit, device, minutes."""
    rows = []
    for group in results.groups:
        seconds = group.rows["seconds"]

        def several(column, rows=group.rows):
            return ", ".join(dict.fromkeys(str(value) for value in rows[column]))

        row = [group.dataset, titles[group.model], group.variant, group.config_hash]
        row += map(several, ("seed", "epochs", "best_epoch", "commit", "device"))
        rows.append([*row, f"{seconds.mean() / 60:.1f}"])
    header = ["Dataset", "Model", "Variant", "Config", "Seeds", "Epochs", "Best epochs"]
    header += ["Commit", "Device", "Minutes a seed"]
    title = "Every recorded configuration"
    return Table("configurations", title, header, rows, text_columns=9)


def readme_block(summary: Table, absent: Sequence[str]) -> str:
    """What stands between the README's two markers, markers included."""
    lines = "\n".join(f"- {line}" for line in absent)
    missing = f"\n\nNot run, and why:\n\n{lines}" if absent else ""
    return f"{BEGIN}\n{markdown(summary)}{missing}\n{END}"


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
