"""Figs 2, 3 and 5: trained points brought to two dimensions by t-SNE.

What the disk shows, and what not. t-SNE (van der Maaten & Hinton 2008) keeps who is
near whom, and nothing else: distances and radii in its plane mean nothing, and its
cloud is round whatever goes in. So a point's angle in the disk is its angle in
t-SNE's plane, made from the model's own distances, and its radius is the point's true
norm in the ball. Nearness can be read along the circle, the distance from the origin
along the radius, and the distance of two points not at all. Fig. 5 is about nearness
alone and shows t-SNE's plane as it is.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Circle
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from hyperml_tf.reproduction.reporting.embeddings import Embedding
from hyperml_tf.reproduction.reporting.figures import BLUE
from hyperml_tf.training.tensorboard import MARKS

#: Users drawn, and items in Fig. 5: t-SNE's cost is quadratic.
MAX_USERS, MAX_ITEMS = 600, 1500
_PERPLEXITY = 30.0
_PANELS_A_ROW = 4


def tsne(distances: np.ndarray) -> np.ndarray:
    """t-SNE of a distance matrix [N, N] into the plane, [N, 2], centred; repeatable."""
    perplexity = min(_PERPLEXITY, (len(distances) - 1) / 3)
    # One thread: on few cores, OpenMP's spinning costs more than it brings.
    with threadpool_limits(1):
        plane = TSNE(
            metric="precomputed", init="random", random_state=0, perplexity=perplexity
        ).fit_transform(distances)
    return plane - plane.mean(axis=0)


def on_disk(plane: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Points [N, 2] at the angles of `plane` [N, 2] and the radii `norms` [N]."""
    radius = np.linalg.norm(plane, axis=1)
    return plane * (norms / np.where(radius > 0, radius, 1.0))[:, None]


def sample(embedding: Embedding) -> tuple[np.ndarray, np.ndarray]:
    """Row indices of at most `MAX_USERS` test users, and of their test items.

    Always the same users of a dataset, whatever the model.
    """
    test = embedding.interactions.test_item
    users = np.flatnonzero(test >= 0)
    chosen = np.random.default_rng(0).permutation(len(users))[:MAX_USERS]
    users = np.sort(users[chosen])
    return users, np.unique(test[users])


def positions(embedding: Embedding) -> tuple[np.ndarray, np.ndarray]:
    """Where the sampled users [N, 2] and items [M, 2] lie in the disk."""
    users, items = sample(embedding)
    points = np.concatenate([embedding.users[users], embedding.items[items]])
    plane = tsne(_symmetric(embedding.distances(points, points)))
    placed = on_disk(plane, np.linalg.norm(points, axis=1))
    return placed[: len(users)], placed[len(users) :]


def _symmetric(distances: np.ndarray) -> np.ndarray:
    """Rounding off: t-SNE insists on a zero diagonal."""
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0.0)
    return distances


def disks(panels: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Drawing:
    """One disk a panel: users as circles, items as triangles.

    Args:
        panels: title of the panel -> users [N, 2] and items [M, 2].
    """
    columns = min(len(panels), _PANELS_A_ROW)
    rows = -(-len(panels) // columns)
    size = 3.3
    drawing, grid = plt.subplots(
        rows, columns, figsize=(size * columns, size * rows + 0.7), squeeze=False
    )
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (name, (users, items)) in zip(grid.flat, panels.items(), strict=False):
        _disk(axes, users, items)
        axes.set_title(name)
    for axes in grid[:, 0]:
        axes.set_ylabel("in radii of the ball")
    for axes in grid[-1]:
        axes.set_xlabel("in radii of the ball")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    drawing.legend(
        handles, labels, loc="outside lower center", ncols=3, markerscale=2.2
    )
    return drawing


def _disk(axes: Axes, users: np.ndarray, items: np.ndarray) -> None:
    axes.add_patch(Circle((0, 0), 1, fill=False, color="black", linewidth=1))
    sides = {"items": items, "users": users}
    for label, (marker, colour) in MARKS.items():
        points = sides[label]
        axes.scatter(
            points[:, 0], points[:, 1], s=7, marker=marker, color=colour, alpha=0.65,
            linewidth=0, label=label, rasterized=True,
        )  # fmt: skip
    axes.set(
        xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal",
        xticks=[-1, 0, 1], yticks=[-1, 0, 1],
    )  # fmt: skip
    axes.grid(False)


def popular(embedding: Embedding, indicators: np.ndarray) -> np.ndarray:
    """Rows of the `MAX_ITEMS` most interacted items that have a genre, [N].

    Args:
        embedding: the run.
        indicators: [I, G] genres.
    """
    items = embedding.trained_items
    counts = np.bincount(embedding.interactions.train_item)[items]
    order = items[np.argsort(-counts, kind="stable")]
    return order[indicators[order].any(axis=1)][:MAX_ITEMS]


def genres(
    embedding: Embedding,
    items: np.ndarray,
    indicators: np.ndarray,
    names: Sequence[str],
) -> Drawing:
    """One small panel a genre, its items over all others: 18 colours tell no one apart.

    Args:
        embedding: the run.
        items: [N] row indices.
        indicators: [N, G] their genres.
        names: the G genres.
    """
    points = embedding.items[items]
    plane = tsne(_symmetric(embedding.distances(points, points)))
    plane = plane / np.abs(plane).max()
    columns = 6
    rows = -(-len(names) // columns)
    drawing, grid = plt.subplots(
        rows, columns, figsize=(1.75 * columns, 1.95 * rows + 0.5), squeeze=False
    )
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for axes, name, own in zip(grid.flat, names, indicators.T, strict=False):
        for part, size, colour in ((~own, 2, "#d4d4d4"), (own, 5, BLUE)):
            x, y = plane[part].T
            axes.scatter(x, y, s=size, color=colour, linewidth=0, rasterized=True)
        axes.set_title(f"{name} ({own.sum()})", fontsize=8.5)
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
        for side in axes.spines.values():
            side.set(visible=True, color="#bbbbbb")
    drawing.supxlabel("t-SNE, first coordinate (no unit)", fontsize=9)
    drawing.supylabel("t-SNE, second coordinate (no unit)", fontsize=9)
    return drawing
