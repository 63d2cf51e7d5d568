"""Table 1 of the paper, ours beside theirs.

The paper's "interactions" are N + 2U: every user's two held-out items counted
twice. All seven public datasets agree with that to within 1K, and so does the
density column (Movie1M: 4.52 %, where N alone gives 4.47 %).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep import folder
from data_prep.sources import DATASETS, PAPER_KEYS, Dataset, Paper


def disagreements(paper: Paper, stats: Mapping[str, Any]) -> list[str]:
    """Where the counts are further from Table 1 than its own rounding.

    One whole unit of the last printed digit is allowed: the paper prints
    Clothing's 357,451 as 358K.
    """
    ours = stats["interactions_table1"], stats["users"], stats["items"]
    printed = paper.interactions, paper.users, paper.items
    units = paper.interactions_unit, 1_000, 1_000
    names = "interactions (N + 2U)", "users", "items"
    return [
        f"{name} {count:,} (paper {expected:,})"
        for name, count, expected, unit in zip(names, ours, printed, units, strict=True)
        if abs(count - expected) > unit
    ]


def count_errors(dataset: Dataset, stats: Mapping[str, Any]) -> list[str]:
    """Where the counts differ from the publisher's exact ones."""
    if dataset.counts is None:
        return []
    return [
        f"{name} {stats[name]:,} instead of {expected:,}"
        for name, expected in dataset.counts._asdict().items()
        if stats[name] != expected
    ]


def statistics(data_dir: Path) -> str:
    """Table 1 in Markdown: all ten, then what else is prepared in `data_dir`."""
    prepared = {}
    if data_dir.is_dir():
        for path in sorted(data_dir.iterdir()):
            stats = folder.read_stats(path)
            if stats is not None and not path.name.startswith("."):
                prepared[path.name] = stats
    others = [key for key in prepared if key not in PAPER_KEYS]
    lines = [
        "| dataset | users | items | N | N + 2U | density % "
        "| paper: interactions | users | items | density % | agrees |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for key in (*PAPER_KEYS, *others):
        lines.append(_line(key, prepared.get(key)))
    return "\n".join(lines)


def _line(key: str, stats: Mapping[str, Any] | None) -> str:
    dataset = DATASETS.get(key)
    ours = [""] * 5
    if stats is not None:
        names = ("users", "items", "interactions", "interactions_table1")
        ours = [f"{stats[name]:,}" for name in names]
        ours.append(f"{100 * stats['density_table1']:.2f}")
    theirs, agrees = ["–"] * 4, "–"
    if dataset is not None and dataset.paper is not None:
        paper = dataset.paper
        unit = paper.interactions_unit
        suffix = "M" if unit == 1_000_000 else "K"
        theirs = [f"{paper.interactions // unit}{suffix}"]
        theirs += [f"{paper.users // 1000}K", f"{paper.items // 1000}K"]
        theirs.append(f"{paper.density_percent:.2f}")
        agrees = "not prepared"
        if stats is not None:
            agrees = "no" if disagreements(paper, stats) else "yes"
    return "| " + " | ".join([key, *ours, *theirs, agrees]) + " |"
