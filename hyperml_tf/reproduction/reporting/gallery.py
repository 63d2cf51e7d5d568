"""Figs 2, 3 and 5, the explorer, and what the paper reads off them in numbers."""

import pathlib
from collections.abc import Iterator, Sequence
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
)
from hyperml_tf.reproduction.reporting.embeddings import Embedding
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.formats import Column, Table, text
from hyperml_tf.reproduction.reporting.page import Section
from hyperml_tf.reproduction.reporting.sources import Sources
from hyperml_tf.training.run_folder import Run

#: Fig. 3 compares these, on these datasets; on the first that has them otherwise.
_FIGURE3_MODELS = ("lrml", "cml", "hyperml")
_FIGURE3_DATASETS = ("yelp", "automotive")
_MEASURED_MODELS = ("hyperml", "hyperts", "cml", "lrml")
_READING = (
    "A point's angle is that in t-SNE's plane of the model's own distances, so "
    "nearness can be read along the circle; its radius is its true norm in the ball. "
    "Distances between points cannot be read off. Users are a fixed random sample."
)


class Gallery:
    """Figs 2, 3 and 5 and what is measured beside them, from restored models.

    Each run is restored and laid out once.

    Args:
        sources: what the report is made from.
        folder: where figures go.
    """

    def __init__(self, sources: Sources, folder: pathlib.Path):
        self.sources, self.folder = sources, folder
        #: Why something could not be drawn.
        self.notes: list[str] = []
        self._embeddings: dict[tuple[str, str], Embedding | None] = {}
        self._positions: dict[tuple[str, str], tuple] = {}

    def embedding(self, dataset: str, model: str) -> Embedding | None:
        """The first seed of what stands for the model; None if it cannot be had."""
        key = dataset, model
        if key not in self._embeddings:
            self._embeddings[key] = self._load(self.sources.runs_of(*key))
        return self._embeddings[key]

    def _load(self, runs: Sequence[Run]) -> Embedding | None:
        if not runs:
            return None
        run = min(runs, key=lambda run: run.seed)
        logging.info("restoring %s", run.folder)
        try:
            return embeddings.load(run, self.sources.data_dir)
        # A damaged checkpoint raises whatever TensorFlow likes.
        except Exception as error:
            reason = " ".join(str(error).split())
            logging.warning("not drawn: %s (%s)", run.folder, reason)
            self.notes.append(f"{run.folder} could not be drawn: {reason}.")
            return None

    def _placed(self, dataset: str, model: str):
        key = dataset, model
        embedding = self.embedding(*key)
        if embedding is not None and key not in self._positions:
            logging.info("laying out %s on %s", paper.model_title(model), dataset)
            self._positions[key] = disk.positions(embedding)
        return self._positions.get(key)

    def figure2(self) -> list[Figure]:
        """HyperML's users and items of the test set, one panel a dataset."""
        panels, of = {}, []
        for dataset in self.sources.results.datasets:
            placed = self._placed(dataset, "hyperml")
            if placed is not None:
                panels[paper.dataset_title(dataset)] = placed
                of.append(self._drawn(dataset, "hyperml"))
        if not panels:
            return []
        title = "HyperML on the test set"
        caption = f"{'; '.join(of)}. {_READING}"
        heading = f"{'Fig. 2: ' * self._of_paper}{title}, in the Poincaré disk"
        drawing = disk.disks(panels, title)
        return [figures.save(drawing, self.folder, "figure2", heading, caption)]

    def figure3(self) -> list[Figure]:
        """LRML, CML and HyperML side by side."""
        drawn = []
        wanted = [d for d in _FIGURE3_DATASETS if self._comparable(d)]
        others = [d for d in self.sources.results.datasets if self._comparable(d)]
        for dataset in wanted or others[:1]:
            panels, of = {}, []
            for model in _FIGURE3_MODELS:
                placed = self._placed(dataset, model)
                if placed is not None:
                    panels[paper.model_title(model)] = placed
                    of.append(self._drawn(dataset, model))
            if len(panels) < 2:
                continue
            where = paper.dataset_title(dataset)
            title = f"{', '.join(panels)} on {where}"
            caption = (
                f"{'; '.join(of)}. {_READING} Euclidean models are laid out by "
                "Euclidean distance and live in the closed unit ball."
            )
            if self._of_paper and dataset not in _FIGURE3_DATASETS:
                caption += " The paper shows Yelp and Automotive, not run here."
            drawn.append(
                figures.save(
                    disk.disks(panels, title), self.folder, f"figure3_{dataset}",
                    f"{'Fig. 3: ' * self._of_paper}{title}", caption,
                )
            )  # fmt: skip
        return drawn

    def _comparable(self, dataset: str) -> bool:
        models = [m for m in _FIGURE3_MODELS if self.sources.runs_of(dataset, m)]
        return "hyperml" in models and len(models) > 1

    def figure5(self) -> list[Figure]:
        """Genres of items; the paper has ML-1M."""
        having = [
            d
            for d in self.sources.results.datasets
            if self.sources.runs_of(d, "hyperml")
        ]
        for dataset in sorted(having, key=lambda d: d != "ml1m"):
            embedding = self.embedding(dataset, "hyperml")
            labels = embedding and embeddings.genres(embedding.interactions)
            if not embedding or not labels:
                continue
            indicators, names = labels
            items = disk.popular(embedding, indicators)
            title = f"HyperML on {paper.dataset_title(dataset)}: genres of items"
            drawing = disk.genres(embedding, items, indicators[items], names, title)
            caption = (
                f"{self._run(dataset, 'hyperml')}. t-SNE of the {len(items)} items "
                "with the most training interactions, by hyperbolic distance; a panel "
                "marks one genre (number of items). An item can have several. How pure "
                "the neighbourhoods are is measured in the table."
            )
            name = f"figure5_{dataset}"
            heading = f"{'Fig. 5: ' * self._of_paper}{title}"
            return [figures.save(drawing, self.folder, name, heading, caption)]
        return []

    def explorer(self) -> Section:
        """HyperML's users to look into, one run a dataset."""
        runs, of = [], []
        for dataset in self.sources.results.datasets:
            embedding = self.embedding(dataset, "hyperml")
            title = paper.dataset_title(dataset)
            if embedding is not None and not embedding.ordered_by_distance:
                self.notes.append(f"{title}: no explorer, as scores are no distances.")
                continue
            placed = self._placed(dataset, "hyperml")
            if placed is not None:
                assert embedding is not None
                runs.append(explorer.run_data(embedding, placed, title))
                of.append(self._run(dataset, "hyperml"))
        return explorer.section(runs, of)

    def _run(self, dataset: str, model: str) -> str:
        """Dataset, model, seed and epoch, for captions."""
        embedding = self.embedding(dataset, model)
        assert embedding is not None
        run = embedding.run
        return (
            f"{paper.model_title(model)} on {paper.dataset_title(dataset)}, "
            f"seed {run.seed}, epoch {run.metrics['best_epoch']}"
        )

    def _drawn(self, dataset: str, model: str) -> str:
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
        rows = []
        for row, embedding in self._measured():
            items = embedding.items[embedding.trained_items]
            row["users"] = measures.mean_norm(embedding.users)
            row["items"] = measures.mean_norm(items)
            row["ratio"] = measures.norm_ratio(embedding.users, items)
            row["spread"] = measures.norm_spread(items)
            rows.append(row)
        columns = [*_HEAD, _measured("users: mean norm", "users")]
        columns.append(_measured("items: mean norm", "items"))
        columns.append(_measured("users over items", "ratio"))
        columns.append(_measured("items: spread of norms", "spread"))
        note = (
            "Norms in radii of the ball, with 95 % bootstrap intervals over users or "
            "over items with a training interaction. Users over items is the ratio of "
            "the mean norms, which compares models whatever their scale. The spread is "
            "the standard deviation over the mean; 0 would be a sphere around the "
            "origin."
        )
        if self._of_paper:
            note += (
                " The paper reads off Fig. 3 that HyperML's users lie nearer to the "
                "origin than CML's, and that items form a sphere around them."
            )
        title = "Where users and items lie"
        return Table("norms", title, pd.DataFrame(rows), columns, note)

    def purity(self) -> Table:
        """Whether nearest items share genres."""
        rows = []
        for row, embedding in self._measured():
            labels = embeddings.genres(embedding.interactions)
            if labels is None:
                continue
            items = embedding.trained_items
            items = items[labels[0][items].any(axis=1)]
            neighbours = measures.nearest(embedding, items)
            found = measures.purity(neighbours, labels[0][items])
            rows.append(row | found._asdict())
        columns = [*_HEAD, _measured("share a genre", "observed")]
        columns.append(_measured("with permuted genres", "permuted"))
        note = (
            f"Share of an item's {measures.NEIGHBOURS} nearest items, by the model's "
            "own distance, that share a genre with it: mean over items with a 95 % "
            "bootstrap interval, and what chance gives when genres are shuffled "
            "at random (95 % range of 100 permutations)."
        )
        title = (
            f"{'Fig. 5 in numbers: g' if self._of_paper else 'G'}enres of nearest items"
        )
        return Table("genres", title, pd.DataFrame(rows), columns, note)

    def _measured(self) -> Iterator[tuple[dict[str, Any], Embedding]]:
        for dataset in self.sources.results.datasets:
            for model in _MEASURED_MODELS:
                embedding = self.embedding(dataset, model)
                if embedding is not None:
                    row = {"where": paper.dataset_title(dataset)}
                    row |= {"model": paper.model_title(model)}
                    yield row | {"seed": embedding.run.seed}, embedding

    @property
    def _of_paper(self) -> bool:
        """Whether to mention the paper: not for tables of the user's own alone."""
        sources = self.sources
        return len(sources.own_datasets) < len(sources.results.datasets)


def _interval(found: measures.Measured) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _measured(head: str, field: str) -> Column:
    return Column(head, (field,), _interval)


_HEAD = (text("Dataset", "where"), text("Model", "model"), Column("seed", ("seed",)))
