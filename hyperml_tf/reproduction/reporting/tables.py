"""A table of text cells, and its Markdown, CSV and HTML.

Numbers are percentages here, and fractions everywhere else.
"""

import csv
import dataclasses
import html
import io
import math
from collections.abc import Collection, Sequence

BLANK = "–"


@dataclasses.dataclass(frozen=True)
class Table:
    """A titled table.

    Attributes:
        name: of its files.
        title: above it.
        header: column heads.
        rows: cells as text, each row as long as the header.
        note: below it.
        text_columns: how many leading columns are text; the rest are numbers.
    """

    name: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    text_columns: int = 1


def without(table: Table, heads: Collection[str]) -> Table:
    """The table without the columns of these heads."""
    kept = [place for place, head in enumerate(table.header) if head not in heads]
    header, *rows = ([row[i] for i in kept] for row in (table.header, *table.rows))
    return dataclasses.replace(table, header=header, rows=rows)


def markdown(table: Table) -> str:
    """The table in Markdown, without its title."""
    rules = ["---"] * table.text_columns
    rules += ["--:"] * (len(table.header) - table.text_columns)
    lines = [table.header, rules, *table.rows]
    text = "\n".join(f"| {' | '.join(_escaped(c) for c in row)} |" for row in lines)
    return text + (f"\n\n{table.note}" if table.note else "")


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def comma_separated(table: Table) -> str:
    """The table as CSV, a blank cell for what is not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(
        [["" if cell == BLANK else cell for cell in row] for row in table.rows]
    )
    return text.getvalue()


def markup(table: Table) -> str:
    """The table as HTML: a figure with caption, scrolling sideways where narrow."""

    def row(cells: Sequence[str], tag: str) -> str:
        marked = [
            f"<{tag}{'' if n < table.text_columns else ' class=n'}>"
            f"{html.escape(cell)}</{tag}>"
            for n, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(marked)}</tr>"

    title = html.escape(table.title)
    body = "\n".join(row(cells, "td") for cells in table.rows)
    note = f"<p class=note>{html.escape(table.note)}</p>" if table.note else ""
    return (
        f'<h3 id="{html.escape(table.name)}">{title}</h3>\n'
        f'<div class=scroll tabindex=0 role=region aria-label="{title}">'
        f"<table><thead>{row(table.header, 'th')}</thead>\n"
        f"<tbody>{body}</tbody></table></div>\n{note}"
    )


def percent(fraction: float | None, digits: int = 2) -> str:
    """0.25314 -> "25.31"; a blank for None and NaN."""
    if fraction is None or math.isnan(fraction):
        return BLANK
    return f"{100 * fraction:.{digits}f}"


def spread(mean: float, std: float) -> str:
    """Mean ± sample standard deviation in per cent; the mean alone for one seed."""
    return percent(mean) if math.isnan(std) else f"{percent(mean)} ± {percent(std)}"


def signed(fraction: float | None, unit: str = "") -> str:
    """0.0214 -> "+2.14"; a blank for None and NaN."""
    if fraction is None or math.isnan(fraction):
        return BLANK
    return f"{100 * fraction:+.2f}{unit}".replace("-", "\N{MINUS SIGN}")
