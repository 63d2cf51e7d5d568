"""Numbers to text: how a table's columns are written, in Markdown and CSV.

Frames hold fractions; readers see percentages. A blank stands for what is not known.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

BLANK = "–"
METRICS = {"ndcg10": "nDCG@10", "hr10": "HR@10"}


def absent(value: Any) -> bool:
    """Whether a cell of a frame is empty."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def percent(fraction: Any, digits: int = 2) -> str:
    """0.25314 -> "25.31"."""
    return BLANK if absent(fraction) else f"{100 * fraction:.{digits}f}"


def spread(mean: float | None, std: float | None) -> str:
    """Mean ± sample standard deviation in per cent; the mean alone for one seed."""
    text = percent(mean)
    return text if absent(mean) or absent(std) else f"{text} ± {percent(std)}"


def signed(fraction: Any, digits: int = 2) -> str:
    """0.0214 -> "+2.14", in percentage points."""
    if absent(fraction):
        return BLANK
    return f"{100 * fraction:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def interval(low: float | None, high: float | None) -> str:
    """An interval of a difference, in percentage points."""
    return BLANK if absent(low) else f"{signed(low)} to {signed(high)}"


def probability(p: Any) -> str:
    """A p-value as one reads it."""
    return BLANK if absent(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def plain(value: Any) -> str:
    """A count, a name or a setting as it is."""
    if absent(value):
        return BLANK
    if isinstance(value, float):  # a frame's counts are floats where some are absent
        return f"{value:,.0f}" if value.is_integer() else f"{value:g}"
    counted = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if counted else str(value)


def listed(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`; "none" without any."""
    names = list(names)
    if not names:
        return "none"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def settings(config: Mapping[str, Any]) -> str:
    """`c 2, margin 0.1`."""
    return ", ".join(f"{k} {plain(v).replace(',', '')}" for k, v in config.items())


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: above it.
        fields: the frame's columns that it shows.
        write: makes its text of them.
        number: whether it is set to the right.
    """

    head: str
    fields: tuple[str, ...]
    write: Callable[..., str] = plain
    number: bool = True


def _ours_or_paper(mean: Any, std: Any, source: str) -> str:
    return percent(mean, 3) if source == "paper" else spread(mean, std)


def _given(write: Callable[..., str]) -> Callable[..., str]:
    """The same, with a blank where its first value is absent."""
    return lambda first, *others: BLANK if absent(first) else write(first, *others)


def _spread_of_fraction(mean: Any, std: Any) -> str:
    return BLANK if absent(mean) else f"{mean:.2f} ± {std:.2f}"


#: Kind of a column -> what writes it, and which fields it takes of those that it names.
KINDS: dict[str, tuple[Callable[..., str], str]] = {
    "text": (plain, "{0}"),
    "count": (plain, "{0}"),
    "percent": (percent, "{0}"),
    "printed": (lambda value: percent(value, 3), "{0}"),
    "mean": (spread, "{0} {0}_std"),
    "ours": (_ours_or_paper, "{0} {0}_std {1}"),
    "signed": (signed, "{0}"),
    "change": (_given(lambda value: f"{signed(value)} %"), "{0}"),
    "interval": (interval, "{0} {1}"),
    "p": (probability, "{0}"),
    "one_digit": (_given(lambda value: f"{value:.1f}"), "{0}"),
    "fraction": (_spread_of_fraction, "{0} {0}_std"),
    "two_digits": (_given(lambda value: f"{value:.2f}"), "{0}"),
    "of_metric": (_given(lambda v, name: f"{percent(v, 3)} ({name})"), "{0} {1}"),
    "named": (_given(lambda v, name: f"{percent(v)} ({name})"), "{0} {1}"),
    "measured": (lambda m: f"{m[0]:.3f} [{m[1]:.3f}, {m[2]:.3f}]", "{0}"),
}


def column(head: str, description: str) -> Column:
    """A column of a kind: `mean ndcg10` shows `ndcg10` and `ndcg10_std`."""
    kind, *fields = description.split()
    write, taken = KINDS[kind]
    return Column(head, tuple(taken.format(*fields).split()), write, kind != "text")


@dataclasses.dataclass(frozen=True)
class Table:
    """A frame of numbers, and how a reader sees it.

    Attributes:
        name: of its files.
        title: above it.
        frame: the numbers.
        columns: how they are written.
        note: below it.
    """

    name: str
    title: str
    frame: pd.DataFrame
    columns: Sequence[Column]
    note: str = ""

    @property
    def header(self) -> list[str]:
        """Column heads."""
        return [column.head for column in self.columns]

    @property
    def rows(self) -> list[list[str]]:
        """The cells as text."""
        return [
            [
                column.write(*(row.get(f) for f in column.fields))
                for column in self.columns
            ]
            for row in self.frame.astype(object).to_dict("records")
        ]

    def without(self, *heads: str) -> "Table":
        """The table without the columns of these heads."""
        kept = [column for column in self.columns if column.head not in heads]
        return dataclasses.replace(self, columns=kept)

    def of(self, **values: Any) -> "Table":
        """The table with those rows alone that have these values."""
        frame = self.frame
        for field, value in values.items():
            wanted = value if isinstance(value, list | tuple) else [value]
            frame = frame[frame[field].isin(wanted)]
        return dataclasses.replace(self, frame=frame)

    @property
    def markdown(self) -> str:
        """The table in Markdown, without title and note."""
        rules = ["--:" if column.number else "---" for column in self.columns]
        lines = [self.header, rules, *self.rows]
        return "\n".join(f"| {' | '.join(map(_in_markdown, row))} |" for row in lines)

    @property
    def csv(self) -> str:
        """The frame as CSV: fractions, not percentages."""
        fields = dict.fromkeys(f for column in self.columns for f in column.fields)
        kept = [field for field in fields if field in self.frame]
        return self.frame[kept].to_csv(index=False, lineterminator="\n")


def _in_markdown(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
