"""Runs that differ in the seed alone, and which configuration stands for a model.

Several configurations of one model can have been run: sweeps, searches, shorter
runs. The one shown in the paper's tables is chosen without a look at test scores.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from scipy import stats

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import base_of
from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.training import configuration as configs
from hyperml_tf.training.configuration import OFF, Name, parse_name

# `replicate` can shorten every run; that leaves the configuration what it is.
_LENGTHS = {"epochs", "eval_every"}

#: (dataset, name) -> the settings committed for it, None where there are none.
Committed = Callable[[str, Name], Mapping[str, Any] | None]


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

    @functools.cached_property
    def name(self) -> Name:
        """What the settings that these are, or that a sweep changed, are known by."""
        return Name(self.model, configs.parse_variant(self.variant)["beyond"])

    @functools.cached_property
    def departures(self) -> Mapping[str, str]:
        """Option -> value, where a sweep changed the settings."""
        return configs.parse_variant(self.variant)["departures"]

    @property
    def label(self) -> str:
        """Name and departures, for lists of comparisons."""
        return f"{self.name} {configs.variant(False, self.departures)}".strip()

    @property
    def title(self) -> str:
        """The same for a reader: "HyperML", "HyperML +", "HyperML c=2.0"."""
        changes = configs.variant(False, self.departures)
        return f"{self.name.title} {changes}".strip()

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

    def half_width(self, metric: str) -> float:
        """Half of the 95 % interval of the mean over seeds, by Student's t."""
        if self.n < 2:
            return 0.0
        return float(stats.t.ppf(0.975, self.n - 1) * self.std(metric) / self.n**0.5)


_KEYS = ["dataset", "model", "config_hash"]


def group(rows: pd.DataFrame) -> list[Group]:
    """Groups of the record's rows, in the order of its first three keys."""
    return [Group(part) for _, part in rows.groupby(_KEYS, sort=True)]


def _labelled(rows: pd.DataFrame, committed: Committed) -> pd.DataFrame:
    """The rows, those of a committed configuration under its own label.

    The search or the sweep that found it may have run some of its seeds.
    """
    rows = rows.copy()
    for (dataset, model, _), part in rows.groupby(_KEYS):
        config = json.loads(part["config"].iloc[0])
        label = configs.parse_variant(part["variant"].iloc[0])
        if configs.STARTED in label["departures"]:
            continue  # its settings alone do not make it what it is
        for beyond in (False, True):
            settings = committed(dataset, Name(model, beyond))
            if settings is not None and not differing(config, settings):
                rows.loc[part.index, "variant"] = configs.variant(beyond, {})
    return rows


def main_groups(
    groups: Sequence[Group], committed: Committed
) -> dict[tuple[str, Name], Group]:
    """(dataset, name) -> the configuration that stands for a name.

    Among those without a label of a sweep: the committed settings before those that
    differ in length alone, these before others, more seeds before fewer, then the
    better mean validation nDCG@10.
    """
    found: dict[tuple[str, Name], list[Group]] = {}
    for candidate in groups:
        if not candidate.departures:
            key = candidate.dataset, candidate.name
            found.setdefault(key, []).append(candidate)

    def standing(candidate: Group) -> tuple[int, int, float]:
        settings = committed(candidate.dataset, candidate.name)
        nearness = 0
        if settings is not None:
            changed = differing(candidate.config, settings)
            nearness = 2 if not changed else int(changed <= _LENGTHS)
        return nearness, candidate.n, candidate.mean("valid_ndcg10")

    return {key: max(candidates, key=standing) for key, candidates in found.items()}


def differing(config: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Fields in which two configurations differ; an option left out is off.

    `init_scale` follows from `dim` and is left out where `dim` differs.
    """

    def value(of: Mapping[str, Any], field: str) -> Any:
        return of.get(field, OFF.get(field))

    fields = {*config, *other}
    found = {field for field in fields if value(config, field) != value(other, field)}
    return found - {"init_scale"} if "dim" in found else found


def sweep(groups: Sequence[Group], centre: Group, field: str) -> dict[Any, Group]:
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


@dataclasses.dataclass(frozen=True)
class Results:
    """All groups of a record, and the paper's numbers to set beside them.

    Attributes:
        groups: every configuration.
        main: (dataset, name) -> the configuration that stands for a model, or for
            its settings beyond the paper.
        published: (dataset, model) -> the paper's nDCG@10 and HR@10 as fractions,
            empty where it has none.
    """

    groups: list[Group]
    main: dict[tuple[str, Name], Group]
    published: Callable[[str, str], Mapping[str, float]]

    @functools.cached_property
    def datasets(self) -> list[str]:
        """Datasets with a run, in the paper's order, split as the paper does."""
        found = {g.dataset for g in self.groups if base_of(g.dataset) == g.dataset}
        return sorted(found, key=paper.dataset_order)

    @property
    def split_otherwise(self) -> list[str]:
        """Those whose held-out items are not the last in time: `ml1m-shuffled`."""
        return sorted({g.dataset for g in self.groups} - set(self.datasets))

    def row(self, dataset: str, name: str | Name) -> Group | None:
        """What stands for a name on a dataset, if it was run."""
        return self.main.get((dataset, parse_name(name)))

    def of(self, dataset: str, name: str | Name) -> Group | None:
        """What stands for a column of Table 2; for CML's the better of its two.

        Better on validation: the CML paper's own sampling is a row of its own here.
        """
        name = parse_name(name)
        names = [name] if name.beyond else map(Name, paper.rivals(name.model))
        found = [group for n in names if (group := self.row(dataset, n))]
        return max(found, key=lambda g: g.mean("valid_ndcg10"), default=None)

    def centre(self, changed: Group) -> Group | None:
        """What a changed configuration is held against; None for one that changes none.

        For a sweep that is the row it changes, for settings beyond the paper the
        model's own, for a model that alters another's score the other's.
        """
        if changed.departures:
            return self.row(changed.dataset, changed.name)
        if changed.name.beyond:
            return self.row(changed.dataset, changed.model)
        altered = DEFINITIONS[changed.model].alters
        if altered and self.row(changed.dataset, changed.name) is changed:
            return self.row(changed.dataset, altered)
        return None

    def at_equal_dim(self, dataset: str) -> dict[int, tuple[Group, Group]]:
        """d -> HyperML and CML of d coordinates, all else as their own rows have it.

        Empty where one d alone was run.
        """
        own = [self.row(dataset, model) for model in ("hyperml", "cml")]
        swept = [sweep(self.groups, g, "dim") for g in own if g and "dim" in g.config]
        if len(swept) < len(own):
            return {}
        ours, theirs = swept
        both = {dim: (ours[dim], theirs[dim]) for dim in ours if dim in theirs}
        return both if len(both) > 1 else {}

    def rows_of(self, dataset: str) -> list[Group]:
        """What stands for each name that was run on a dataset."""
        return [group for (of, _), group in self.main.items() if of == dataset]

    def best_hyperbolic(self, dataset: str, metric: str = "ndcg10") -> Group | None:
        """The best row of a hyperbolic model on validation, options included.

        In the full catalogue, of the rows whose validation there was recorded, which
        is not so of older ones; by validation among sampled negatives if it is of none.
        """
        found = [g for g in self.rows_of(dataset) if DEFINITIONS[g.model].hyperbolic]
        if metric.startswith("full_"):
            by = f"valid_{metric}"
            there = [g for g in found if not math.isnan(g.mean(by))]
            if there:
                return max(there, key=lambda g: g.mean(by))
        return max(found, key=lambda g: g.mean("valid_ndcg10"), default=None)

    def best_euclidean(self, dataset: str, metric: str) -> Group | None:
        """The best row of the other models on the test items, options included."""
        found = [
            g for g in self.rows_of(dataset) if not DEFINITIONS[g.model].hyperbolic
        ]
        return max(found, key=lambda g: g.mean(metric), default=None)

    def best_baseline(self, dataset: str, metric: str) -> Group | None:
        """The strongest of Table 2's baselines, on the test items.

        As the paper's row "Improvement" takes it: the best has to be beaten, and is
        not chosen to be easy.
        """
        found = [g for model in paper.BASELINES if (g := self.of(dataset, model))]
        return max(found, key=lambda g: g.mean(metric), default=None)


def results(
    rows: pd.DataFrame,
    committed: Committed,
    published: Callable[[str, str], Mapping[str, float]],
) -> Results:
    """What the tables are built from."""
    groups = group(_labelled(rows, committed))
    return Results(groups, main_groups(groups, committed), published)
