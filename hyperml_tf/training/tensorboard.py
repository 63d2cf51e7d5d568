"""What a run shows in TensorBoard: curves, norms, the disk, settings, the projector.

tensorboard --logdir=runs

TensorBoard names a run after the folder of its event files, so these lie in the run's
own folder, and `projector_config.pbtxt` beside them, where its plugin looks for it; the
tables that the projector shows lie in `tensorboard/`.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping

import matplotlib.figure
import matplotlib.patches
import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import api as hparams

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.files import write_atomically
from hyperml_tf.geometry.spaces import space_of
from hyperml_tf.models.base import Recommender
from hyperml_tf.models.table_model import TableRecommender
from hyperml_tf.training import storage
from hyperml_tf.training.run_folder import Run

# A browser draws no more points well.
_DISK_POINTS = 1000
_PROJECTOR_ITEMS = 5000
# Of the selected epoch, for HParams; the test items are not for choosing settings.
_COMPARED = {"hr10", "ndcg10"}
#: The shape and the colour (Okabe & Ito 2008, which colour-blind readers can tell
#: apart) of users and items, in every picture of a disk; what comes last is on top.
MARKS = {"items": ("^", "#0072B2"), "users": ("o", "#D55E00")}


class Board:
    """Writes one run's TensorBoard files.

    Args:
        run: where.
        config: resolved config, for HParams.
    """

    def __init__(self, run: Run, config):
        self.run = run
        with storage.writing(run.folder):
            self._writer = tf.summary.create_file_writer(str(run.folder))
        chosen = {
            key: value
            for key, value in config.to_dict().items()
            if isinstance(value, bool | int | float | str)
        }
        with self._at(0):
            hparams.hparams(
                chosen | {"seed": run.seed}, trial_id=f"{run.config_hash}-{run.seed}"
            )

    def write_epoch(
        self, epoch: int, values: Mapping[str, float], model: Recommender
    ) -> None:
        """Curves of an epoch; norms and the disk too, where it was validated."""
        with self._at(epoch):
            for name, value in values.items():
                tf.summary.scalar(name, value)
            if "valid/ndcg10" in values and isinstance(model, TableRecommender):
                for side in ("users", "items"):
                    norms = np.linalg.norm(rows_of(model, side), axis=-1)
                    tf.summary.histogram(f"norm/{side}", norms)
                tf.summary.image("disk", disk_image(model, f"epoch {epoch}"))

    def write_selected(self, metrics: dict) -> None:
        """What HParams compares runs by: validation metrics of the selected epoch.

        The plugin's table opens with the first tags in the order of their bytes, so a
        capital puts these before the curves.

        Args:
            metrics: what `metrics.json` is to hold.
        """
        with self._at(metrics["best_epoch"]):
            for name in _COMPARED & metrics["valid"].keys():
                tf.summary.scalar(f"Chosen/valid_{name}", metrics["valid"][name])

    def close(self) -> None:
        """Flushes and closes the event file."""
        with storage.writing(self.run.folder):
            self._writer.close()

    @contextlib.contextmanager
    def _at(self, step: int) -> Iterator[None]:
        with storage.writing(self.run.folder), self._writer.as_default(step=step):
            yield


def write_projector(run: Run, interactions: Interactions, model: Recommender) -> None:
    """The item table for the projector, with titles and genres.

    On the ball there are two tensors, the coordinates and their log_0; of a large
    catalogue, the items with the most training interactions.
    """
    if not isinstance(model, TableRecommender):
        return
    folder = run.folder / "tensorboard"
    folder.mkdir(exist_ok=True)
    counts = np.bincount(interactions.train_item, minlength=interactions.num_items)
    shown = np.sort(np.argsort(-counts, kind="stable")[:_PROJECTOR_ITEMS])
    points = rows_of(model, "items")[shown]
    tensors = {"items": points}
    space = space_of(model.item_table.table)
    if space.riemannian:
        tensors["items_log0"] = space.log0(points).numpy()
    config = projector.ProjectorConfig()
    for name, vectors in tensors.items():
        text = io.StringIO()
        np.savetxt(text, vectors, fmt="%.6g", delimiter="\t")
        write_atomically(folder / f"{name}.tsv", text.getvalue())
        entry = config.embeddings.add()
        entry.tensor_name, entry.tensor_path = name, f"{folder.name}/{name}.tsv"
        entry.metadata_path = f"{folder.name}/items_metadata.tsv"
    metadata = _metadata(interactions, shown, counts)
    write_atomically(folder / "items_metadata.tsv", metadata)
    write_atomically(run.folder / "projector_config.pbtxt", str(config))


def _metadata(data: Interactions, shown: np.ndarray, counts: np.ndarray) -> str:
    titles = genres = [""] * len(shown)
    if data.items is not None:
        titles, genres = (data.items[c].iloc[shown] for c in ("title", "genres"))
    lines = ["item\ttitle\tgenres\tinteractions"]
    for item, title, genre in zip(shown, titles, genres, strict=True):
        cells = data.item_ids[item], title, genre, str(counts[item])
        lines.append("\t".join(cell.replace("\t", " ") for cell in cells))
    return "\n".join(lines) + "\n"


def rows_of(model: TableRecommender, side: str) -> np.ndarray:
    """The table of "users" [U, D] or "items" [I, D]."""
    table = model.user_table if side == "users" else model.item_table
    return table.table.numpy()


def disk_image(model: TableRecommender, title: str) -> tf.Tensor:
    """A picture [1, 480, 480, 3] of users and items in a disk.

    Each point keeps its norm, in units of the ball's radius (of the largest norm, for
    tables without a ball), and takes the direction of its projection onto the first
    two principal axes of the items.
    """
    rng = np.random.default_rng(0)
    tables = {side: rows_of(model, side) for side in ("users", "items")}
    scale = space_of(model.item_table.table).inverse_radius
    if not scale:
        scale = 1 / max(np.linalg.norm(t, axis=-1).max() for t in tables.values())
    items = tables["items"] - tables["items"].mean(axis=0)
    axes = np.linalg.eigh(items.T @ items)[1][:, -2:]
    axes = np.pad(axes, ((0, 0), (2 - axes.shape[1], 0)))  # D = 1 has one axis

    figure = matplotlib.figure.Figure(figsize=(4.8, 4.8), dpi=100, layout="constrained")
    plot = figure.add_subplot(aspect="equal", title=title, xlim=(-1.05, 1.05))
    plot.set(ylim=(-1.05, 1.05), xticks=(), yticks=())
    plot.add_patch(matplotlib.patches.Circle((0, 0), 1, fill=False, color="0.5"))
    for side, (marker, colour) in MARKS.items():
        table = tables[side]
        some = rng.permutation(len(table))[:_DISK_POINTS]
        flat = table[some] @ axes
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        flat *= scale * np.linalg.norm(table[some], axis=1, keepdims=True)
        plot.plot(*flat.T, marker, color=colour, ms=3, mew=0, alpha=0.65, label=side)
    figure.legend(loc="outside lower center", ncols=2, markerscale=4, frameon=False)
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png")
    return tf.image.decode_png(encoded.getvalue(), channels=3)[tf.newaxis]
