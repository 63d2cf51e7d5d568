"""What document templates may ask of the record, each answer a number as text.

Templates hold no measured numbers of their own: they ask here and of `findings`.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import pandas as pd

from hyperml_tf.reproduction import record, searches
from hyperml_tf.reproduction.reporting import (
    committed,
    comparisons,
    formats,
    groups,
    in_use,
    missing,
    paper,
    pictures,
    strata,
    tables,
)
from hyperml_tf.reproduction.reporting.findings import Findings, with_interval
from hyperml_tf.reproduction.reporting.formats import listed, signed


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
        self.strata = strata.read(path.with_name("groups.csv"))
        self.datasets = _frame(path.with_name("datasets.csv"))
        lines = path.with_name("benchmarks.jsonl").read_text().splitlines()
        self.benchmarks = [json.loads(line) for line in lines]
        built = tables.of_results(results, significance)
        built.append(tables.searches(searches.read(path.with_name("searches.csv"))))
        built += [self._datasets_table(), self._speed_table()]
        built += [in_use.fold_in(path.parent), in_use.start_from(path.parent)]
        self.tables = {table.name: table for table in built}
        self.absent = missing.missing(results, prepared=None)

    @property
    def shown(self) -> pictures.Shown:
        """What pictures are drawn from."""
        return pictures.Shown(self.results, self.asked, self.strata, self.benchmarks)

    def _datasets_table(self) -> formats.Table:
        stats = {row["dataset"]: row for row in self.datasets.to_dict("records")}
        table = tables.table1(stats)
        columns = [formats.text("Key", "dataset"), *table.columns]
        return dataclasses.replace(table, name="datasets", columns=columns)

    def _speed_table(self) -> formats.Table:
        frame = pictures.speeds(self.benchmarks)
        wide = frame.pivot(index="rows", columns="name", values="rate").reset_index()
        columns = [formats.Column("Rows", ("rows",))]
        for name, head in pictures.PEERS.items():
            if name in wide:
                columns.append(formats.Column(head, (name,), _rounded))
        return formats.Table("speed", "Speed", wide.astype(object), columns)

    def budgets(self) -> Iterator[str]:
        """How many configurations were tried for each row, by model."""
        frame = self.tables["searches"].frame
        for model, of_model in frame.groupby("model", sort=False):
            counts = sorted(set(of_model["tried"].astype(int)))
            ends = "–".join(dict.fromkeys(str(n) for n in (counts[0], counts[-1])))
            yield f"{model} {ends}"

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

    def dataset_count(self, dataset: str, field: str) -> str:
        """A count of a prepared dataset."""
        row = self.datasets[self.datasets["dataset"] == dataset]
        return f"{int(row[field].iloc[0]):,}" if len(row) else formats.BLANK

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

    def counted(self, table: str, field: str) -> str:
        """A column of counts above 0 as one; "a to b" where they differ."""
        values = self.tables[table].frame[field]
        values = values[values > 0]
        ends = dict.fromkeys((values.min(), values.max())) if len(values) else {}
        return " to ".join(f"{int(value):,}" for value in ends) or formats.BLANK

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
                f"({with_interval(best)}), and least for those with {worst['label']} "
                f"({with_interval(worst)})."
            )
        seeds = formats.listed(sorted(set(self.strata["seeds"].astype(str))))
        return " ".join(parts) + f" (nDCG@10 among sampled negatives, {seeds} seed.)"


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
