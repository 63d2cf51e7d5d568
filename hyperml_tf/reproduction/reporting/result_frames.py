"""Frames of numbers, made from grouped runs: what tables, figures and documents show.

Metrics and differences are fractions. A row of a test frame has the two groups that
it compares in `first` and `second`.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hyperml_tf.evaluation.significance import holm
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import base_of
from hyperml_tf.reproduction.reporting import comparisons, formats, paper
from hyperml_tf.reproduction.reporting.groups import Group, Results, differing, sweep
from hyperml_tf.training.configuration import Name, parse_name

LEVEL = 0.05
METRICS = ("ndcg10", "hr10", "ndcg10_method0", "full_ndcg10", "full_hr10")

#: Question of `comparisons` -> the paper's words, and where they stand.
CLAIMS = {
    "table2": "HyperML leads every baseline (§3.2)",
    "cml": "HyperML leads CML (§3.2)",
    "options": "HyperML + leads CML + (not in the paper)",
    "tangent": "HyperTS leads CML (§3.4)",
    "table3": "HyperTS against HyperML (Table 3, either way)",
    "bpr": "MF-BPR is better than CML on small datasets (§3.2)",
    "lead": "A hyperbolic row leads all Euclidean rows of the table (not in the paper)",
}
# Claims that name no winner.
_EITHER_WAY = ("table3",)
_PAIR = ["question", "dataset", "metric", "configs"]
_OF_PROCESS = ("commit", "device", "kernel", "versions")
_ANSWER = ["difference", "low", "high", "p", "p_holm", "seeds"]


def measured(group: Group | None, prefix: str = "") -> dict[str, float]:
    """Means, standard deviations and half intervals of a group, empty without one."""
    if group is None:
        return {}
    found = {f"{prefix}{m}": group.mean(m) for m in METRICS}
    found |= {f"{prefix}{m}_std": group.std(m) for m in METRICS}
    return found | {f"{prefix}{m}_wide": group.half_width(m) for m in METRICS}


def _head(dataset: str, **more: Any) -> dict[str, Any]:
    """What every row of a dataset begins with."""
    return {"where": paper.dataset_title(dataset), "dataset": dataset, **more}


def _frame(found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(found).astype(object)


def rows(results: Results) -> pd.DataFrame:
    """Every row of the results: what stands for a model on a dataset, or is printed."""
    found = []
    names = [Name(*n) for n in itertools.product(DEFINITIONS, (False, True))]
    for dataset, name in itertools.product(results.datasets, names):
        group = results.row(dataset, name)
        printed = {} if name.beyond else results.published(dataset, name.model)
        if group is None and not printed:
            continue
        row = _head(dataset, name=str(name), model=name.title, **measured(group))
        row |= {"hyperbolic": DEFINITIONS[name.model].hyperbolic, "n": 0}
        row |= {f"paper_{metric}": value for metric, value in printed.items()}
        if group is not None:
            row |= {"n": group.n, "valid_ndcg10": group.mean("valid_ndcg10")}
            row |= {f"gap_{m}": group.mean(m) - printed[m] for m in printed}
        found.append(row)
    return _frame(found)


def tests(results: Results, significance: pd.DataFrame) -> pd.DataFrame:
    """What is asked of the results, with what the recorded comparisons answer."""
    asked = [
        {
            **_head(dataset, question=question, metric=metric, first=one, second=two),
            "metric_title": formats.METRICS[metric],
            "configs": comparisons.configs(one, two),
            "one": one.title,
            "other": two.title,
        }
        for dataset, metric, question, one, two in comparisons.asked(results)
    ]
    columns = [*_PAIR, "where", "metric_title", "first", "second", "one", "other"]
    answers = significance.reindex(columns=[*_PAIR, *_ANSWER, "interval"])
    for place, end in enumerate(("low", "high")):
        answers[end] = answers["interval"].astype(object).str[place]
    answers = answers.drop(columns="interval").astype(object)
    return pd.DataFrame(asked, columns=columns).merge(answers, "left", on=_PAIR)


def verdict(test: Mapping[str, Any]) -> str:
    """What is said of a claim that the difference is positive."""
    low, high, p = (test[key] for key in ("low", "high", "p_holm"))
    if formats.absent(low):
        return formats.BLANK
    if formats.absent(p) or p >= LEVEL or low <= 0 <= high:
        return "undecided"
    return "holds" if low > 0 else "fails"


def claims(results: Results, asked: pd.DataFrame) -> pd.DataFrame:
    """A row for every claim, dataset and metric, with its verdict."""
    found = [
        asked[asked["question"] == question].assign(claim=claim)
        for question, claim in CLAIMS.items()
    ]
    worse = _of_sweep(results, asked, "distortion_weight", lambda dataset: 0.0)
    worse = worse.assign(
        claim="HyperML is worse at γ = 0 (§3.6)",
        one="HyperML",
        other="HyperML, γ = 0",
        difference=0 - worse["difference"],
        low=0 - worse["high"],
        high=0 - worse["low"],
    )
    best = _of_sweep(results, asked, "c", paper.best_c)
    best["claim"] = [f"c = {paper.best_c(d):g} is best (§3.5)" for d in best["dataset"]]
    printed = best["dataset"].map(paper.TABLE4_METRIC) == best["metric"]
    frame = pd.concat([*found, worse, best[printed]], ignore_index=True)
    frame["verdict"] = [verdict(test) for test in frame.to_dict("records")]
    frame.loc[frame["question"].isin(_EITHER_WAY), "verdict"] = formats.BLANK
    return frame


def _of_sweep(
    results: Results,
    asked: pd.DataFrame,
    field: str,
    value_of: Callable[[str], float | None],
) -> pd.DataFrame:
    """Tests of one value of a sweep against HyperML's own row, corrected among them."""
    wanted = {
        (dataset, comparisons.configs(values[value], results.main[dataset, _HYPERML]))
        for dataset, values in swept(results, field).items()
        if (value := value_of(dataset)) in values
    }
    tests = asked[asked["question"] == "variant"]
    keys = zip(tests["dataset"], tests["configs"], strict=True)
    found = tests[np.array([key in wanted for key in keys], bool)]
    known = found["p"].dropna().astype(float)
    corrected = known.groupby(found["metric"]).transform(lambda p: holm(p.tolist()))
    return found.assign(p_holm=corrected.reindex(found.index))


_HYPERML = Name("hyperml")


def lead(asked: pd.DataFrame) -> pd.DataFrame:
    """The best hyperbolic row against the best Euclidean one."""
    found = []
    for test in asked[asked["question"] == "lead"].to_dict("records"):
        for side in ("first", "second"):
            test[f"{side}_mean"] = test[side].mean(test["metric"])
            test[f"{side}_mean_std"] = test[side].std(test["metric"])
        said = verdict(test)
        found.append(test | {"leads": {"holds": "yes", "fails": "no"}.get(said, said)})
    return _frame(found)


def best(results: Results) -> pd.DataFrame:
    """HyperML, the best hyperbolic and the best Euclidean row, and the paper.

    One row a dataset, ranked among sampled negatives and in the full catalogue. The
    hyperbolic row is chosen on validation, the Euclidean one on the test items, so the
    comparison leans towards the Euclidean side.
    """
    found = []
    rankings = ("ndcg10", "full_ndcg10")
    for dataset, metric in itertools.product(results.datasets, rankings):
        sides = {
            "hyperml": results.row(dataset, "hyperml"),
            "ball": results.best_hyperbolic(dataset, metric),
            "flat": results.best_euclidean(dataset, metric),
        }
        if sides["ball"] is None:  # reference rows alone: nothing is best
            continue
        row = _head(dataset, metric=metric)
        if metric == "ndcg10":
            row["paper"] = results.published(dataset, "hyperml").get(metric)
        for side, group in sides.items():
            if group is not None:
                row |= {side: group.mean(metric), f"{side}_name": group.title}
        found.append(row)
    return _frame(found)


def beside_paper(results: Results, models: Sequence[str]) -> pd.DataFrame:
    """Rows of a dataset and metric, ours and the paper's; a column for each model."""
    found = []
    for dataset, metric in itertools.product(results.datasets, formats.METRICS):
        head = _head(dataset, metric=metric, metric_title=formats.METRICS[metric])
        groups = {model: results.of(dataset, model) for model in models}
        ours = {model: g.mean(metric) for model, g in groups.items() if g}
        ours |= {f"{model}_std": g.std(metric) for model, g in groups.items() if g}
        printed = {m: results.published(dataset, m).get(metric) for m in models}
        found.append(head | ours | {"whose": "ours"})
        if any(printed.values()):
            found.append(head | printed | {"whose": "paper"})
    return _frame(found).reindex(columns=_columns_beside(models))


def _columns_beside(models: Sequence[str]) -> list[str]:
    heads = ["where", "dataset", "metric", "metric_title", "whose"]
    return [*heads, *models, *(f"{model}_std" for model in models)]


def table2(results: Results, asked: pd.DataFrame) -> pd.DataFrame:
    """Table 2 in the paper's layout: ours, then the paper's."""
    tests_of = asked[asked["question"] == "table2"].assign(whose="ours")
    tests_of = tests_of.rename(columns={"other": "over"})
    sides = zip(tests_of["first"], tests_of["second"], tests_of["metric"], strict=True)
    tests_of["gain"] = [relative(first, second, m) for first, second, m in sides]
    key = ["dataset", "metric", "whose"]
    ours = tests_of[[*key, "gain", "over", "low", "high", "p_holm"]]
    printed = pd.DataFrame(
        [
            {"dataset": dataset, "metric": metric, "whose": "paper", "gain": gain / 100}
            for dataset, of_metric in paper.IMPROVEMENTS.items()
            for metric, gain in of_metric.items()
        ]
    )
    both = pd.concat([ours.astype(object), printed.astype(object)])
    return beside_paper(results, paper.TABLE2_MODELS).merge(both, "left", on=key)


def relative(group: Group | None, other: Group | None, metric: str) -> float | None:
    """Relative gain of one group's mean over another's."""
    if group is None or other is None or not other.mean(metric):
        return None
    return group.mean(metric) / other.mean(metric) - 1


def table3(results: Results) -> pd.DataFrame:
    """Table 3: HyperML and HyperTS, ours and the paper's."""
    frame = beside_paper(results, ["hyperml", "hyperts"])
    frame = frame.dropna(subset=["hyperml", "hyperts"])
    frame = frame[frame["dataset"].isin(frame[frame["whose"] == "ours"]["dataset"])]
    return frame.assign(difference=frame["hyperts"] - frame["hyperml"])


def table1(stats: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Table 1: what was prepared beside what the paper prints."""
    found = []
    for dataset in sorted({*paper.TABLE1, *stats}, key=paper.dataset_order):
        row = _head(dataset) | dict(stats.get(dataset, {}))
        if dataset in paper.TABLE1:
            theirs = paper.TABLE1[dataset]._asdict()
            row |= {f"paper_{name}": value for name, value in theirs.items()}
            row["paper_density_percent"] /= 100
        found.append(row)
    return _frame(found)


def pairs(
    asked: pd.DataFrame, question: str, first: str = "", second: str = ""
) -> pd.DataFrame:
    """A row for each pair that a question compares: its means, its tests side by side.

    Args:
        asked: `tests`.
        question: of them.
        first: before the names of the first group's means: `ball_ndcg10`.
        second: before those of the second group's.
    """
    key = ["dataset", "configs"]
    of_question = asked[asked["question"] == question]
    found = of_question.drop_duplicates(key).drop(columns=_ANSWER).set_index(key)
    for metric, tests_of in of_question.groupby("metric"):
        found = found.join(tests_of.set_index(key)[_ANSWER].add_prefix(f"{metric}_"))
    for side, prefix in (("first", first), ("second", second)):
        means = [measured(group, prefix) for group in found[side]]
        found = found.join(pd.DataFrame(means, found.index))
    return found.assign(n=[g.n for g in found["first"]]).reset_index().astype(object)


def variants(asked: pd.DataFrame) -> pd.DataFrame:
    """Every changed configuration against what it changes."""
    frame = pairs(asked, "variant", second="own_")
    both = list(zip(frame["first"], frame["second"], strict=True))
    return frame.assign(
        model=frame["other"], changed=[changed(group, centre) for group, centre in both]
    )


def changed(group: Group, centre: Group) -> str:
    """`c 2, margin 0.1`: the settings that differ, with the variant's values."""
    fields = sorted(differing(group.config, centre.config) - {"model"})
    off = formats.BLANK
    text = formats.settings({field: group.config.get(field, off) for field in fields})
    other = group.model != centre.model  # a model that alters another's score
    return f"{DEFINITIONS[group.model].title}: {text}" if other else text


def dimensions(asked: pd.DataFrame) -> pd.DataFrame:
    """HyperML and CML at equal dimension."""
    frame = pairs(asked, "dim", "ball_", "flat_")
    both = list(zip(frame["first"], frame["second"], strict=True))
    return frame.assign(
        dim=[ball.config["dim"] for ball, _ in both],
        n=[min(ball.n, flat.n) for ball, flat in both],
    )


def swept(
    results: Results, field: str, least: int = 2
) -> dict[str, dict[float, Group]]:
    """Dataset -> value -> group, where HyperML was run with so many values or more."""
    own = {d: results.row(d, "hyperml") for d in results.datasets}
    found = {
        dataset: sweep(results.groups, centre, field)
        for dataset, centre in own.items()
        if centre is not None and field in centre.config
    }
    return {
        dataset: values for dataset, values in found.items() if len(values) >= least
    }


def sweeps(results: Results, field: str) -> pd.DataFrame:
    """A sweep of one setting of HyperML beside CML and the paper."""
    found = []
    for dataset, values in swept(results, field).items():
        cml = results.of(dataset, "cml")
        for value, group in values.items():
            row = _head(dataset, value=float(value), n=group.n, **measured(group))
            row |= {f"over_{m}": relative(group, cml, m) for m in formats.METRICS}
            printed = paper.TABLE4.get(dataset, {}).get(value) if field == "c" else None
            if printed is not None:
                metric = paper.TABLE4_METRIC[dataset]
                level = results.published(dataset, "cml").get(metric)
                row |= {"paper": printed / 100, "paper_metric": formats.METRICS[metric]}
                row["paper_over"] = printed / 100 / level - 1 if level else None
            found.append(row)
    return _frame(found)


def curves(results: Results) -> pd.DataFrame:
    """Points of all sweeps, a row each: HyperML's, CML's and the paper's."""
    found = []

    def add(kind: str, dataset: str, x: float, **groups: Group | None) -> None:
        for (name, group), metric in itertools.product(groups.items(), formats.METRICS):
            if group is not None:
                point = _head(dataset, kind=kind, x=float(x), metric=metric)
                point |= {"name": name, "value": group.mean(metric)}
                found.append(point | {"wide": group.half_width(metric)})

    for dataset in results.datasets:
        for dim, (ball, flat) in results.at_equal_dim(dataset).items():
            add("d", dataset, dim, HyperML=ball, CML=flat)
    for field, symbol in {"c": "c", "distortion_weight": "γ"}.items():
        for dataset, values in swept(results, field, least=3).items():
            cml = results.of(dataset, "cml")
            for value, group in values.items():
                add(symbol, dataset, value, HyperML=group, CML=cml)
            printed = paper.TABLE4.get(dataset, {}) if field == "c" else {}
            for x, value in printed.items():
                point = _head(dataset, kind=symbol, x=x, name="the paper, Table 4")
                point |= {"metric": paper.TABLE4_METRIC[dataset], "wide": 0.0}
                found.append(point | {"value": value / 100})
    columns = ["where", "dataset", "kind", "x", "metric", "name", "value", "wide"]
    return pd.DataFrame(found, columns=columns)


def split_order(results: Results) -> pd.DataFrame:
    """The same models where other items than the last in time are held out."""
    found = []
    for dataset, model in itertools.product(results.split_otherwise, DEFINITIONS):
        base = base_of(dataset)
        order = dataset.removeprefix(f"{base}-").replace("_", " ")
        by_time, otherwise = results.row(base, model), results.row(dataset, model)
        if by_time is None or otherwise is None:
            continue
        head = _head(base, name=model, model=DEFINITIONS[model].title)
        for name, group in (("time", by_time), (order, otherwise)):
            found.append({**head, "order": name, "n": group.n, **measured(group)})
        printed = results.published(base, model)
        if printed:
            found.append({**head, "order": "paper", **printed})
    frame = _frame(found)
    return frame.assign(ratio=frame["ndcg10"] / frame["hr10"]) if found else frame


def configurations(results: Results) -> pd.DataFrame:
    """Every recorded configuration: settings, seeds, and what ran them."""
    standing = {(g.dataset, g.config_hash) for g in results.main.values()}
    hidden = ("dataset", "model", "init_scale")
    found = []
    for group in results.groups:
        shown = {k: v for k, v in sorted(group.config.items()) if k not in hidden}
        row = {"dataset": group.dataset, "model": group.title, "n": group.n}
        row |= {"config": group.config_hash, "settings": formats.settings(shown)}
        row["valid_ndcg10"] = group.mean("valid_ndcg10")
        row["stands"] = (group.dataset, group.config_hash) in standing
        for column in ("seed", "epochs", "best_epoch", *_OF_PROCESS):
            row[column] = ", ".join(dict.fromkeys(map(str, group.rows[column])))
        row["minutes"] = round(group.rows["seconds"].mean() / 60, 1)
        found.append(row)
    return _frame(found)


def searches(recorded: pd.DataFrame) -> pd.DataFrame:
    """Every search on validation, and what it chose."""
    found = []
    for (dataset, name), tried in recorded.groupby(["dataset", "model"], sort=False):
        first = tried.iloc[0]
        row = _head(dataset, name=name, model=parse_name(name).title)
        row["tried"] = len(tried)
        row["chosen"] = formats.settings(json.loads(first["overrides"]))
        row["epochs"] = ", ".join(map(str, sorted(set(tried["epochs"]))))
        found.append(row | {"valid_ndcg10": first["valid_ndcg10"]})
    return _frame(found)
