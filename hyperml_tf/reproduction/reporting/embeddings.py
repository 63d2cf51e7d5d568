"""The trained points of a run, in float64 NumPy: what disk figures are drawn from."""

import dataclasses
import pathlib

import numpy as np

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.models.table_model import TableRecommender
from hyperml_tf.training import finished
from hyperml_tf.training.run_folder import Run


@dataclasses.dataclass(frozen=True)
class Embedding:
    """Users and items of one run, scaled to the unit ball.

    A ball of curvature -c becomes the unit ball by √c, which leaves every distance
    what it is but for that factor; Euclidean models are kept in the unit ball anyway.

    Attributes:
        run: whose best epoch it is.
        interactions: what it was trained on.
        users: [U, D] float64, norm < 1 (Euclidean: <= 1).
        items: [I, D] likewise.
        hyperbolic: whether distances are the ball's or Euclidean ones.
    """

    run: Run
    interactions: Interactions
    users: np.ndarray
    items: np.ndarray
    hyperbolic: bool

    @property
    def ordered_by_distance(self) -> bool:
        """Whether the nearest items score highest, for a model that scores by them."""
        return not self.run.config.get("item_bias")

    @property
    def trained_items(self) -> np.ndarray:
        """Row indices of items with a training interaction: the others never moved."""
        return np.unique(self.interactions.train_item)

    def distances(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """[N, M] distances of points [N, D] and [M, D], as the model measures them."""
        square = np.sum(x**2, axis=1)[:, None] + np.sum(y**2, axis=1) - 2 * x @ y.T
        euclidean = np.sqrt(np.maximum(square, 0.0))
        if not self.hyperbolic:
            return euclidean
        room = np.outer(1 - np.sum(x**2, axis=1), 1 - np.sum(y**2, axis=1))
        return 2 * np.arcsinh(euclidean / np.sqrt(room))


def load(run: Run, data_dir: pathlib.Path) -> Embedding | None:
    """The points of a finished run; None for a model that does not place points.

    Raises:
        InputError: the dataset is not prepared as it was for the run.
    """
    config, interactions, run = finished.open_run(str(run.folder), str(data_dir))
    model = finished.restored(config, interactions, run)
    if not isinstance(model, TableRecommender):
        return None
    tables = [model.user_table.table, model.item_table.table]
    hyperbolic = bool(config.get("c", 0.0))
    if "c" in config:
        tables = [model.points(table) for table in tables]
    scale = config.c**0.5 if hyperbolic else 1.0
    users, items = (scale * table.numpy().astype(np.float64) for table in tables)
    return Embedding(run, interactions, users, items, hyperbolic)


# What MovieLens writes where it has no genre.
_NO_GENRE = {"", "unknown", "(no genres listed)"}


def genres(interactions: Interactions) -> tuple[np.ndarray, list[str]] | None:
    """Indicators [I, G] of the items' genres, and the G names.

    None where fewer than two items with a training interaction have one.
    """
    table = interactions.items
    if table is None or "genres" not in table:
        return None
    of_item = [set(text.split("|")) - _NO_GENRE for text in table["genres"]]
    names = sorted(set().union(*of_item))
    indicators = np.array([[name in own for name in names] for own in of_item])
    trained = np.unique(interactions.train_item)
    if indicators[trained].any(axis=1).sum() < 2:
        return None
    return indicators, names
