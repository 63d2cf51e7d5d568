"""Figs 2, 3 and 5, the explorer, and what the paper reads off them in numbers."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd
from absl import logging

from hyperml_tf.reproduction.reporting import (
    disk,
    embeddings,
    explorer,
    figures,
    measures,
    paper,
    tables,
    wording,
)
from hyperml_tf.reproduction.reporting.embeddings import Embedding
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.formats import Table
from hyperml_tf.reproduction.reporting.page import Section
from hyperml_tf.reproduction.reporting.sources import Sources

#: Fig. 3 compares these, on these datasets; on the first that has them otherwise.
_FIGURE3_MODELS = ("lrml", "cml", "hyperml")
_FIGURE3_DATASETS = ("yelp", "automotive")
_MEASURED_MODELS = ("hyperml", "hyperts", "cml", "lrml")


class Gallery:
    """Figs 2, 3 and 5 and what is measured beside them, from restored models.

    Each run is restored and laid out once.

    Args:
        sources: what the report is made from.
        folder: where figures go.
    """

    def __init__(self, sources: Sources, folder: pathlib.Path):
        self.sources, self.folder = sources, folder
        self.datasets = sources.results.datasets
        #: Why something could not be drawn.
        self.notes: list[str] = []
        self.embedding = functools.cache(self._restored)
        self.placed = functools.cache(self._laid_out)

    def _restored(self, dataset: str, model: str) -> Embedding | None:
        """The first seed of what stands for the model; None if it cannot be had."""
        for run in self.sources.runs_of(dataset, model)[:1]:
            logging.info("restoring %s", run.folder)
            try:
                return embeddings.load(run, self.sources.data_dir)
            # A damaged checkpoint raises whatever TensorFlow likes.
            except Exception as error:
                reason = " ".join(str(error).split())
                logging.warning("not drawn: %s (%s)", run.folder, reason)
                self.notes.append(f"{run.folder} could not be drawn: {reason}.")
        return None

    def _laid_out(self, dataset: str, model: str):
        """`disk.positions` of the embedding, None without one."""
        embedding = self.embedding(dataset, model)
        if embedding is None:
            return None
        logging.info("laying out %s on %s", paper.model_title(model), dataset)
        return disk.positions(embedding)

    def figures(self) -> list[Figure]:
        """Figs 2, 3 and 5, as far as there are runs for them."""
        panels = {paper.dataset_title(d): (d, "hyperml") for d in self.datasets}
        found = self._disks("figure2", panels, 1)
        wanted = [d for d in _FIGURE3_DATASETS if self._comparable(d)]
        others = [d for d in self.datasets if self._comparable(d)]
        for dataset in wanted or others[:1]:
            panels = {paper.model_title(m): (dataset, m) for m in _FIGURE3_MODELS}
            as_paper = dataset in _FIGURE3_DATASETS
            found += self._disks("figure3", panels, 2, dataset, as_paper=as_paper)
        return found + self._figure5()

    def _disks(
        self,
        name: str,
        panels: Mapping[str, tuple[str, str]],
        at_least: int,
        dataset: str = "",
        **words: Any,
    ) -> list[Figure]:
        """Disks side by side, of those panels that can be drawn."""
        placed = {title: self.placed(*key) for title, key in panels.items()}
        placed = {title: both for title, both in placed.items() if both is not None}
        if len(placed) < at_least:
            return []
        words |= {
            "runs": "; ".join(self._counted(*panels[title]) for title in placed),
            "reading": wording.entry("reading")[2],
            "models": ", ".join(placed),
        }
        return [self._save(disk.disks(placed), name, dataset, **words)]

    def _save(self, drawing, name: str, dataset: str = "", **words: Any) -> Figure:
        file = f"{name}_{dataset}" if dataset else name
        words |= {"of_paper": self.sources.of_paper}
        words |= {"where": paper.dataset_title(dataset)}
        return figures.save(drawing, self.folder, file, name, **words)

    def _comparable(self, dataset: str) -> bool:
        models = [m for m in _FIGURE3_MODELS if self.sources.runs_of(dataset, m)]
        return "hyperml" in models and len(models) > 1

    def _figure5(self) -> list[Figure]:
        """Genres of items; the paper has ML-1M."""
        for dataset in sorted(self.datasets, key=lambda d: d != "ml1m"):
            embedding = self.embedding(dataset, "hyperml")
            labels = embedding and embeddings.genres(embedding.interactions)
            if not embedding or not labels:
                continue
            indicators, names = labels
            items = disk.popular(embedding, indicators)
            drawing = disk.genres(embedding, items, indicators[items], names)
            words = {"run": self._run(dataset, "hyperml"), "count": len(items)}
            return [self._save(drawing, "figure5", dataset, **words)]
        return []

    def explorer(self) -> Section:
        """HyperML's users to look into, one run a dataset."""
        runs, of = [], []
        for dataset in self.datasets:
            embedding = self.embedding(dataset, "hyperml")
            title = paper.dataset_title(dataset)
            if embedding is None:
                continue
            if not embedding.ordered_by_distance:
                self.notes.append(f"{title}: no explorer, as scores are no distances.")
                continue
            runs.append(
                explorer.run_data(embedding, self.placed(dataset, "hyperml"), title)
            )
            of.append(self._run(dataset, "hyperml"))
        return explorer.section(runs, of)

    def _run(self, dataset: str, model: str) -> str:
        """Dataset, model, seed and epoch, for captions."""
        run = self.sources.runs_of(dataset, model)[0]
        return (
            f"{paper.model_title(model)} on {paper.dataset_title(dataset)}, "
            f"seed {run.seed}, epoch {run.metrics['best_epoch']}"
        )

    def _counted(self, dataset: str, model: str) -> str:
        """The run, and how many of its users and items are drawn."""
        embedding = self.embedding(dataset, model)
        assert embedding is not None
        users, items = disk.sample(embedding)
        total = int((embedding.interactions.test_item >= 0).sum())
        return (
            f"{self._run(dataset, model)}, {len(users):,} of {total:,} test users and "
            f"their {len(items):,} test items"
        )

    def norms(self) -> Table:
        """How far from the origin users and items lie."""

        def measure(embedding: Embedding) -> dict[str, Any]:
            items = embedding.items[embedding.trained_items]
            return {
                "users": measures.mean_norm(embedding.users),
                "items": measures.mean_norm(items),
                "ratio": measures.norm_ratio(embedding.users, items),
                "spread": measures.norm_spread(items),
            }

        return self._measured("norms", measure)

    def purity(self) -> Table:
        """Whether nearest items share genres."""

        def measure(embedding: Embedding) -> dict[str, Any]:
            labels = embeddings.genres(embedding.interactions)
            if labels is None:
                return {}
            items = embedding.trained_items
            items = items[labels[0][items].any(axis=1)]
            neighbours = measures.nearest(embedding, items)
            return measures.purity(neighbours, labels[0][items])._asdict()

        return self._measured("genres", measure)

    def _measured(
        self, name: str, measure: Callable[[Embedding], dict[str, Any]]
    ) -> Table:
        """A table of measures of every model that places points."""
        rows = [
            {"where": where, "model": model, "seed": embedding.run.seed, **found}
            for where, model, embedding in self._models()
            if (found := measure(embedding))
        ]
        words = {"of_paper": self.sources.of_paper, "neighbours": measures.NEIGHBOURS}
        return tables.noted(name, pd.DataFrame(rows), **words)

    def _models(self) -> Iterator[tuple[str, str, Embedding]]:
        for dataset in self.datasets:
            for model in _MEASURED_MODELS:
                embedding = self.embedding(dataset, model)
                if embedding is not None:
                    where = paper.dataset_title(dataset)
                    yield where, paper.model_title(model), embedding
