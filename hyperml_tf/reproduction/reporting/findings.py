"""What the results say, in words and numbers: asked by documents and by the report.

Each answer is text. It names datasets and rows as they are in the results, so that it
follows when some are added.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from hyperml_tf.reproduction.reporting import (
    formats,
    paper,
    result_frames,
    tables,
    wording,
)
from hyperml_tf.reproduction.reporting.formats import listed, percent, signed
from hyperml_tf.reproduction.reporting.groups import Group, Results, differing
from hyperml_tf.training.configuration import parse_name

_COUNTS = "no one two three four five six seven eight nine ten".split()


class BestRows(NamedTuple):
    """Which rows have the highest means.

    Attributes:
        most_often: title of the hyperbolic row that most often leads the others.
        key: its model's.
        sampled: datasets on which it leads all rows, among sampled negatives.
        full_sentence: which rows lead in the full catalogue.
    """

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
        if self._tests("table2").empty or self._tests("lead").empty:
            return []
        asked = {n: getattr(self, n) for n in dir(self) if not n.startswith("_")}
        return wording.lines("findings.j2", **asked)

    @property
    def recorded_paper_datasets(self) -> list[str]:
        """Those of the paper's datasets that have rows."""
        return [d for d in self.results.datasets if d in paper.TABLE1]

    def _tests(self, question: str, metric: str = "ndcg10") -> pd.DataFrame:
        """What is answered to a question on the paper's datasets."""
        of, recorded = self.asked, self.recorded_paper_datasets
        kept = of[(of["question"] == question) & (of["metric"] == metric)]
        return kept[kept["dataset"].isin(recorded)].dropna(subset="low")

    def _verdicts(self, question: str, metric: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"holds": [], "fails": [], "undecided": []}
        for test in self._tests(question, metric).to_dict("records"):
            found[result_frames.verdict(test)].append(test["where"])
        return found

    def outcome(self, question: str, metric: str, rival: str) -> str:
        """`is ahead of RIVAL on A, and behind on B`, where interval and test agree."""
        found = self._verdicts(question, metric)
        count, ahead = sum(map(len, found.values())), found["holds"]
        part = listed(ahead)
        if count > 1 and len(ahead) in (0, count):
            all_or_none = "all" if ahead else "none of the"
            part = f"{all_or_none} {_COUNTS[count]} recorded datasets"
        text = f"is ahead of {rival} on {part}"
        if found["fails"]:
            text += f" and behind on {listed(found['fails'])}"
        if found["undecided"]:
            text += f" ({listed(found['undecided'])}: no difference beyond chance)"
        return text

    def holds(self, question: str, metric: str = "ndcg10") -> str:
        """`holds on A and B, fails on C and is undecided on D`."""
        found = self._verdicts(question, metric)
        verbs = {"holds": "holds", "fails": "fails", "undecided": "is undecided"}
        parts = [f"{verbs[k]} on {listed(v)}" for k, v in found.items() if v]
        return listed(parts) if parts else "was not tested"

    def answers(self, question: str, metric: str = "ndcg10") -> str:
        """`+0.37 (+0.19 to +0.57) on A and −0.24 (−0.33 to −0.16) on B`."""
        return _by_dataset(self._tests(question, metric).to_dict("records"))

    def changes(self, name: str, metric: str = "ndcg10", **changes: Any) -> str:
        """What changed options do to a row, on every dataset that has it."""
        tests = self._tests("variant", metric).to_dict("records")
        return _by_dataset(
            t for t in tests if t["first"] is self._changed(t, name, changes)
        )

    def alters(self, name: str, metric: str = "ndcg10") -> str:
        """What a row changes of the model that it is a variant of, likewise."""
        tests = self._tests("variant", metric).to_dict("records")
        return _by_dataset(
            t for t in tests if t["first"] is self.results.row(t["dataset"], name)
        )

    def _changed(
        self, test: Mapping[str, Any], name: str, changes: Mapping[str, Any]
    ) -> Group | None:
        """The configuration that differs from the row in these options alone.

        None as a value stands for any. An option that is changed together with others
        that it needs (an optimizer and its learning rate) counts, too.
        """
        centre = self.results.row(test["dataset"], name)
        if centre is None:
            return None
        follow = {"learning_rate", "epochs"} if "optimizer" in changes else set()
        found = []
        for group in self.results.groups:
            if (group.dataset, group.name) != (test["dataset"], parse_name(name)):
                continue
            fields = differing(group.config, centre.config)
            if fields - follow == set(changes) and all(
                value in (None, group.config.get(field))
                for field, value in changes.items()
            ):
                found.append(group)
        return max(found, key=lambda g: g.n, default=None)

    def full_after(self, name: str, **changes: Any) -> str:
        """Means in the full catalogue, without and with changed options."""
        parts = []
        for test in self._tests("variant").to_dict("records"):
            if test["first"] is self._changed(test, name, changes):
                own, other = (
                    percent(test[side].mean("full_ndcg10"))
                    for side in ("second", "first")
                )
                parts.append(f"{own} against {other} on {test['where']}")
        return listed(parts)

    def full_against(self, name: str, other: str) -> str:
        """In the full catalogue: `is below MF-BPR's on A and B`, by means."""
        found: dict[str, list[str]] = {"above": [], "below": []}
        for dataset in self.recorded_paper_datasets:
            one, two = (self.results.row(dataset, n) for n in (name, other))
            if one and two:
                gap = one.mean("full_ndcg10") - two.mean("full_ndcg10")
                where = f"{paper.dataset_title(dataset)} ({signed(gap)})"
                found["above" if gap > 0 else "below"].append(where)
        title = parse_name(other).title
        parts = (
            f"is {word} {title}'s on {listed(v)}" for word, v in found.items() if v
        )
        return listed(list(parts))

    def which_cml(self) -> str:
        """Where CML (WARP) was tried, and where it stands for CML."""
        return tables.which_cml(self.results)

    def best_rows(self) -> BestRows:
        """Which rows have the highest means among sampled negatives and in full."""
        frame = result_frames.rows(self.results)
        frame = frame[frame["dataset"].isin(self.recorded_paper_datasets)]
        frame = frame[frame["n"] > 0].astype({"ndcg10": float, "full_ndcg10": float})

        def best(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
            return rows.loc[rows.groupby("dataset", sort=False)[metric].idxmax()]

        ball = best(frame[frame["hyperbolic"].astype(bool)], "ndcg10")
        title, key = ball[["model", "name"]].value_counts().index[0]
        sampled = best(frame, "ndcg10").query("name == @key")["where"].tolist()
        full = best(frame, "full_ndcg10").groupby("model", sort=False)["where"]
        parts = [f"{model} on {listed(where.tolist())}" for model, where in full]
        sentence = f"the highest mean nDCG@10 is that of {listed(parts)}."
        return BestRows(title, key, sampled, sentence)

    def lead_gaps(self) -> str:
        """`+0.29 on A (Hyperbolic MF) and …`: best hyperbolic minus best Euclidean."""
        tests = self._tests("lead").to_dict("records")
        return listed(
            [
                f"{signed(t['difference'])} on {t['where']} ({t['first'].title})"
                for t in tests
            ]
        )

    def best_values(self, field: str, metric: str = "ndcg10") -> str:
        """The values of a sweep with the highest means: `0.1 on A and 0.5 on B`."""
        parts = []
        for dataset, values in result_frames.swept(self.results, field, 3).items():
            best = max(values, key=lambda value: values[value].mean(metric))
            parts.append(f"{best:g} on {paper.dataset_title(dataset)}")
        return listed(parts)

    def full_gaps(self) -> str:
        """`−0.09 on A (EASE) and …`: best hyperbolic minus best Euclidean in full."""
        frame = result_frames.best(self.results).query("metric == 'full_ndcg10'")
        frame = frame[frame["dataset"].isin(paper.TABLE1)]
        gaps = zip(
            frame["ball"] - frame["flat"],
            frame["where"],
            frame["flat_name"],
            strict=True,
        )
        return listed(
            [f"{signed(gap)} on {where} ({name})" for gap, where, name in gaps]
        )

    def dimension_gaps(self) -> str:
        """`on A −0.44 at d = 8 and +0.86 at d = 128, and on B …`."""
        of_dim = self._tests("dim").groupby("where", sort=False)
        parts = []
        for where, tests in of_dim:
            rows = zip(tests["difference"], tests["first"], strict=True)
            gaps = [f"{signed(gap)} at d = {g.config['dim']}" for gap, g in rows]
            parts.append(f"on {where} {listed(gaps)}")
        return ", and ".join(parts)

    def level_gaps(self) -> str:
        """Ours minus the paper's nDCG@10 of HyperML."""
        frame = result_frames.rows(self.results).query("name == 'hyperml'")
        gaps = frame.dropna(subset="gap_ndcg10")[["gap_ndcg10", "where"]]
        return listed([f"{signed(gap)} on {where}" for gap, where in gaps.to_numpy()])

    def ratio_of(self, dataset: str, metric: str = "ndcg10") -> str:
        """HyperML's nDCG@10 over its HR@10."""
        row = self.results.row(dataset, "hyperml")
        return f"{row.mean(metric) / row.mean('hr10'):.2f}" if row else formats.BLANK

    def paper_ratio(self, dataset: str) -> str:
        """The paper's."""
        printed = self.results.published(dataset, "hyperml")
        return f"{printed['ndcg10'] / printed['hr10']:.2f}"


def with_interval(test: Mapping[str, Any]) -> str:
    """`−0.01 (−0.12 to +0.10)`, of a test."""
    between = formats.interval(test["low"], test["high"])
    return f"{signed(test['difference'])} ({between})"


def _by_dataset(tests: Iterable[Mapping[str, Any]]) -> str:
    return listed([f"{with_interval(test)} on {test['where']}" for test in tests])
