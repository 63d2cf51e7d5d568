"""What document templates may ask of the record, each answer a number as text.

Templates hold no measured numbers of their own: they ask here and of `findings`.
"""

import json
import math
import pathlib
from typing import Any

import pandas as pd

from hyperml_tf.reproduction import costs, record, searches
from hyperml_tf.reproduction.reporting import (
    committed,
    comparisons,
    cost_frame,
    curvature,
    formats,
    groups,
    in_use,
    missing,
    paper,
    pictures,
    result_frames,
    strata,
    tables,
)
from hyperml_tf.reproduction.reporting.findings import Findings, with_interval
from hyperml_tf.reproduction.reporting.formats import Column, Table, listed


class Facts(Findings):
    """The record at `path`, asked by templates.

    Args:
        path: `results.csv`, with the other files beside it.
    """

    def __init__(self, path: pathlib.Path = record.RECORD):
        self.rows = record.read(path)
        results = groups.results(self.rows, committed.settings, committed.published)
        known = comparisons.read(path.with_name("significance.csv"))
        significance = comparisons.current(known, results)
        super().__init__(results, significance)
        self.strata = comparisons.read_table(
            path.with_name("groups.csv"), strata.COLUMNS
        )
        self.hyperbolicity = curvature.read(path.with_name(curvature.FILE))
        counts = pd.read_csv(path.with_name("datasets.csv"))
        self.datasets = {row["dataset"]: row for row in counts.to_dict("records")}
        lines = path.with_name("benchmarks.jsonl").read_text().splitlines()
        self.benchmarks = [json.loads(line) for line in lines]
        searched = result_frames.searches(searches.read(path.with_name("searches.csv")))
        built = [
            *tables.of_results(results, significance),
            tables.noted("searches", searched),
            tables.noted("datasets", result_frames.table1(self.datasets)),
            tables.noted("curvature", curvature.gains(results, self.hyperbolicity)),
            self._speed_table(),
            tables.noted(
                "costs", cost_frame.of_datasets(results, costs.read(path.parent))
            ),
            in_use.fold_in(path.parent),
            in_use.start_from(path.parent),
        ]
        self.tables = {table.name: table for table in built}
        self.absent = missing.missing(results, prepared=None)

    @property
    def shown(self) -> pictures.Shown:
        """What pictures are drawn from."""
        return pictures.Shown(
            self.results, self.strata, self.benchmarks, self.hyperbolicity
        )

    def delta_correlation(self) -> str:
        """Spearman's rank correlation of δ with what HyperML gains over CML."""
        frame = self.tables["curvature"].frame.dropna(subset=["ndcg10_hyperml"])
        ranks = frame[["delta", "ndcg10_hyperml"]].rank()
        return f"{ranks.corr().iloc[0, 1]:+.1f} over {len(frame)} datasets".replace(
            "-", "\N{MINUS SIGN}"
        )

    def _speed_table(self) -> Table:
        frame = pictures.speeds(self.benchmarks)
        wide = frame.pivot(index="rows", columns="name", values="rate").reset_index()
        columns = [Column("Rows", ("rows",))]
        columns += [Column(h, (n,), _rounded) for n, h in pictures.PEERS.items()]
        return Table("speed", "Speed", wide.astype(object), columns)

    def budgets(self) -> str:
        """How many configurations were tried for each row, by model."""
        frame = self.tables["searches"].frame
        tried = frame.groupby("model", sort=False)["tried"].agg(["min", "max"])
        return "; ".join(
            f"{model} {'–'.join(dict.fromkeys((str(least), str(most))))}"
            for model, least, most in tried.itertuples()
        )

    def orders(self, dataset: str, name: str) -> str:
        """nDCG@10 of a row by the order of the split, in words."""
        frame = self.tables["split_order"].of(dataset=dataset, name=name).frame
        values = zip(frame["order"], frame["ndcg10"].map(formats.percent), strict=True)
        words = {"paper": "the paper has"}
        return "; ".join(f"{words.get(order, order)} {v}" for order, v in values)

    def means(self, dataset: str, name: str, **settings: Any) -> str:
        """nDCG@10 and HR@10 of the configuration of a row that has these settings."""
        (found,) = (
            group
            for group in self.results.groups
            if (group.dataset, str(group.name)) == (dataset, name)
            and settings.items() <= group.config.items()
        )
        return " and ".join(formats.percent(found.mean(m)) for m in formats.METRICS)

    def printed(self, dataset: str, name: str) -> str:
        """The paper's."""
        published = self.results.published(dataset, name)
        return " and ".join(formats.percent(published[m]) for m in formats.METRICS)

    def dataset_count(self, dataset: str, field: str) -> str:
        """A count of a prepared dataset."""
        return f"{self.datasets[dataset][field]:,}"

    def paper_count(self, dataset: str) -> str:
        """The paper's interactions."""
        return paper.TABLE1[dataset].interactions

    def speed(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The last line of `benchmarks.jsonl` with these values."""
        wanted["name"] = name
        return [b for b in self.benchmarks if wanted.items() <= b.items()][-1]

    def bench_lines(self, prefix: str) -> list[dict[str, Any]]:
        """The lines whose names begin so."""
        return [b for b in self.benchmarks if b["name"].startswith(prefix)]

    def farthest(self, margin: float) -> str:
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

    def groups_lines(self) -> list[str]:
        """Where the hyperbolic row gains most and least: a sentence for each panel."""
        sentences = []
        for (dataset, one, other, kind), *ends in strata.extremes(self.strata):
            least, most = (
                f"{strata.WHOM[kind].format(row['label'])}, {with_interval(row)}"
                for row in ends
            )
            sentences.append(
                f"On {paper.dataset_title(dataset)}, {one} gains most over {other} for "
                f"{most}, and least for {least}."
            )
        return sentences

    def counted(self, table: str, field: str) -> str:
        """A column of counts above 0 as one; "a to b" where they differ."""
        values = self.tables[table].frame[field]
        values = values[values > 0]
        ends = dict.fromkeys((values.min(), values.max())) if len(values) else {}
        return " to ".join(f"{int(value):,}" for value in ends) or formats.BLANK

    def groups_seeds(self) -> str:
        """How many seeds these are."""
        counts = sorted(set(self.strata["seeds"].astype(int)))
        return "1 seed" if counts == [1] else f"{listed(list(map(str, counts)))} seeds"


def _rounded(rate: float) -> str:
    """Three digits of a rate, for a reader."""
    digits = 3 - len(str(int(rate)))
    return f"{round(rate, digits):,.0f}"
