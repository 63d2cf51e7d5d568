"""What the paper claims and what our runs say to it, with intervals.

A claim holds where the 95 % interval of the difference lies above 0 and Wilcoxon's p,
Holm-corrected over datasets, is below .05; it fails where both say the opposite; else
it is undecided.
"""

import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from hyperml_tf.evaluation.significance import holm
from hyperml_tf.reproduction.reporting import comparisons, paper
from hyperml_tf.reproduction.reporting.groups import Group, Results, differing
from hyperml_tf.reproduction.reporting.result_tables import (
    METRIC_TITLES,
    cell,
    tested,
)
from hyperml_tf.reproduction.reporting.sweeps import of_field
from hyperml_tf.reproduction.reporting.tables import BLANK, Table, percent
from hyperml_tf.training.configuration import Name, parse_name

LEVEL = 0.05

#: Question of `comparisons` -> the paper's words, and where they stand.
CLAIMS = {
    "table2": "HyperML leads every baseline (§3.2)",
    "cml": "HyperML leads CML (§3.2)",
    "options": "HyperML + leads CML + (not in the paper)",
    "tangent": "HyperTS leads CML (§3.4)",
    "table3": "HyperTS against HyperML (Table 3, either way)",
    "bpr": "MF-BPR is better than CML on small datasets (§3.2)",
}
#: Claims that name no winner: a difference is told, no verdict given.
_OPEN = ("table3",)


def verdict(row: Mapping[str, Any]) -> str:
    """What is said of a claim that the difference is positive."""
    low, high = row["interval"]
    if math.isnan(row["p_holm"]) or row["p_holm"] >= LEVEL:
        return "undecided"
    return "holds" if low > 0 else "fails" if high < 0 else "undecided"


def claims(results: Results, significance: pd.DataFrame) -> Table:
    """A plain verdict per claim and dataset."""
    rows = []
    for question, words in CLAIMS.items():
        for row in significance.to_dict("records"):
            if row["question"] != question:
                continue
            told = BLANK if question in _OPEN else verdict(row)
            where = paper.dataset_title(row["dataset"])
            sides = _sides(row, results)
            cells = [words, where, METRIC_TITLES[row["metric"]], sides]
            rows.append([*cells, *tested(row), told])
    rows += _gamma(results, significance)
    rows += _scale(results, significance)
    header = ["Claim", "Dataset", "Metric", "Compared", "Difference"]
    header += ["95 % interval", "p (Holm)", "Verdict"]
    note = (
        "Differences in points, test items, paired over users; a user's value is the "
        "mean over seeds. A claim holds (fails) where the interval lies above (below) "
        f"0 and p, Wilcoxon's corrected over datasets, is under {LEVEL:g}."
    )
    title = "The paper's claims on our data"
    return Table("claims", title, header, rows, note, text_columns=4)


def _sides(row: Mapping[str, Any], results: Results) -> str:
    of = {(g.dataset, g.config_hash): g.title for g in results.groups}
    return " − ".join(of[row["dataset"], digest] for digest in row["configs"].split())


def _over_datasets(tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tests of one claim among all those of variants, corrected for theirs alone."""
    for metric in METRIC_TITLES:
        family = [test for test in tests if test["metric"] == metric]
        corrected = holm([test["p"] for test in family])
        for test, p in zip(family, corrected, strict=True):
            test["p_holm"] = p
    return tests


def _gamma(results: Results, significance: pd.DataFrame) -> list[list[str]]:
    """§3.6: without the distortion HyperML is worse."""
    found, words = [], "HyperML is worse at γ = 0 (§3.6)"
    gammas = of_field(results, "distortion_weight")
    for row in significance.to_dict("records"):
        dataset = row["dataset"]
        values = gammas.get(dataset, {})
        if row["question"] != "variant" or 0.0 not in values:
            continue
        centre = results.main[dataset, Name("hyperml")]
        if row["configs"] != comparisons.configs(values[0.0], centre):
            continue
        low, high = row["interval"]
        turned = {"difference": -row["difference"], "interval": [-high, -low]}
        found.append(row | turned)
    rows = []
    for row in _over_datasets(found):
        cells = [words, paper.dataset_title(row["dataset"])]
        cells += [METRIC_TITLES[row["metric"]], "HyperML − HyperML, γ = 0"]
        rows.append([*cells, *tested(row), verdict(row)])
    return rows


def _scale(results: Results, significance: pd.DataFrame) -> list[list[str]]:
    """§3.5: the paper's best c against that of HyperML's own row."""
    rows, cells = [], comparisons.by_cell(significance)
    for dataset, values in of_field(results, "c").items():
        printed = paper.TABLE4.get(dataset)
        if printed is None:
            continue
        metric = paper.TABLE4_METRIC[dataset]
        theirs = max(printed, key=printed.__getitem__)
        centre = results.main[dataset, Name("hyperml")]
        own = f"{centre.config['c']:g}"
        row = None
        if theirs in values:
            pair = comparisons.configs(values[theirs], centre)
            row = cells.get(("variant", dataset, metric, pair))
        if row:
            (row,) = _over_datasets([row])  # the paper's two have a metric each
        claim = [f"c = {theirs:g} is best (§3.5)", paper.dataset_title(dataset)]
        claim += [METRIC_TITLES[metric], f"HyperML, c = {theirs:g} − c = {own}"]
        rows.append([*claim, *tested(row), verdict(row) if row else BLANK])
    return rows


def lead(results: Results, significance: pd.DataFrame) -> Table:
    """Whether a hyperbolic row leads every Euclidean one, options included."""
    rows = []
    tests = comparisons.by_cell(significance)
    for dataset, metric in itertools.product(results.datasets, METRIC_TITLES):
        ours = results.best_hyperbolic(dataset)
        other = results.best_euclidean(dataset, metric)
        if not ours or not other:
            continue
        pair = comparisons.configs(ours, other)
        row = tests.get(("lead", dataset, metric, pair))
        answer = BLANK
        if row:
            answer = {"holds": "yes", "fails": "no"}.get(verdict(row), "undecided")
        cells = [paper.dataset_title(dataset), METRIC_TITLES[metric]]
        for group in (ours, other):
            cells += [group.title, cell(group, metric)]
        rows.append([*cells, *tested(row), answer])
    header = ["Dataset", "Metric", "Best hyperbolic", "", "Best Euclidean", ""]
    header += ["Difference", "95 % interval", "p (Holm)", "Hyperbolic leads"]
    note = (
        "The hyperbolic row is the best hyperbolic model's on validation, the "
        "Euclidean one the best on the test items; + marks settings with options "
        "beyond the paper (RESULTS.md, settings). Differences as above."
    )
    title = "Does a hyperbolic row lead?"
    return Table("lead", title, header, rows, note, text_columns=3)


def variants(results: Results, significance: pd.DataFrame) -> Table:
    """Every changed configuration against what it changes."""
    rows = []
    cells = comparisons.by_cell(significance)
    for group in results.groups:
        centre = results.centre(group)
        if centre is None or group.dataset not in results.datasets:
            continue
        row = [paper.dataset_title(group.dataset), centre.title]
        row += [_changes(group, centre), str(group.n)]
        for metric in METRIC_TITLES:
            key = group.dataset, metric, comparisons.configs(group, centre)
            row += [cell(group, metric), *tested(cells.get(("variant", *key)))[:2]]
        full = cell(group, "full_ndcg10"), cell(centre, "full_ndcg10")
        rows.append([*row, *full])
    header = ["Dataset", "Model", "Changed", "n"]
    for title in METRIC_TITLES.values():
        header += [title, "difference", "95 % interval"]
    header += ["nDCG@10, full catalogue", "own row's"]
    note = (
        "Each against the model's own row, in points, paired over users; a blank where "
        "the runs were not at hand together. Several are tried on one dataset, so an "
        "interval that just misses 0 is weak."
    )
    title = "Variants and controls"
    return Table("variants", title, header, rows, note, text_columns=3)


def dimensions(results: Results, significance: pd.DataFrame) -> Table:
    """HyperML against CML at equal dimension."""
    rows = []
    cells = comparisons.by_cell(significance)
    for dataset in results.datasets:
        for dim, (ball, flat) in results.at_equal_dim(dataset).items():
            row = [paper.dataset_title(dataset), str(dim), str(min(ball.n, flat.n))]
            for metric in METRIC_TITLES:
                key = "dim", dataset, metric, comparisons.configs(ball, flat)
                row += [cell(ball, metric), cell(flat, metric)]
                row += tested(cells.get(key))[:2]
            rows.append([*row, *(cell(group, "full_ndcg10") for group in (ball, flat))])
    header = ["Dataset", "d", "n"]
    for title in METRIC_TITLES.values():
        header += [f"{title}: HyperML", "CML", "difference", "95 % interval"]
    header += ["nDCG@10, full catalogue: HyperML", "CML"]
    note = (
        "All else as chosen at d 64 for each of the two; differences in points, paired "
        "over users."
    )
    return Table("dimensions", "HyperML and CML by dimension", header, rows, note)


def _changes(group: Group, centre: Group) -> str:
    """`c 2, margin 0.1`: what differs, as the variant has it; not what it lacks."""
    changed = sorted(differing(group.config, centre.config) & group.config.keys())
    return ", ".join(f"{field} {_plain(group.config[field])}" for field in changed)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def searches(rows: pd.DataFrame) -> Table:
    """How hard it was tried: every search on validation, and what it chose.

    Args:
        rows: `reproduction.searches`.
    """
    lines = []
    for (dataset, name), tried in rows.groupby(["dataset", "model"], sort=False):
        best = tried.iloc[0]
        epochs = sorted(set(tried["epochs"]))
        chosen = json.loads(best["overrides"])
        lines.append(
            [
                paper.dataset_title(dataset),
                parse_name(name).title,
                ", ".join(f"{field} {_plain(v)}" for field, v in chosen.items()),
                str(len(tried)),
                ", ".join(map(str, epochs)),
                percent(best["valid_ndcg10"]),
            ]
        )
    header = ["Dataset", "Model", "Chosen", "Tried", "Left at epoch"]
    header += ["Validation nDCG@10"]
    note = (
        "Successive halving over random points of the grid, seed 0, on validation "
        "only, + partly in two to four rounds, each after the first in a space set by "
        "hand; every candidate stands in `run_configs/searches.csv`."
    )
    return Table("searches", "Searches", header, lines, note, text_columns=3)


def settings(results: Results) -> Table:
    """The settings that stand for every model, field by field."""
    rows = []
    for (dataset, name), group in results.main.items():
        if dataset not in results.datasets:
            continue
        hidden = ("dataset", "model", "init_scale")
        shown = {k: v for k, v in sorted(group.config.items()) if k not in hidden}
        text = ", ".join(f"{k} {_plain(v)}" for k, v in shown.items())
        valid = percent(group.mean("valid_ndcg10"))
        rows.append([paper.dataset_title(dataset), name.title, text, valid])
    rows.sort(key=lambda row: row[0])
    header = ["Dataset", "Model", "Settings", "Validation nDCG@10"]
    note = "Resolved settings of the rows above, chosen on validation."
    return Table("settings", "Settings", header, rows, note, text_columns=3)
