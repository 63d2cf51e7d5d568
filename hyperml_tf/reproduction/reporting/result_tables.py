"""The tables of the report, from grouped runs: ours beside the paper's."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import base_of
from hyperml_tf.reproduction.reporting import comparisons, paper
from hyperml_tf.reproduction.reporting.groups import Group, Results
from hyperml_tf.reproduction.reporting.tables import (
    BLANK,
    Table,
    percent,
    signed,
    spread,
)
from hyperml_tf.training.configuration import Name

METRIC_TITLES = {"ndcg10": "nDCG@10", "hr10": "HR@10"}
#: All rows that there can be: the paper's order, each model's settings beyond it last.
NAMES = [Name(model, beyond) for model in DEFINITIONS for beyond in (False, True)]


def cell(group: Group | None, metric: str) -> str:
    """Mean ± std of a group, a blank without one."""
    return BLANK if group is None else spread(group.mean(metric), group.std(metric))


def over(group: Group | None, other: Group | None, metric: str) -> float | None:
    """Relative gain of one group's mean over another's; None if either is absent."""
    if group is None or other is None or not other.mean(metric):
        return None
    return group.mean(metric) / other.mean(metric) - 1


def summary(results: Results) -> Table:
    """Every model on every dataset that has a run, beside the paper."""
    rows = []
    for dataset in results.datasets:
        for name in NAMES:
            group = results.row(dataset, name)
            published = {} if name.beyond else results.published(dataset, name.model)
            if group is None and not published:
                continue
            row = [paper.dataset_title(dataset), name.title]
            row.append(str(group.n) if group else "0")
            for metric in METRIC_TITLES:
                theirs = published.get(metric)
                gap = group.mean(metric) - theirs if group and theirs else None
                row += [cell(group, metric), percent(theirs, 3), signed(gap)]
            row += [cell(group, m) for m in ("ndcg10_method0", "full_ndcg10")]
            row += [cell(group, "full_hr10")]
            rows.append(row)
    header = ["Dataset", "Model", "n", "nDCG@10", "paper", "difference", "HR@10"]
    header += ["paper", "difference", "nDCG@10 (discount from rank 2)"]
    header += ["nDCG@10, full catalogue", "HR@10, full catalogue"]
    note = (
        "Per cent; mean ± sample standard deviation over n seeds, test items, at the "
        "epoch of the best validation nDCG@10. Ranked among 100 stored negatives as in "
        "the paper, or, where it says so, in the full catalogue. Popularity is not "
        "trained: the floor. + marks settings of a search that had options beyond the "
        "paper, too. Of more configurations the committed one is shown, else the one "
        "with the most seeds, else the best on validation."
    )
    title = "Results, ours beside the paper's"
    return Table("results", title, header, rows, note, text_columns=2)


def table1(stats: Mapping[str, Mapping[str, Any]]) -> Table:
    """Table 1: what was prepared against what the paper prints."""
    rows = []
    for dataset in sorted({*paper.TABLE1, *stats}, key=paper.dataset_order):
        theirs, ours = paper.TABLE1.get(dataset), stats.get(dataset)
        row = [paper.dataset_title(dataset)]
        if ours is None:
            row += [BLANK] * 5
        else:
            names = ("users", "items", "interactions", "interactions_table1")
            row += [f"{ours[name]:,}" for name in names]
            row.append(percent(ours["density_table1"]))
        if theirs is None:
            row += [BLANK] * 4
        else:
            row += [theirs.users, theirs.items, theirs.interactions]
            row.append(f"{theirs.density_percent:.2f}")
        rows.append(row)
    header = ["Dataset", "users", "items", "N", "N + 2U", "density %", "paper: users"]
    header += ["paper: items", "paper: interactions", "paper: density %"]
    note = (
        "N counts interactions once; the paper's number is N + 2U, and so is its "
        f"density. {BLANK}: not prepared here, or not in the paper."
    )
    return Table("table1", "Table 1: the datasets", header, rows, note)


def table2(results: Results, significance: pd.DataFrame) -> Table:
    """Table 2 in the paper's layout, with improvement and significance.

    Args:
        results: grouped runs.
        significance: rows of `comparisons`.
    """
    rows = []
    tests = comparisons.by_cell(significance)
    for dataset in results.datasets:
        columns = {m: results.of(dataset, m) for m in paper.TABLE2_MODELS}
        for metric, metric_title in METRIC_TITLES.items():
            baseline = results.best_baseline(dataset, metric)
            row = [paper.dataset_title(dataset), metric_title, "ours"]
            row += [cell(group, metric) for group in columns.values()]
            row.append(signed(over(columns["hyperml"], baseline, metric), " %"))
            row.append(paper.model_title(baseline.model) if baseline else BLANK)
            row += tested(_of_pair(tests, columns["hyperml"], baseline, metric))[1:]
            rows.append(row)
            theirs = [results.published(dataset, m).get(metric) for m in columns]
            gain = paper.IMPROVEMENTS.get(dataset, {}).get(metric)
            if any(theirs):
                row = ["", "", "paper", *(percent(value, 3) for value in theirs)]
                row += [signed(gain and gain / 100, " %"), *[BLANK] * 3]
                rows.append(row)
    header = [
        "Dataset",
        "Metric",
        "",
        *(paper.model_title(m) for m in paper.TABLE2_MODELS),
    ]
    header += ["Improvement", "over", "95 % interval of the difference", "p (Holm)"]
    note = (
        "Per cent, mean ± sample standard deviation over seeds. The improvement is "
        "HyperML's mean over the best baseline's, relative. The interval is of the "
        "difference in points, paired over users (bootstrap), p by Wilcoxon's "
        "signed-rank test, Holm-corrected over datasets; both on a user's mean over "
        f"seeds. {_which_cml(results)}"
    )
    title = "Table 2: HyperML against the baselines"
    return Table("table2", title, header, rows, note, text_columns=3)


def _which_cml(results: Results) -> str:
    """What stands in the column of CML."""
    warp = [g for d in results.datasets if (g := results.row(d, "cml_warp"))]
    if not warp:
        return "CML has one uniform negative; CML (WARP) was not run."
    tried = [g.dataset for g in warp]
    better = [g.dataset for g in warp if results.of(g.dataset, "cml") is g]
    where, chosen = (
        ", ".join(map(paper.dataset_title, datasets)) or "none"
        for datasets in (tried, better)
    )
    return (
        "CML has one uniform negative, or is CML (WARP) where that is better on "
        f"validation: tried on {where}, better on {chosen}."
    )


def _of_pair(
    tests: Mapping, hyperml: Group | None, baseline: Group | None, metric: str
) -> Mapping[str, Any] | None:
    if hyperml is None or baseline is None:
        return None
    pair = comparisons.configs(hyperml, baseline)
    return tests.get(("table2", hyperml.dataset, metric, pair))


def tested(row: Mapping[str, Any] | None) -> list[str]:
    """Difference, interval and p of a comparison."""
    if row is None:
        return [BLANK] * 3
    low, high = row["interval"]
    interval = f"{signed(low)} to {signed(high)}"
    return [signed(row["difference"]), interval, probability(row["p_holm"])]


def probability(p: float) -> str:
    """A p-value as one reads it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def table2_full(results: Results) -> Table:
    """Table 2's twin over the full catalogue; the paper has none."""
    rows = []
    for dataset in results.datasets:
        for metric, metric_title in METRIC_TITLES.items():
            columns = [results.of(dataset, m) for m in paper.TABLE2_MODELS]
            cells = [cell(group, f"full_{metric}") for group in columns]
            rows.append([paper.dataset_title(dataset), metric_title, *cells])
    header = ["Dataset", "Metric", *(paper.model_title(m) for m in paper.TABLE2_MODELS)]
    note = (
        "Per cent. Every item but the user's training and validation items is ranked; "
        "sampled metrics can order models wrongly (Krichene & Rendle 2020)."
    )
    title = "Table 2 over the full catalogue"
    return Table("table2_full", title, header, rows, note, text_columns=2)


def table3(results: Results) -> Table:
    """Table 3: HyperML against HyperTS."""
    rows = []
    for dataset in results.datasets:
        ball = results.row(dataset, "hyperml")
        tangent = results.row(dataset, "hyperts")
        if ball is None or tangent is None:
            continue
        for metric, metric_title in METRIC_TITLES.items():
            row = [paper.dataset_title(dataset), metric_title, "ours"]
            row += [cell(ball, metric), cell(tangent, metric)]
            row.append(signed(tangent.mean(metric) - ball.mean(metric)))
            rows.append(row)
            their_ball = results.published(dataset, "hyperml").get(metric)
            their_tangent = results.published(dataset, "hyperts").get(metric)
            if their_ball and their_tangent:
                row = ["", "", "paper", percent(their_ball, 3)]
                row += [percent(their_tangent, 3), signed(their_tangent - their_ball)]
                rows.append(row)
    header = ["Dataset", "Metric", "", "HyperML", "HyperTS", "HyperTS − HyperML"]
    note = "Per cent. The paper has Meetup, Clothing, Sports and Cell phones."
    title = "Table 3: HyperML and HyperTS"
    return Table("table3", title, header, rows, note, text_columns=3)


def split_order(results: Results) -> Table:
    """What it changes to hold out a user's last items in another order than time's."""
    rows = []
    for dataset in results.split_otherwise:
        base = base_of(dataset)
        order = dataset.removeprefix(f"{base}-")
        for model in DEFINITIONS:
            by_time = results.row(base, model)
            otherwise = results.row(dataset, model)
            if by_time is None or otherwise is None:
                continue
            head = [paper.dataset_title(base), paper.model_title(model)]
            for name, group in (("time", by_time), (order, otherwise)):
                row = [*head, name.replace("_", " "), str(group.n)]
                row += [cell(group, metric) for metric in METRIC_TITLES]
                rows.append([*row, f"{group.mean('ndcg10') / group.mean('hr10'):.2f}"])
                head = ["", ""]
            theirs = results.published(base, model)
            if theirs:
                row = [
                    "",
                    "",
                    "paper",
                    "",
                    *(percent(theirs[m], 3) for m in METRIC_TITLES),
                ]
                rows.append([*row, f"{theirs['ndcg10'] / theirs['hr10']:.2f}"])
    header = ["Dataset", "Model", "A user's rows by", "n", *METRIC_TITLES.values()]
    header.append("nDCG@10 / HR@10")
    note = (
        "Per cent; same users, items and settings, but another last item. *File "
        "order*: that of the publisher's file, not sorted by time. *Shuffled*: at "
        "random."
    )
    title = "What the order of the split decides"
    return Table("split_order", title, header, rows, note, text_columns=3)


def sweep_table(
    results: Results, sweeps: Mapping[str, Mapping[float, Group]], field: str
) -> Table:
    """A sweep of one setting against CML: Table 4 (c), the numbers of Fig. 4 (γ)."""
    is_c = field == "c"
    rows = []
    for dataset, values in sweeps.items():
        cml = results.of(dataset, "cml")
        for value, group in values.items():
            row = [paper.dataset_title(dataset), f"{value:g}", str(group.n)]
            for metric in METRIC_TITLES:
                row.append(cell(group, metric))
                row.append(signed(over(group, cml, metric), " %"))
            if is_c:
                printed = paper.TABLE4.get(dataset, {}).get(value)
                row += _paper_of_table4(results, dataset, printed)
            rows.append(row)
    header = ["Dataset", "c" if is_c else "γ", "n", "nDCG@10", "over CML", "HR@10"]
    header += ["over CML", *(["paper", "paper: over CML"] if is_c else [])]
    level = _which_cml(results)
    if not is_c:
        title = "Fig. 4 in numbers: the weight γ"
        best = ", ".join(
            f"{value:g} on {paper.dataset_title(dataset)} (at γ = 0, "
            f"{paper.FIGURE4_FALL[dataset]} % below CML's nDCG@10)"
            for dataset, value in paper.FIGURE4_BEST.items()
        )
        note = (
            f"Per cent. The paper draws its values and prints the best: {best}. {level}"
        )
        return Table("figure4", title, header, rows, note)
    note = (
        "Per cent. The paper's Goodbooks numbers are nDCG@10; its Games numbers, "
        "captioned nDCG@10, are HR@10. (c, m, γ) on x equals (1, c·m, c·γ) on √c·x, so "
        f"this sweeps margin and γ together. {level}"
    )
    return Table("table4", "Table 4: the scaling variable c", header, rows, note)


def _paper_of_table4(
    results: Results, dataset: str, printed: float | None
) -> Sequence[str]:
    if printed is None:
        return [BLANK] * 2
    metric = paper.TABLE4_METRIC[dataset]
    cml = results.published(dataset, "cml").get(metric)
    gain = signed(printed / (100 * cml) - 1, " %") if cml else BLANK
    return [f"{printed:.3f} ({METRIC_TITLES[metric]})", gain]


def configurations(results: Results) -> Table:
    """Every recorded configuration: seeds, commit, device, minutes."""
    rows = []
    for group in results.groups:
        seconds = group.rows["seconds"]

        def several(column, rows=group.rows):
            return ", ".join(dict.fromkeys(str(value) for value in rows[column]))

        row = [
            group.dataset,
            paper.model_title(group.model),
            group.variant,
            group.config_hash,
        ]
        row += map(several, ("seed", "epochs", "best_epoch", "commit", "device"))
        rows.append([*row, f"{seconds.mean() / 60:.1f}"])
    header = ["Dataset", "Model", "Variant", "Config", "Seeds", "Epochs", "Best epochs"]
    header += ["Commit", "Device", "Minutes a seed"]
    title = "Every recorded configuration"
    return Table("configurations", title, header, rows, text_columns=9)
