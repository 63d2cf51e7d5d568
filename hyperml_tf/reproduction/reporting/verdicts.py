"""The claims on one screen: a row for each, a column for each dataset."""

from collections.abc import Mapping, Sequence

from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.result_tables import METRIC_TITLES
from hyperml_tf.reproduction.reporting.tables import BLANK, Table

_LEAD = "A hyperbolic row leads, + included (not in the paper)"
_ANSWERS = {"yes": "holds", "no": "fails"}


def verdicts(claims: Table, lead: Table) -> Table:
    """What `claims.claims` and `claims.lead` found, on the paper's datasets."""
    found: dict[str, dict[str, dict[str, tuple[str, str]]]] = {}
    told = [_named(claims, row) for row in claims.rows]
    told += [_named(lead, row) | {"Claim": _LEAD} for row in lead.rows]
    for row in told:
        verdict = row.get("Verdict") or row["Hyperbolic leads"]
        verdict = _ANSWERS.get(verdict, verdict)
        of_claim = found.setdefault(row["Claim"], {}).setdefault(row["Dataset"], {})
        of_claim[row["Metric"]] = verdict, row["Difference"]
    shown = [
        title
        for title in map(paper.dataset_title, paper.TABLE1)
        if any(title in datasets for datasets in found.values())
    ]
    rows = [
        [claim, *(_cell(datasets.get(title, {})) for title in shown)]
        for claim, datasets in found.items()
        if not datasets.keys().isdisjoint(shown)
    ]
    note = (
        f"{' / '.join(METRIC_TITLES.values())}: differences in points among 100 "
        "sampled negatives. A claim holds (fails) where the 95 % interval over users "
        "lies above (below) 0 and p, Wilcoxon's with Holm's correction, is under .05."
    )
    title = "The paper's claims at a glance"
    return Table("verdicts", title, ["Claim", *shown], rows, note, len(shown) + 1)


def _named(table: Table, row: Sequence[str]) -> dict[str, str]:
    return dict(zip(table.header, row, strict=True))


def _cell(by_metric: Mapping[str, tuple[str, str]]) -> str:
    """What a claim comes to: `holds +0.63 / +1.09`; two words where two verdicts."""
    words, before = [], None
    for title in METRIC_TITLES.values():
        if title not in by_metric:
            continue
        verdict, difference = by_metric[title]
        spoken = () if verdict in (before, BLANK) else (verdict,)
        only = () if len(by_metric) > 1 else (f"({title})",)
        words.append(" ".join((*spoken, difference, *only)))
        before = verdict
    return " / ".join(words) or BLANK
