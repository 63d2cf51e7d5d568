"""The tables of report and documents: which numbers they show, under which heads."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction.reporting import formats, paper, result_frames, wording
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

_FULL = "nDCG@10, full catalogue"
_WHERE, _MODEL = text("Dataset", "where"), text("Model", "model")
_N, _METRIC = Column("n", ("n",)), text("Metric", "metric_title")
_WHOSE = text("", "whose")
_VALIDATION = Column("Validation nDCG@10", ("valid_ndcg10",), percent)


def noted(
    name: str, frame: pd.DataFrame, columns: Sequence[Column], **words: Any
) -> Table:
    """A table with its title and note, in which `words` stand."""
    title, note = wording.entry(name, level=result_frames.LEVEL, **words)
    return Table(name, title, frame, columns, note)


def of_results(results: Results, significance: pd.DataFrame) -> list[Table]:
    """All tables that the record gives."""
    asked = result_frames.tests(results, significance)
    claims = result_frames.claims(results, asked)
    cml = which_cml(results)
    summary, variants, dimensions = [], [], []
    for key, title in METRICS.items():
        summary += [mean(title, key), _printed("paper", f"paper_{key}")]
        summary.append(Column("difference", (f"gap_{key}",), signed))
        variants += [mean(title, key), *tested(f"{key}_")]
        dimensions += [mean(f"{title}: HyperML", f"ball_{key}")]
        dimensions += [mean("CML", f"flat_{key}"), *tested(f"{key}_")]
    table2 = [_ours_or_paper(DEFINITIONS[m].title, m) for m in paper.TABLE2_MODELS]
    table2 += [_relative("Improvement", "gain"), text("over", "over")]
    between = "95 % interval of the difference"
    table2.append(Column(between, ("low", "high"), formats.interval))
    table2.append(Column("p (Holm)", ("p_holm",), formats.probability))
    claimed = [text("Claim", "claim"), _WHERE, _METRIC, text("First", "one")]
    claimed += [text("Second", "other"), *tested(p=True), text("Verdict", "verdict")]
    sides = {"hyperbolic": ("one", "first_mean"), "Euclidean": ("other", "second_mean")}
    lead = [_WHERE, _METRIC]
    for head, (name, value) in sides.items():
        lead += [text(f"Best {head} row", name), mean("its mean", value)]
    order = [_WHERE, _MODEL, text("A user's rows by", "order"), _N]
    order += [_ours_or_paper(title, key, "order") for key, title in METRICS.items()]
    order.append(Column("nDCG@10 / HR@10", ("ratio",), lambda ratio: f"{ratio:.2f}"))
    table3 = [
        _ours_or_paper("HyperML", "hyperml"),
        _ours_or_paper("HyperTS", "hyperts"),
    ]
    return [
        _glance(claims),
        noted(
            "results",
            result_frames.rows(results),
            [
                *(_WHERE, _MODEL, _N, *summary),
                mean("nDCG@10 (discount from rank 2)", "ndcg10_method0"),
                *(
                    mean(_FULL, "full_ndcg10"),
                    mean("HR@10, full catalogue", "full_hr10"),
                ),
            ],
        ),
        noted(
            "table2",
            result_frames.table2(results, asked),
            [_WHERE, _METRIC, _WHOSE, *table2],
            which_cml=cml,
        ),
        noted(
            "table3",
            result_frames.table3(results),
            [
                *(_WHERE, _METRIC, _WHOSE, *table3),
                Column("HyperTS − HyperML", ("difference",), signed),
            ],
        ),
        _table4(results, cml),
        _figure4(results, cml),
        noted("claims", claims, claimed),
        noted(
            "lead",
            result_frames.lead(asked),
            [*lead, *tested(p=True), text("Hyperbolic leads", "leads")],
        ),
        noted(
            "variants",
            result_frames.variants(asked),
            [
                *(_WHERE, _MODEL, text("Changed", "changed"), _N, *variants),
                *(mean(_FULL, "full_ndcg10"), mean("own row's", "own_full_ndcg10")),
            ],
        ),
        noted(
            "dimensions",
            result_frames.dimensions(asked),
            [
                *(_WHERE, Column("d", ("dim",)), _N, *dimensions),
                mean(f"{_FULL}: HyperML", "ball_full_ndcg10"),
                mean("CML", "flat_full_ndcg10"),
            ],
        ),
        noted("split_order", result_frames.split_order(results), order),
        *_configurations(results),
    ]


def _configurations(results: Results) -> list[Table]:
    frame = result_frames.configurations(results)
    head = [text("Dataset", "dataset"), _MODEL, _N, text("Settings", "settings")]
    head.append(_VALIDATION)
    titles = {
        "config": "Config", "seed": "Seeds", "epochs": "Epochs",
        "best_epoch": "Best epochs", "minutes": "Minutes a seed", "commit": "Commit",
        "device": "Device", "kernel": "Kernel", "versions": "Versions",
    }  # fmt: skip
    columns = [*head, *(text(title, field) for field, title in titles.items())]
    standing = frame[frame["stands"].astype(bool)]
    return [noted("settings", standing, head), noted("configurations", frame, columns)]


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
    return (
        "The column CML shows CML with one uniform negative or CML (WARP), whichever "
        f"is better on validation. CML (WARP) was trained on {paper.listed(tried)} and "
        f"is shown on {paper.listed(chosen)}."
    )


def _glance(claims: pd.DataFrame) -> Table:
    """The claims on one screen: a row for each, a column for each dataset."""
    shown = [d for d in paper.TABLE1 if d in set(claims["dataset"])]
    known = claims[claims["dataset"].isin(shown)]
    answers = {
        cell: _answers(tests.to_dict("records"))
        for cell, tests in known.groupby(["claim", "dataset"], sort=False)
    }
    frame = pd.DataFrame(
        [
            {"claim": claim} | {d: answers.get((claim, d), BLANK) for d in shown}
            for claim in known["claim"].unique()
        ]
    )
    columns = [text("Claim", "claim")]
    columns += [text(paper.dataset_title(dataset), dataset) for dataset in shown]
    return noted("verdicts", frame, columns)


def _answers(tests: list[dict[str, Any]]) -> str:
    """`holds +0.63 / +1.09`; two words where the metrics disagree."""
    words, before = [], None
    for test in tests:
        new = test["verdict"] not in (before, BLANK)
        alone = f" ({test['metric_title']})" * (len(tests) == 1)
        verdict = f"{test['verdict']} " * new
        words.append(f"{verdict}{signed(test['difference'])}{alone}")
        before = test["verdict"]
    return " / ".join(words)


def _over_cml(head: str) -> list[Column]:
    columns = [_WHERE, Column(head, ("value",)), _N]
    for key, title in METRICS.items():
        columns += [mean(title, key), _relative("over CML", f"over_{key}")]
    return columns


def _table4(results: Results, cml: str) -> Table:
    def write(value: float, metric: str) -> str:
        return BLANK if formats.absent(value) else f"{percent(value, 3)} ({metric})"

    columns = [*_over_cml("c"), Column("paper", ("paper", "paper_metric"), write)]
    columns.append(_relative("paper: over CML", "paper_over"))
    frame = result_frames.sweeps(results, "c")
    return noted("table4", frame, columns, which_cml=cml)


def _figure4(results: Results, cml: str) -> Table:
    best = [
        f"{value:g} on {paper.dataset_title(dataset)} (with γ = 0 it is "
        f"{paper.FIGURE4_FALL[dataset]} % below CML's nDCG@10)"
        for dataset, value in paper.FIGURE4_BEST.items()
    ]
    frame = result_frames.sweeps(results, "distortion_weight")
    words = {"which_cml": cml, "paper_best": formats.listed(best)}
    return noted("figure4", frame, _over_cml("γ"), **words)


def table1(stats: Mapping[str, Mapping[str, Any]]) -> Table:
    """Table 1: what was prepared beside what the paper prints."""
    heads = {
        "users": "users", "items": "items", "interactions": "N",
        "interactions_table1": "N + 2U", "density_table1": "density %",
        "paper_users": "paper: users", "paper_items": "paper: items",
        "paper_interactions": "paper: interactions",
        "paper_density_percent": "paper: density %",
    }  # fmt: skip
    columns = [
        Column(head, (field,), percent if "density" in field else formats.plain)
        for field, head in heads.items()
    ]
    return noted("table1", result_frames.table1(stats), [_WHERE, *columns])


def searches(recorded: pd.DataFrame) -> Table:
    """How hard it was tried: every search on validation."""
    columns = [_WHERE, _MODEL, text("Chosen", "chosen"), Column("Tried", ("tried",))]
    columns += [Column("Left at epoch", ("epochs",)), _VALIDATION]
    return noted("searches", result_frames.searches(recorded), columns)
