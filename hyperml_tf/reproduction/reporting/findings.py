"""What the results say, in words and numbers: asked by documents and by the report.

Each answer is text. It names datasets and rows as they are in the results, so that it
follows when some are added.
"""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from hyperml_tf.reproduction.reporting import formats, paper, result_frames, tables
from hyperml_tf.reproduction.reporting.formats import listed, signed
from hyperml_tf.reproduction.reporting.groups import Group, Results, differing
from hyperml_tf.training.configuration import parse_name

_SENTENCES = pathlib.Path(__file__).parent / "templates" / "findings.j2"


class BestRows(NamedTuple):
    """Which rows have the highest means, in words."""

    most_often: str
    key: str
    sampled: list[str]
    full_sentence: str


class Findings:
    """The results, asked.

    Args:
        results: grouped runs.
        significance: rows of `comparisons`.
    """

    def __init__(self, results: Results, significance: pd.DataFrame):
        self.results = results
        self.asked = result_frames.tests(results, significance)

    def lines(self) -> list[str]:
        """The main findings, a sentence or two each; none without the paper's data."""
        if not self.datasets_of("table2") or not self.datasets_of("lead"):
            return []
        template = jinja2.Template(_SENTENCES.read_text("utf-8"), trim_blocks=True)
        asked = {n: getattr(self, n) for n in dir(self) if not n.startswith("_")}
        return [line for line in template.render(asked).splitlines() if line]

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
        return any(group.model in models for group in self.results.groups)

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
        return with_interval(test) if test else formats.BLANK

    def changes(self, name: str, metric: str = "ndcg10", **changes: Any) -> str:
        """The same on every dataset that has it, in words."""
        found = [
            f"{self.change(d, name, metric, **changes)} on {paper.dataset_title(d)}"
            for d in self.datasets_with_change(name, **changes)
        ]
        return listed(found)

    def tested(self, question: str, dataset: str, metric: str) -> str:
        """The answer to a question of `comparisons`."""
        return with_interval(self._tests(question, dataset, metric)[0])

    def datasets_of(self, question: str) -> list[str]:
        """The paper's datasets on which a question is answered."""
        answered = self.asked[self.asked["question"] == question].dropna(subset="low")
        return [
            d for d in self.recorded_paper_datasets if d in set(answered["dataset"])
        ]

    def _verdicts(self, question: str, metric: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"holds": [], "fails": [], "undecided": []}
        for dataset in self.datasets_of(question):
            answer = result_frames.verdict(self._tests(question, dataset, metric)[0])
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
        parts = [f"{words[k]} {listed(v)}" for k, v in found.items() if v]
        return listed(parts) if parts else "was not tested"

    def full_against(self, name: str, other: str) -> str:
        """In the full catalogue: `is below MF-BPR's on A and B`, by means."""
        above: list[str] = []
        below: list[str] = []
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

    def which_cml(self) -> str:
        """Where CML (WARP) was tried, and where it stands for CML."""
        return tables.which_cml(self.results)

    def best_rows(self) -> BestRows:
        """Which rows have the highest means among sampled negatives and in full."""
        frame = result_frames.rows(self.results)
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
        most_often, key = best_ball[["model", "name"]].value_counts().index[0]
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
        sentence = f"the highest mean nDCG@10 is that of {listed(parts)}."
        return BestRows(most_often, key, led, sentence)

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
        between = " to ".join(dict.fromkeys(map(signed, (min(gaps), max(gaps)))))
        return f"{text}, by {between} points"

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

    def swept_datasets(self, field: str) -> list[str]:
        """Datasets with at least three values of a sweep."""
        found = result_frames.swept(self.results, field)
        return [d for d, values in found.items() if len(values) > 2]

    def best_value(self, dataset: str, field: str, metric: str = "ndcg10") -> str:
        """The value of a sweep with the highest mean."""
        values = result_frames.swept(self.results, field)[dataset]
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
        frame = result_frames.rows(self.results).query("name == 'hyperml'")
        return [
            f"{signed(row['gap_ndcg10'])} on {row['where']}"
            for row in frame.to_dict("records")
            if not formats.absent(row["gap_ndcg10"])
        ]

    def paper_count(self, dataset: str) -> str:
        """The paper's interactions."""
        return paper.TABLE1[dataset].interactions


def _part(names: list[str], count: int) -> str:
    if count == 1:
        return names[0] if names else "no dataset"
    if len(names) in (0, count):
        return f"{'all' if names else 'none of the'} {_word(count)} recorded datasets"
    return listed(names)


def _word(count: int) -> str:
    words = "no one two three four five six seven eight nine ten".split()
    return words[count] if count < len(words) else str(count)


def with_interval(test) -> str:
    """`−0.01 (−0.12 to +0.10)`, of a test."""
    between = formats.interval(test["low"], test["high"])
    return f"{signed(test['difference'])} ({between})"
