"""Frames of numbers, made from grouped runs: what tables, figures and documents show.

Metrics and differences are fractions. A row of a test frame has the two groups that
it compares in `first` and `second`.
"""

import itertools
import json
from collections.abc import Mapping
from typing import Any

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
}
_TEST = (
    "question", "dataset", "where", "metric", "metric_title", "first", "second", "one",
    "other", "difference", "low", "high", "p", "p_holm", "seeds",
)  # fmt: skip
_LEAD = "A hyperbolic row leads all Euclidean rows of the table (not in the paper)"
# Claims that name no winner.
_EITHER_WAY = ("table3",)


def measured(group: Group | None, prefix: str = "") -> dict[str, float]:
    """Means and standard deviations of a group, empty without one."""
    if group is None:
        return {}
    found = {f"{prefix}{m}": group.mean(m) for m in METRICS}
    return found | {f"{prefix}{m}_std": group.std(m) for m in METRICS}


def _head(dataset: str, **more: Any) -> dict[str, Any]:
    """What every row of a dataset begins with."""
    return {"where": paper.dataset_title(dataset), "dataset": dataset, **more}


def _name(group: Group | None) -> str | None:
    return None if group is None else group.title


def rows(results: Results) -> pd.DataFrame:
    """Every row of the results: what stands for a model on a dataset, or is printed."""
    found = []
    for dataset, model, beyond in itertools.product(
        results.datasets, DEFINITIONS, (False, True)
    ):
        group = results.row(dataset, Name(model, beyond))
        printed = {} if beyond else results.published(dataset, model)
        if group is None and not printed:
            continue
        found.append(
            {
                **_head(dataset),
                "name": str(Name(model, beyond)),
                "model": Name(model, beyond).title,
                "hyperbolic": DEFINITIONS[model].hyperbolic,
                "n": group.n if group else 0,
                "valid_ndcg10": group.mean("valid_ndcg10") if group else None,
                **measured(group),
                **{f"paper_{m}": printed.get(m) for m in formats.METRICS},
                **{
                    f"gap_{m}": group.mean(m) - printed[m]
                    for m in formats.METRICS
                    if group and m in printed
                },
            }
        )
    return pd.DataFrame(found).astype(object)


def tests(results: Results, significance: pd.DataFrame) -> pd.DataFrame:
    """What is asked of the results, with what the recorded comparisons answer."""
    known = {
        (r["question"], r["dataset"], r["metric"], r["configs"]): r
        for r in significance.to_dict("records")
    }
    found = []
    for dataset, metric in itertools.product(results.datasets, formats.METRICS):
        for question, first, second in comparisons.questions(results, dataset, metric):
            if first is None or second is None:
                continue
            key = question, dataset, metric, comparisons.configs(first, second)
            answer = known.get(key, {})
            low, high = answer.get("interval", (None, None))
            found.append(
                {
                    "question": question,
                    "dataset": dataset,
                    "where": paper.dataset_title(dataset),
                    "metric": metric,
                    "metric_title": formats.METRICS[metric],
                    "first": first,
                    "second": second,
                    "one": first.title,
                    "other": second.title,
                    "difference": answer.get("difference"),
                    "low": low,
                    "high": high,
                    "p": answer.get("p"),
                    "p_holm": answer.get("p_holm"),
                    "seeds": answer.get("seeds"),
                }
            )
    return pd.DataFrame(found, columns=list(_TEST)).astype(object)


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
    found = []
    for question, words in {**CLAIMS, "lead": _LEAD}.items():
        for test in asked[asked["question"] == question].to_dict("records"):
            open_ = question in _EITHER_WAY
            answer = formats.BLANK if open_ else verdict(test)
            found.append({"claim": words, **test, "verdict": answer})
    found += _without_distortion(results, asked) + _best_scale(results, asked)
    return pd.DataFrame(found, columns=["claim", *_TEST, "verdict"]).astype(object)


def _corrected(family: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same tests with p corrected over the datasets of one claim and metric."""
    for metric in formats.METRICS:
        of_metric = [t for t in family if t["metric"] == metric and t["p"] is not None]
        corrected = holm([t["p"] for t in of_metric])
        for test, p in zip(of_metric, corrected, strict=True):
            test["p_holm"] = p
    return [test | {"verdict": verdict(test)} for test in family]


def _variants_of(asked: pd.DataFrame, first: Group | None) -> list[dict[str, Any]]:
    if first is None or asked.empty:
        return []
    of_variants = asked[asked["question"] == "variant"].to_dict("records")
    return [test for test in of_variants if test["first"] is first]


def _without_distortion(results: Results, asked: pd.DataFrame) -> list[dict[str, Any]]:
    """§3.6: without the distortion HyperML is worse."""
    found = []
    for values in swept(results, "distortion_weight").values():
        for test in _variants_of(asked, values.get(0.0)):
            turned = {"one": "HyperML", "other": "HyperML, γ = 0"}
            turned |= {key: -test[key] for key in ("difference",) if test[key]}
            if test["low"] is not None:
                turned |= {"low": -test["high"], "high": -test["low"]}
            found.append(
                {"claim": "HyperML is worse at γ = 0 (§3.6)", **test, **turned}
            )
    return _corrected(found)


def _best_scale(results: Results, asked: pd.DataFrame) -> list[dict[str, Any]]:
    """§3.5: the paper's best c against that of HyperML's own row."""
    found = []
    for dataset, values in swept(results, "c").items():
        printed = paper.TABLE4.get(dataset)
        if printed is None:
            continue
        theirs = max(printed, key=printed.__getitem__)
        for test in _variants_of(asked, values.get(theirs)):
            if test["metric"] == paper.TABLE4_METRIC[dataset]:
                claim = f"c = {theirs:g} is best (§3.5)"
                found += _corrected([{"claim": claim, **test}])
    return found


def lead(results: Results, asked: pd.DataFrame) -> pd.DataFrame:
    """The best hyperbolic row against the best Euclidean one."""
    tests_of = asked[asked["question"] == "lead"].to_dict("records")
    found = []
    for test in tests_of:
        for side in ("first", "second"):
            group = test[side]
            test[f"{side}_mean"] = group.mean(test["metric"])
            test[f"{side}_mean_std"] = group.std(test["metric"])
        answers = {"holds": "yes", "fails": "no"}
        found.append(test | {"leads": answers.get(verdict(test), verdict(test))})
    return pd.DataFrame(found).astype(object)


def best(results: Results) -> pd.DataFrame:
    """HyperML, the best hyperbolic and the best Euclidean row, and the paper.

    One row a dataset, ranked among sampled negatives and in the full catalogue. The
    hyperbolic row is chosen on validation, the Euclidean one on the test items, so the
    comparison leans towards the Euclidean side.
    """
    found = []
    for dataset, metric in itertools.product(
        results.datasets, ("ndcg10", "full_ndcg10")
    ):
        hyperml = results.row(dataset, "hyperml")
        ball, flat = (
            results.best_hyperbolic(dataset),
            results.best_euclidean(dataset, metric),
        )
        if ball is None and hyperml is None:  # reference rows alone: nothing is best
            continue
        printed = results.published(dataset, "hyperml").get("ndcg10")
        row = _head(dataset, metric=metric)
        row["paper"] = printed if metric == "ndcg10" else None
        for side, group in (("hyperml", hyperml), ("ball", ball), ("flat", flat)):
            if group is not None:
                row |= {side: group.mean(metric), f"{side}_name": group.title}
        found.append(row)
    return pd.DataFrame(found).astype(object)


def table2(results: Results, asked: pd.DataFrame) -> pd.DataFrame:
    """Table 2 in the paper's layout: ours, then the paper's."""
    questions = asked[asked["question"] == "table2"].to_dict("records")
    tested = {(t["dataset"], t["metric"]): t for t in questions}
    found = []
    for dataset, metric in itertools.product(results.datasets, formats.METRICS):
        columns = {model: results.of(dataset, model) for model in paper.TABLE2_MODELS}
        baseline = results.best_baseline(dataset, metric)
        head = _head(dataset, metric=formats.METRICS[metric])
        ours: dict[str, Any] = {**head, "whose": "ours", "over": _name(baseline)}
        for model, group in columns.items():
            if group is not None:
                ours |= {model: group.mean(metric), f"{model}_std": group.std(metric)}
        ours["gain"] = relative(columns["hyperml"], baseline, metric)
        test = tested.get((dataset, metric), {})
        ours |= {key: test.get(key) for key in ("low", "high", "p_holm")}
        found.append(ours)
        printed = {m: results.published(dataset, m).get(metric) for m in columns}
        if any(printed.values()):
            gain = paper.IMPROVEMENTS.get(dataset, {}).get(metric)
            printed |= {"gain": gain and gain / 100}
            found.append({**head, "whose": "paper", **printed})
    return pd.DataFrame(found).astype(object)


def relative(group: Group | None, other: Group | None, metric: str) -> float | None:
    """Relative gain of one group's mean over another's."""
    if group is None or other is None or not other.mean(metric):
        return None
    return group.mean(metric) / other.mean(metric) - 1


def table2_full(results: Results) -> pd.DataFrame:
    """Table 2's twin in the full catalogue."""
    found = []
    for dataset, metric in itertools.product(results.datasets, formats.METRICS):
        row = _head(dataset, metric=formats.METRICS[metric])
        for model in paper.TABLE2_MODELS:
            group = results.of(dataset, model)
            if group is not None:
                key = f"full_{metric}"
                row |= {model: group.mean(key), f"{model}_std": group.std(key)}
        found.append(row)
    return pd.DataFrame(found).astype(object)


def table3(results: Results) -> pd.DataFrame:
    """Table 3: HyperML and HyperTS, ours and the paper's."""
    found = []
    for dataset, metric in itertools.product(results.datasets, formats.METRICS):
        head = _head(dataset, metric=formats.METRICS[metric])
        ball, tangent = (results.row(dataset, m) for m in ("hyperml", "hyperts"))
        if ball is None or tangent is None:
            continue
        ours = {
            "ball": ball.mean(metric), "ball_std": ball.std(metric),
            "tangent": tangent.mean(metric), "tangent_std": tangent.std(metric),
        }  # fmt: skip
        theirs = {
            side: results.published(dataset, model).get(metric)
            for side, model in (("ball", "hyperml"), ("tangent", "hyperts"))
        }
        found.append({**head, "whose": "ours", **ours})
        if all(theirs.values()):
            found.append({**head, "whose": "paper", **theirs})
    frame = pd.DataFrame(found)
    if found:
        frame["difference"] = frame["tangent"] - frame["ball"]
    return frame.astype(object)


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
    return pd.DataFrame(found).astype(object)


def variants(results: Results, asked: pd.DataFrame) -> pd.DataFrame:
    """Every changed configuration against what it changes."""
    found: dict[int, dict[str, Any]] = {}
    for test in asked[asked["question"] == "variant"].to_dict("records"):
        group, centre = test["first"], test["second"]
        row = found.setdefault(
            id(group),
            {
                "where": test["where"],
                "dataset": test["dataset"],
                "model": centre.title,
                "changed": changed(group, centre),
                "n": group.n,
                **measured(group),
                **measured(centre, "own_"),
            },
        )
        for key in ("difference", "low", "high", "p_holm"):
            row[f"{test['metric']}_{key}"] = test[key]
    return pd.DataFrame(list(found.values())).astype(object)


def changed(group: Group, centre: Group) -> str:
    """`c 2, margin 0.1`: the settings that differ, with the variant's values."""
    fields = sorted(differing(group.config, centre.config) - {"model"})
    off = formats.BLANK
    text = formats.settings({field: group.config.get(field, off) for field in fields})
    other = group.model != centre.model  # a model that alters another's score
    return f"{DEFINITIONS[group.model].title}: {text}" if other else text


def dimensions(results: Results, asked: pd.DataFrame) -> pd.DataFrame:
    """HyperML and CML at equal dimension."""
    answers = {
        (id(t["first"]), t["metric"]): t
        for t in asked[asked["question"] == "dim"].to_dict("records")
    }
    found = []
    for dataset in results.datasets:
        for dim, (ball, flat) in results.at_equal_dim(dataset).items():
            row = _head(dataset, dim=dim, n=min(ball.n, flat.n))
            row |= measured(ball, "ball_") | measured(flat, "flat_")
            for metric in formats.METRICS:
                test = answers.get((id(ball), metric), {})
                for key in ("difference", "low", "high", "p_holm"):
                    row[f"{metric}_{key}"] = test.get(key)
            found.append(row)
    return pd.DataFrame(found).astype(object)


def swept(results: Results, field: str) -> dict[str, dict[float, Group]]:
    """Dataset -> value -> group, where HyperML was run with two values or more."""
    found = {}
    for dataset in results.datasets:
        centre = results.row(dataset, "hyperml")
        if centre is None or field not in centre.config:
            continue
        values = sweep(results.groups, centre, field)
        if len(values) > 1:
            found[dataset] = values
    return found


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
    return pd.DataFrame(found).astype(object)


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
    frame = pd.DataFrame(found)
    if found:
        frame["ratio"] = frame["ndcg10"] / frame["hr10"]
    return frame.astype(object)


def settings(results: Results) -> pd.DataFrame:
    """The settings that stand for every row of the results."""
    found = []
    for (dataset, _), group in results.main.items():
        hidden = ("dataset", "model", "init_scale")
        shown = {k: v for k, v in sorted(group.config.items()) if k not in hidden}
        row = {"dataset": dataset, "model": group.title, "n": group.n}
        row |= {"settings": formats.settings(shown)}
        found.append(row | {"valid_ndcg10": group.mean("valid_ndcg10")})
    return pd.DataFrame(found).astype(object)


def configurations(results: Results) -> pd.DataFrame:
    """Every recorded configuration: seeds, commit, device, minutes."""
    found = []
    for group in results.groups:
        row = {"dataset": group.dataset, "model": DEFINITIONS[group.model].title}
        row |= {"variant": group.variant, "config": group.config_hash}
        for column in ("seed", "epochs", "best_epoch", "commit", "device"):
            row[column] = ", ".join(dict.fromkeys(map(str, group.rows[column])))
        row["minutes"] = round(group.rows["seconds"].mean() / 60, 1)
        found.append(row)
    return pd.DataFrame(found).astype(object)


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
    return pd.DataFrame(found).astype(object)
