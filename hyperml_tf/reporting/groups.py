"""Runs that differ in the seed alone, and which configuration stands for a model.

Several configurations of one model can have been run: sweeps, searches, shorter
runs. The one shown in the paper's tables is chosen without a look at test scores.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

# `replicate` can shorten every run; that leaves the configuration what it is.
_LENGTHS = ("epochs", "eval_every")

#: (dataset, model) -> the settings committed for it, None where there are none.
Committed = Callable[[str, str], Mapping[str, Any] | None]


@dataclasses.dataclass(frozen=True)
class Group:
    """The runs of one configuration.

    Attributes:
        rows: their rows of the record, by seed.
    """

    rows: pd.DataFrame

    @property
    def dataset(self) -> str:
        """Dataset key."""
        return self.rows["dataset"].iloc[0]

    @property
    def model(self) -> str:
        """Model key."""
        return self.rows["model"].iloc[0]

    @property
    def variant(self) -> str:
        """Label of the configuration; empty for the model's own."""
        return self.rows["variant"].iloc[0]

    @property
    def config_hash(self) -> str:
        """Hash of settings and data."""
        return self.rows["config_hash"].iloc[0]

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """The resolved settings."""
        return json.loads(self.rows["config"].iloc[0])

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.rows)

    def mean(self, metric: str) -> float:
        """Mean of a metric over seeds, a fraction."""
        return float(self.rows[metric].mean())

    def std(self, metric: str) -> float:
        """Sample standard deviation (ddof 1) over seeds; NaN for one seed."""
        return float(self.rows[metric].std(ddof=1))


def group(rows: pd.DataFrame) -> list[Group]:
    """Groups of the record's rows, in the order of its first three keys."""
    keys = ["dataset", "model", "config_hash"]
    return [Group(part) for _, part in rows.groupby(keys, sort=True)]


def main_groups(
    groups: Sequence[Group], committed: Committed
) -> dict[tuple[str, str], Group]:
    """(dataset, model) -> the configuration that stands for the model.

    Among those without a variant's label: the committed settings before others
    (epochs aside), more seeds before fewer, then the better mean validation nDCG@10.
    """
    best: dict[tuple[str, str], Group] = {}
    merit: dict[tuple[str, str], tuple] = {}
    for candidate in groups:
        if candidate.variant:
            continue
        key = candidate.dataset, candidate.model
        settings = committed(*key)
        as_committed = settings is not None and not differing(
            candidate.config, settings
        )
        worth = as_committed, candidate.n, candidate.mean("valid_ndcg10")
        if key not in best or worth > merit[key]:
            best[key], merit[key] = candidate, worth
    return best


def differing(config: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Fields in which two configurations differ, the length of the run aside."""
    return {
        field
        for field in {*config, *other}
        if field not in _LENGTHS and config.get(field) != other.get(field)
    }


def sweep(groups: Sequence[Group], centre: Group, field: str) -> dict[float, Group]:
    """Value -> configuration that differs from `centre` in `field` alone.

    `centre` is part of it; of two with the same value the one with more seeds counts.
    """
    found = {centre.config[field]: centre}
    for candidate in groups:
        same = (candidate.dataset, candidate.model) == (centre.dataset, centre.model)
        if not same or differing(candidate.config, centre.config) != {field}:
            continue
        value = candidate.config[field]
        if value not in found or candidate.n > found[value].n:
            found[value] = candidate
    return dict(sorted(found.items()))
