"""The tables of report and documents: which numbers they show, under which heads.

Titles and notes are words, and stand in `templates/notes.md.j2`.
"""

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import pandas as pd

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction.reporting import formats, paper, result_frames
from hyperml_tf.reproduction.reporting.formats import (
    BLANK,
    METRICS,
    Column,
    Table,
    mean,
    percent,
    signed,
    tested,
    text,
)
from hyperml_tf.reproduction.reporting.groups import Results

_NOTES = pathlib.Path(__file__).parent / "templates" / "notes.md.j2"
_FULL = "nDCG@10, full catalogue"
_WHERE, _MODEL, _N = (
    text("Dataset", "where"),
    text("Model", "model"),
    Column("n", ("n",)),
)
_METRIC = text("Metric", "metric")


def noted(
    name: str, frame: pd.DataFrame, columns: Sequence[Column], **words: str
) -> Table:
    """A table with its title and note.

    Args:
        name: of the table.
        frame: its numbers.
        columns: how they are written.
        **words: what its note has to name.
    """
    parts = re.split(
        r"^# (\w+) \| (.*)$", _NOTES.read_text("utf-8"), flags=re.MULTILINE
    )
    place = parts.index(name)
    note = jinja2.Template(parts[place + 2]).render(level=result_frames.LEVEL, **words)
    return Table(name, parts[place + 1], frame, columns, " ".join(note.split()))


def of_results(results: Results, significance: pd.DataFrame) -> list[Table]:
    """All tables that the record gives."""
    asked = result_frames.tests(results, significance)
    claims = result_frames.claims(results, asked)
    cml = which_cml(results)
    of_paper = [_ours_or_paper(DEFINITIONS[m].title, m) for m in paper.TABLE2_MODELS]
    summary, variants = (
        [_WHERE, _MODEL, _N],
        [_WHERE, _MODEL, text("Changed", "changed"), _N],
    )
    dimensions = [_WHERE, Column("d", ("dim",)), _N]
    for key, title in METRICS.items():
        summary += [mean(title, key), _printed("paper", f"paper_{key}")]
        summary.append(Column("difference", (f"gap_{key}",), signed))
        variants += [mean(title, key), *tested(f"{key}_")]
        dimensions += [mean(f"{title}: HyperML", f"ball_{key}")]
        dimensions += [mean("CML", f"flat_{key}"), *tested(f"{key}_")]
    summary.append(mean("nDCG@10 (discount from rank 2)", "ndcg10_method0"))
    summary += [mean(_FULL, "full_ndcg10"), mean("HR@10, full catalogue", "full_hr10")]
    variants += [mean(_FULL, "full_ndcg10"), mean("own row's", "own_full_ndcg10")]
    dimensions.append(mean(f"{_FULL}: HyperML", "ball_full_ndcg10"))
    dimensions.append(mean("CML", "flat_full_ndcg10"))
    table2 = [_WHERE, _METRIC, text("", "whose"), *of_paper]
    table2 += [_relative("Improvement", "gain"), text("over", "over")]
    between = "95 % interval of the difference"
    table2.append(Column(between, ("low", "high"), formats.interval))
    table2.append(Column("p (Holm)", ("p_holm",), formats.probability))
    table3 = [_WHERE, _METRIC, text("", "whose"), _ours_or_paper("HyperML", "ball")]
    table3.append(_ours_or_paper("HyperTS", "tangent"))
    table3.append(Column("HyperTS − HyperML", ("difference",), signed))
    metric = text("Metric", "metric_title")
    claimed = [text("Claim", "claim"), _WHERE, metric, text("First", "one")]
    claimed += [text("Second", "other"), *tested(p=True), text("Verdict", "verdict")]
    lead = [_WHERE, metric]
    for head, side, field in (
        ("hyperbolic", "first", "one"),
        ("Euclidean", "second", "other"),
    ):
        lead += [text(f"Best {head} row", field), mean("its mean", f"{side}_mean")]
    lead += [*tested(p=True), text("Hyperbolic leads", "leads")]
    order = [_WHERE, _MODEL, text("A user's rows by", "order"), _N]
    order += [_ours_or_paper(title, key, "order") for key, title in METRICS.items()]
    order.append(Column("nDCG@10 / HR@10", ("ratio",), lambda ratio: f"{ratio:.2f}"))
    settings = [text("Dataset", "dataset"), _MODEL, _N, text("Settings", "settings")]
    settings.append(Column("Validation nDCG@10", ("valid_ndcg10",), percent))
    heads = {
        "Dataset": "dataset", "Model": "model", "Variant": "variant",
        "Config": "config", "Seeds": "seed", "Epochs": "epochs",
        "Best epochs": "best_epoch",
        "Commit": "commit", "Device": "device", "Minutes a seed": "minutes",
    }  # fmt: skip
    configurations = [text(head, field) for head, field in heads.items()]
    return [
        _glance(claims),
        noted("results", result_frames.rows(results), summary),
        noted("table2", result_frames.table2(results, asked), table2, which_cml=cml),
        noted(
            "table2_full",
            result_frames.table2_full(results),
            [_WHERE, _METRIC, *of_paper],
        ),
        noted("table3", result_frames.table3(results), table3),
        _sweep(results, "c", cml),
        _sweep(results, "distortion_weight", cml),
        noted("claims", claims, claimed),
        noted("lead", result_frames.lead(results, asked), lead),
        noted("variants", result_frames.variants(results, asked), variants),
        noted("dimensions", result_frames.dimensions(results, asked), dimensions),
        noted("split_order", result_frames.split_order(results), order),
        noted("settings", result_frames.settings(results), settings),
        noted("configurations", result_frames.configurations(results), configurations),
    ]


def _printed(head: str, field: str) -> Column:
    return Column(head, (field,), lambda value: percent(value, 3))


def _ours_or_paper(head: str, field: str, whose: str = "whose") -> Column:
    """A mean with its spread, or a number as the paper prints it."""

    def write(mean: float, std: float, source: str) -> str:
        return percent(mean, 3) if source == "paper" else formats.spread(mean, std)

    return Column(head, (field, f"{field}_std", whose), write)


def _relative(head: str, field: str) -> Column:
    def write(value: float) -> str:
        return BLANK if formats.absent(value) else f"{signed(value)} %"

    return Column(head, (field,), write)


def which_cml(results: Results) -> str:
    """What stands in the column of CML in Table 2."""
    tried = [d for d in results.datasets if results.row(d, "cml_warp")]
    if not tried:
        return (
            "The column CML is CML with one uniform negative; CML (WARP) was not run."
        )
    chosen = [d for d in tried if results.of(d, "cml") is results.row(d, "cml_warp")]
    where, better = (
        formats.listed([paper.dataset_title(d) for d in names])
        for names in (tried, chosen)
    )
    return (
        "The column CML shows CML with one uniform negative or CML (WARP), whichever "
        f"is better on validation. CML (WARP) was trained on {where} and is shown on "
        f"{better}."
    )


def _glance(claims: pd.DataFrame) -> Table:
    """The claims on one screen: a row for each, a column for each dataset."""
    shown = [d for d in paper.TABLE1 if d in set(claims["dataset"])]
    rows = []
    for claim, of_claim in claims.groupby("claim", sort=False):
        row = {"claim": claim}
        for dataset in shown:
            answers = of_claim[of_claim["dataset"] == dataset]
            row[dataset] = _answers(answers.to_dict("records"))
        if any(row[dataset] != BLANK for dataset in shown):
            rows.append(row)
    columns = [text("Claim", "claim")]
    columns += [text(paper.dataset_title(dataset), dataset) for dataset in shown]
    return noted("verdicts", pd.DataFrame(rows), columns)


def _answers(tests: list[dict[str, Any]]) -> str:
    """`holds +0.63 / +1.09`; two words where the metrics disagree."""
    words, before = [], None
    for test in tests:
        new = test["verdict"] not in (before, BLANK)
        alone = f" ({test['metric_title']})" * (len(tests) == 1)
        verdict = f"{test['verdict']} " * new
        words.append(f"{verdict}{signed(test['difference'])}{alone}")
        before = test["verdict"]
    return " / ".join(words) or BLANK


def _sweep(results: Results, field: str, cml: str) -> Table:
    """Table 4 (c), or the numbers of Fig. 4 (γ)."""
    columns = [_WHERE, Column("c" if field == "c" else "γ", ("value",)), _N]
    for key, title in METRICS.items():
        columns += [mean(title, key), _relative("over CML", f"over_{key}")]
    frame = result_frames.sweeps(results, field)
    if field == "c":

        def write(value: float, metric: str) -> str:
            return BLANK if formats.absent(value) else f"{percent(value, 3)} ({metric})"

        columns.append(Column("paper", ("paper", "paper_metric"), write))
        columns.append(_relative("paper: over CML", "paper_over"))
        return noted("table4", frame, columns, which_cml=cml)
    best = formats.listed(
        [
            f"{value:g} on {paper.dataset_title(dataset)} (with γ = 0 it is "
            f"{paper.FIGURE4_FALL[dataset]} % below CML's nDCG@10)"
            for dataset, value in paper.FIGURE4_BEST.items()
        ]
    )
    return noted("figure4", frame, columns, which_cml=cml, paper_best=best)


def table1(stats: Mapping[str, Mapping[str, Any]]) -> Table:
    """Table 1: what was prepared beside what the paper prints."""
    heads = {"N": "interactions", "N + 2U": "interactions_table1"}
    columns = [_WHERE, *(Column(name, (name,)) for name in ("users", "items"))]
    columns += [Column(head, (field,)) for head, field in heads.items()]
    columns.append(Column("density %", ("density_table1",), percent))
    for name in ("users", "items", "interactions"):
        columns.append(Column(f"paper: {name}", (f"paper_{name}",)))
    columns.append(Column("paper: density %", ("paper_density_percent",), percent))
    return noted("table1", result_frames.table1(stats), columns)


def searches(recorded: pd.DataFrame) -> Table:
    """How hard it was tried: every search on validation."""
    columns = [_WHERE, _MODEL, text("Chosen", "chosen"), Column("Tried", ("tried",))]
    columns.append(Column("Left at epoch", ("epochs",)))
    columns.append(Column("Validation nDCG@10", ("valid_ndcg10",), percent))
    return noted("searches", result_frames.searches(recorded), columns)
