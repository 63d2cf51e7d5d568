"""What document templates may ask of the record, each answer a number as text.

Templates hold no measured numbers of their own. They ask by dataset and row, so that
documents follow when rows, datasets or benchmarks are added.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from hyperml_tf.reproduction import record, searches
from hyperml_tf.reproduction.reporting import (
    committed,
    comparisons,
    formats,
    frames,
    groups,
    missing,
    paper,
    strata,
    tables,
)
from hyperml_tf.reproduction.reporting.formats import listed, signed
from hyperml_tf.reproduction.reporting.groups import Group, differing
from hyperml_tf.training.configuration import parse_name

#: The files of a record, beside `results.csv`.
BESIDE = ("significance.csv", "searches.csv", "groups.csv", "datasets.csv")
_PEERS = {
    "fit/hyperml/fused": "ours, `fit` with sampling",
    "step/hyperml/fused": "ours, step alone",
    "fit/hyperml/tensorflow": "ours, TensorFlow path",
    "peer/geoopt_sparse": "geoopt, sparse",
    "peer/keras_adam_fit": "Keras Adam, `fit`",
    "peer/c": "C, one triplet at a time",
}


class BestRows(NamedTuple):
    """Which rows have the highest means, in words."""

    most_often: str
    sampled: list[str]
    full_sentence: str


class Facts:
    """The record at `path`, asked by templates.

    Args:
        path: `results.csv`, with the other files beside it.
    """

    def __init__(self, path: pathlib.Path = record.RECORD):
        self.rows = record.read(path)
        self.results = groups.results(
            self.rows, committed.settings, committed.published
        )
        known = comparisons.read(path.with_name("significance.csv"))
        self.significance = comparisons.current(known, self.results)
        self.asked = frames.tests(self.results, self.significance)
        self.strata = strata.read(path.with_name("groups.csv"))
        self.datasets = _frame(path.with_name("datasets.csv"))
        lines = (path.parent / "benchmarks.jsonl").read_text().splitlines()
        self.benchmarks = [json.loads(line) for line in lines]
        self.claims = frames.claims(self.results, self.asked)
        built = tables.of_results(self.results, self.significance)
        built.append(tables.searches(searches.read(path.with_name("searches.csv"))))
        built += [self._datasets_table(), self._speed_table()]
        self.tables = {table.name: table for table in built}
        self.absent = missing.missing(self.results, prepared=None)

    # Tables.

    def _datasets_table(self) -> formats.Table:
        stats = {row["dataset"]: row for row in self.datasets.to_dict("records")}
        table = tables.table1(stats)
        columns = [formats.text("Key", "dataset"), *table.columns]
        return dataclasses.replace(table, name="datasets", columns=columns)

    def _speed_table(self) -> formats.Table:
        frame = self.speed_frame()
        wide = frame.pivot(index="rows", columns="name", values="rate").reset_index()
        columns = [formats.Column("Rows", ("rows",))]
        for name, head in _PEERS.items():
            if name in wide:
                columns.append(formats.Column(head, (name,), _rounded))
        return formats.Table("speed", "Speed", wide.astype(object), columns)

    def speed_frame(self) -> pd.DataFrame:
        """Triplets a CPU second by rows: ours and peers', from one session."""
        commit = next(b for b in self.benchmarks if b["name"] == "peer/c")["commit"]
        found = [
            {
                "name": b["name"],
                "rows": int(b["rows"]),
                "rate": b["triplets_per_cpu_second"],
            }
            for b in self.benchmarks
            if b["name"] in _PEERS and b["commit"] == commit
        ]
        return pd.DataFrame(found)

    def peer_title(self, name: str) -> str:
        """What a line of the speed table is called."""
        return _PEERS[name].replace("`", "")

    # Names and counts.

    def where(self, dataset: str) -> str:
        """A dataset's name."""
        return paper.dataset_title(dataset)

    def listed(self, datasets: Sequence[str]) -> str:
        """Names of datasets in a sentence; other words stay as they are."""
        return listed([paper.dataset_title(name) for name in datasets])

    @property
    def recorded_paper_datasets(self) -> list[str]:
        """Those of the paper's datasets that have rows."""
        return [d for d in self.results.datasets if d in paper.TABLE1]

    def recorded(self, *models: str) -> bool:
        """Whether one of these models has a row."""
        return bool(set(self.rows["model"]) & set(models))

    # Values.

    def row(self, dataset: str, name: str) -> Group | None:
        """What stands for a name on a dataset."""
        return self.results.row(dataset, name)

    def _changed(
        self, dataset: str, name: str, changes: dict[str, Any]
    ) -> Group | None:
        """The configuration that differs from the row in these options alone.

        None as a value stands for any. An option that is changed together with others
        that it needs (an optimizer and its learning rate) counts, too.
        """
        centre = self.row(dataset, name)
        if centre is None:
            return None
        found = []
        for group in self.results.groups:
            if (group.dataset, group.name) != (dataset, parse_name(name)):
                continue
            fields = differing(group.config, centre.config)
            follow = {"learning_rate", "epochs"} if "optimizer" in changes else set()
            same = all(
                field in fields and value in (None, group.config.get(field))
                for field, value in changes.items()
            )
            if same and fields - follow == set(changes):
                found.append(group)
        return max(found, key=lambda g: g.n, default=None)

    def datasets_with_change(self, name: str, **changes: Any) -> list[str]:
        """Datasets that have such a configuration, compared with its row."""
        return [
            d
            for d in self.results.datasets
            if self._test_of(d, name, "ndcg10", changes)
        ]

    def _test_of(self, dataset, name, metric, changes) -> dict[str, Any] | None:
        group = self._changed(dataset, name, changes)
        for test in self._tests("variant", dataset, metric):
            if test["first"] is group and not formats.absent(test["low"]):
                return test
        return None

    def _tests(self, question: str, dataset: str, metric: str) -> list[dict[str, Any]]:
        of = self.asked
        kept = of[(of["question"] == question) & (of["metric"] == metric)]
        return kept[kept["dataset"] == dataset].to_dict("records")

    def change(self, dataset: str, name: str, metric: str, **changes: Any) -> str:
        """What a changed option does to a row: `−0.01 (−0.12 to +0.10)`."""
        test = self._test_of(dataset, name, metric, changes)
        return _with_interval(test) if test else formats.BLANK

    def changes(self, name: str, metric: str = "ndcg10", **changes: Any) -> str:
        """The same on every dataset that has it, in words."""
        found = [
            f"{self.change(d, name, metric, **changes)} on {paper.dataset_title(d)}"
            for d in self.datasets_with_change(name, **changes)
        ]
        return listed(found)

    def tested(self, question: str, dataset: str, metric: str) -> str:
        """The answer to a question of `comparisons`."""
        return _with_interval(self._tests(question, dataset, metric)[0])

    def datasets_of(self, question: str) -> list[str]:
        """The paper's datasets on which a question is answered."""
        answered = self.asked[self.asked["question"] == question].dropna(subset="low")
        return [
            d for d in self.recorded_paper_datasets if d in set(answered["dataset"])
        ]

    # Sentences.

    def _verdicts(self, question: str, metric: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"holds": [], "fails": [], "undecided": []}
        for dataset in self.datasets_of(question):
            answer = frames.verdict(self._tests(question, dataset, metric)[0])
            found[answer].append(paper.dataset_title(dataset))
        return found

    def outcome(self, question: str, metric: str, rival: str) -> str:
        """`is ahead of RIVAL on A, and behind on B`, where interval and test agree."""
        found = self._verdicts(question, metric)
        count = sum(map(len, found.values()))
        text = f"is ahead of {rival} on {_part(found['holds'], count)}"
        if found["fails"]:
            text += f" and behind on {listed(found['fails'])}"
        if found["undecided"]:
            text += f" ({listed(found['undecided'])}: no difference beyond chance)"
        return text

    def holds(self, question: str, metric: str) -> str:
        """`holds on A and B, fails on C and is undecided on D`."""
        found = self._verdicts(question, metric)
        words = {
            "holds": "holds on",
            "fails": "fails on",
            "undecided": "is undecided on",
        }
        return listed([f"{words[k]} {listed(v)}" for k, v in found.items() if v])

    def full_against(self, name: str, other: str) -> str:
        """In the full catalogue: `is below MF-BPR's on A and B`, by means."""
        above, below = [], []
        for dataset in self.recorded_paper_datasets:
            one, two = self.row(dataset, name), self.row(dataset, other)
            if one and two:
                gap = one.mean("full_ndcg10") - two.mean("full_ndcg10")
                (above if gap > 0 else below).append(
                    f"{paper.dataset_title(dataset)} ({signed(gap)})"
                )
        title = parse_name(other).title
        parts = [
            f"is {word} {title}'s on {listed(found)}"
            for word, found in (("above", above), ("below", below))
            if found
        ]
        return listed(parts)

    def best_rows(self) -> BestRows:
        """Which rows have the highest means among sampled negatives and in full."""
        frame = frames.rows(self.results)
        frame = frame[frame["dataset"].isin(self.recorded_paper_datasets)]
        frame = frame[frame["n"].astype(int) > 0]
        winners = {
            metric: frame.loc[
                frame[metric].astype(float).groupby(frame["dataset"]).idxmax()
            ]
            for metric in ("ndcg10", "full_ndcg10")
        }
        sampled = winners["ndcg10"]
        ball = frame[frame["hyperbolic"].astype(bool)]
        best_ball = ball.loc[
            ball["ndcg10"].astype(float).groupby(ball["dataset"]).idxmax()
        ]
        most_often = best_ball["model"].value_counts().index[0]
        led = [
            d
            for d in self.recorded_paper_datasets
            if d in set(sampled[sampled["model"] == most_often]["dataset"])
        ]
        by_row: dict[str, list[str]] = {}
        full = winners["full_ndcg10"].set_index("dataset")["model"]
        for dataset in self.recorded_paper_datasets:
            by_row.setdefault(full[dataset], []).append(paper.dataset_title(dataset))
        parts = [f"{model} on {listed(where)}" for model, where in by_row.items()]
        sentence = f"the highest mean nDCG@10 of our rows is that of {listed(parts)}."
        return BestRows(most_often, led, sentence)

    def lead_sentence(self) -> str:
        """How far the best hyperbolic row leads the best Euclidean one."""
        found = self._verdicts("lead", "ndcg10")
        gaps = [
            self._tests("lead", d, "ndcg10")[0]["difference"]
            for d in self.datasets_of("lead")
        ]
        text = f"leads the best Euclidean row in nDCG@10 on {listed(found['holds'])}"
        if found["fails"] or found["undecided"]:
            text += f" and not on {listed(found['fails'] + found['undecided'])}"
        return f"{text}, by {signed(min(gaps))} to {signed(max(gaps))} points"

    def twin_full_sentence(self) -> str:
        """Hyperbolic MF against itself at c = 0 in the full catalogue."""
        parts = []
        for dataset in self.datasets_with_change("hyperbolic_mf", c=0.0):
            flat = self._changed(dataset, "hyperbolic_mf", {"c": 0.0})
            own = self.row(dataset, "hyperbolic_mf")
            assert own and flat
            means = (formats.percent(g.mean("full_ndcg10")) for g in (own, flat))
            ours, theirs = means
            parts.append(f"{ours} against {theirs} on {paper.dataset_title(dataset)}")
        return f"its mean nDCG@10 is {listed(parts)} (curved against flat)."

    def budgets(self) -> Iterator[str]:
        """How many configurations were tried for each row, by model."""
        frame = self.tables["searches"].frame
        for model, of_model in frame.groupby("model", sort=False):
            counts = sorted(set(of_model["tried"].astype(int)))
            ends = "–".join(dict.fromkeys(str(n) for n in (counts[0], counts[-1])))
            yield f"{model} {ends}"

    # Sweeps, dimensions, orders of the split.

    def swept_datasets(self, field: str) -> list[str]:
        """Datasets with at least three values of a sweep."""
        found = frames.swept(self.results, field)
        return [d for d, values in found.items() if len(values) > 2]

    def best_value(self, dataset: str, field: str, metric: str = "ndcg10") -> str:
        """The value of a sweep with the highest mean."""
        values = frames.swept(self.results, field)[dataset]
        return f"{max(values, key=lambda v: values[v].mean(metric)):g}"

    def paper_best_c(self, dataset: str) -> str:
        """The paper's best c of Table 4."""
        printed = paper.TABLE4.get(dataset, {})
        return f"{max(printed, key=printed.__getitem__):g}" if printed else "–"

    def paper_metric(self, dataset: str) -> str:
        """The metric of the paper's Table 4."""
        return formats.METRICS[paper.TABLE4_METRIC[dataset]]

    @property
    def paper_gamma(self) -> str:
        """The paper's best γ, in words."""
        best = paper.FIGURE4_BEST.items()
        return listed([f"{v:g} on {paper.dataset_title(d)}" for d, v in best])

    def dimension_datasets(self) -> list[str]:
        """Datasets on which HyperML and CML were run at several dimensions."""
        return [d for d in self.results.datasets if self.results.at_equal_dim(d)]

    def dimension_gaps(self, dataset: str) -> str:
        """`−0.44 (−0.60 to −0.28) at d = 8, …`."""
        frame = self.tables["dimensions"].of(dataset=dataset).frame
        return listed(
            [
                f"{signed(r['ndcg10_difference'])} at d = {r['dim']}"
                for r in frame.to_dict("records")
            ]
        )

    def orders(self, dataset: str, name: str) -> list[dict[str, str]]:
        """nDCG@10 of a row by the order of the split, in words."""
        frame = self.tables["split_order"].of(dataset=dataset, name=name).frame
        found = []
        for row in frame.to_dict("records"):
            value = formats.percent(row["ndcg10"])
            order = row["order"]
            text = f"the paper has {value}" if order == "paper" else f"{order} {value}"
            found.append({"text": text})
        return found

    def ratio_of(self, dataset: str, metric: str = "ndcg10") -> str:
        """HyperML's nDCG@10 over its HR@10."""
        row = self.row(dataset, "hyperml")
        return f"{row.mean(metric) / row.mean('hr10'):.2f}" if row else formats.BLANK

    def paper_ratio(self, dataset: str) -> str:
        """The paper's."""
        printed = self.results.published(dataset, "hyperml")
        return f"{printed['ndcg10'] / printed['hr10']:.2f}"

    def level_gaps(self) -> list[str]:
        """Ours minus the paper's nDCG@10 of HyperML."""
        frame = self.tables["results"].of(name="hyperml").frame
        return [
            f"{signed(row['gap_ndcg10'])} on {row['where']}"
            for row in frame.to_dict("records")
            if not formats.absent(row["gap_ndcg10"])
        ]

    # Data, speed and sums.

    def dataset_count(self, dataset: str, field: str) -> str:
        """A count of a prepared dataset."""
        row = self.datasets[self.datasets["dataset"] == dataset]
        return f"{int(row[field].iloc[0]):,}" if len(row) else formats.BLANK

    def paper_count(self, dataset: str) -> str:
        """The paper's interactions."""
        return paper.TABLE1[dataset].interactions

    def speed(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The last line of `benchmarks.jsonl` with these values."""
        found = [
            b
            for b in self.benchmarks
            if b["name"] == name and all(b.get(k) == v for k, v in wanted.items())
        ]
        return found[-1]

    def bench_lines(self, prefix: str) -> list[dict[str, Any]]:
        """The lines whose names begin so."""
        return [b for b in self.benchmarks if b["name"].startswith(prefix)]

    def rim(self, margin: float) -> str:
        """The largest distance from the origin, with this margin of the unit ball."""
        return f"{2 * math.atanh(1 - margin):.1f}"

    def plan(
        self, users: int, items: int, per_user: int, dim: int
    ) -> dict[str, int | float]:
        """What a table of this size would take, by measured rates."""
        tables_bytes = (users + items) * dim * 4
        interactions = users * per_user
        fused = self.speed("fit/hyperml/fused", rows=1_000_000)["triplets_per_second"]
        slow = self.speed("fit/hyperml/tensorflow", rows=1_000_000)
        sampler = self.speed("sampler")
        return {
            "users": users, "items": items, "per_user": per_user, "dim": dim,
            "tables_gb": round(tables_bytes / 1e9),
            "moments_gb": round(3 * tables_bytes / 1e9),
            "sampler_gb": round(interactions * sampler["bytes_kept"] / 1e9),
            "sampler_peak_gb": round(interactions * sampler["bytes_peak"] / 1e9),
            "negatives_gb": round(2 * users * 100 * 4 / 1e9),
            "epoch_minutes": round(interactions / fused / 60),
            "epoch_hours": round(interactions / slow["triplets_per_second"] / 3600, 1),
        }  # fmt: skip

    # Groups of users and items.

    @property
    def groups_recorded(self) -> bool:
        """Whether `groups.csv` has rows."""
        return bool(len(self.strata))

    def groups_sentence(self) -> str:
        """Where the curved row gains most and least."""
        parts = []
        for key, part in self.strata.groupby(
            ["dataset", "one", "other", "kind"], sort=False
        ):
            dataset, one, other, kind = key
            part = part[part["metric"] == "ndcg10"].reset_index(drop=True)
            best, worst = (
                part.loc[i]
                for i in (part.difference.idxmax(), part.difference.idxmin())
            )
            parts.append(
                f"On {paper.dataset_title(dataset)} {one} gains most over {other} for "
                f"{kind}s with {best['label']} training interactions "
                f"({_with_interval(best)}), and least for those with {worst['label']} "
                f"({_with_interval(worst)})."
            )
        seeds = formats.listed(sorted(set(self.strata["seeds"].astype(str))))
        return " ".join(parts) + f" (nDCG@10 among sampled negatives, {seeds} seed.)"


def _part(names: list[str], count: int) -> str:
    if not names:
        return f"none of the {_word(count)} recorded datasets"
    return (
        f"all {_word(count)} recorded datasets"
        if len(names) == count
        else listed(names)
    )


def _word(count: int) -> str:
    words = (
        "no",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
    )
    return words[count] if count < len(words) else str(count)


def _with_interval(test) -> str:
    between = formats.interval(test["low"], test["high"])
    return f"{signed(test['difference'])} ({between})"


def _rounded(rate: float) -> str:
    """Three digits of a rate, for a reader."""
    if formats.absent(rate):
        return formats.BLANK
    digits = 3 - len(str(int(rate)))
    return f"{round(rate, digits):,.0f}"


def _frame(path: pathlib.Path) -> pd.DataFrame:
    """A small CSV, empty where there is none."""
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        return pd.DataFrame(columns=["dataset"])
