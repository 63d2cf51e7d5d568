"""The explorer of `report.html`: a run's disk to point at, a user to look into.

A fixed sample of users, with what the page needs of each worked out here: the latest
training items, the nearest items and their distances in all D dimensions, where the
held-out item ranks. `explorer.js` only draws and looks up.

Points lie where Fig. 2 has them. Items outside its layout take the mean direction of
the points nearest to them in the model's own distance, and their true norm: no second
t-SNE, which would turn the disk around.
"""

import html
import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hyperml_tf.reproduction.reporting import disk, wording
from hyperml_tf.reproduction.reporting.embeddings import Embedding
from hyperml_tf.reproduction.reporting.page import Section

#: What a run may bring to the page, which must stay a few MB with ten datasets.
MAX_USERS, MAX_HISTORY, POPULAR_ITEMS = 250, 30, 300
#: Items recommended, as many as the paper's metrics look at.
K = 10

_LEAD = (
    "Point at a user or an item for its title and norm. Choose a user, in the disk or "
    "from the list, for the history, the recommendations and their distances."
)
_NEIGHBOURS = 5
_ROWS = 32  # users ranked at a time: [32, 30,000] float64 distances are 8 MB
_HERE = pathlib.Path(__file__).parent


class Ranked(NamedTuple):
    """What the model puts nearest to one user.

    Attributes:
        items: at most `K` rows, nearest first, lower rows first among equals.
        distances: theirs.
        held_rank: 1 + the number of items nearer than the held-out one.
        held_distance: of that item.
    """

    items: np.ndarray
    distances: np.ndarray
    held_rank: int
    held_distance: float


def rankings(embedding: Embedding, users: np.ndarray) -> list[Ranked]:
    """Ranks all items but those that training or model selection has seen.

    Args:
        embedding: the run.
        users: rows of users with a held-out item.
    """
    data = embedding.interactions
    found = []
    for start in range(0, len(users), _ROWS):
        rows = users[start : start + _ROWS]
        distances = embedding.distances(embedding.users[rows], embedding.items)
        for user, own in zip(rows, distances, strict=True):
            held_distance = own[data.test_item[user]]
            own[_trained(embedding, user)] = np.inf
            if data.valid_item[user] >= 0:
                own[data.valid_item[user]] = np.inf
            order = np.argsort(own, kind="stable")[:K]
            order = order[np.isfinite(own[order])]
            rank = 1 + int((own < held_distance).sum())
            found.append(Ranked(order, own[order], rank, float(held_distance)))
    return found


def _trained(embedding: Embedding, user: int) -> np.ndarray:
    """The user's training items, in time order."""
    data = embedding.interactions
    return data.train_item[data.row_splits[user] : data.row_splits[user + 1]]


def directions(
    embedding: Embedding, placed: tuple[np.ndarray, np.ndarray], items: np.ndarray
) -> np.ndarray:
    """Angles [N] of `items` in a layout that holds only some of them.

    Args:
        embedding: the run.
        placed: `disk.positions` of it.
        items: [N] row indices.
    """
    users, laid_out = disk.sample(embedding)
    points = np.concatenate([embedding.users[users], embedding.items[laid_out]])
    angles = _angles(np.concatenate(placed))
    distances = embedding.distances(embedding.items[items], points)
    nearest = np.argsort(distances, axis=1)[:, :_NEIGHBOURS]
    mean = np.exp(1j * angles[nearest]).mean(axis=1)
    own = dict(zip(laid_out.tolist(), angles[len(users) :], strict=True))
    return np.array(
        [own.get(i, a) for i, a in zip(items.tolist(), np.angle(mean), strict=True)]
    )


def _angles(positions: np.ndarray) -> np.ndarray:
    return np.arctan2(positions[:, 1], positions[:, 0])


def run_data(
    embedding: Embedding,
    placed: tuple[np.ndarray, np.ndarray],
    dataset: str,
) -> dict[str, Any]:
    """What the page holds of one run; items are named by their place in `items`.

    Args:
        embedding: the run.
        placed: `disk.positions` of it.
        dataset: its title.
    """
    data = embedding.interactions
    sampled, _ = disk.sample(embedding)
    chosen = np.random.default_rng(0).permutation(len(sampled))[:MAX_USERS]
    chosen = np.sort(chosen)
    users = sampled[chosen]
    ranked = rankings(embedding, users)
    trained = [_trained(embedding, user) for user in users]
    # Each item once, the latest first.
    histories = [list(dict.fromkeys(t[::-1].tolist()))[:MAX_HISTORY] for t in trained]
    counts = np.bincount(data.train_item, minlength=data.num_items)
    popular = np.argsort(-counts, kind="stable")[:POPULAR_ITEMS]
    held = data.test_item[users]
    items = np.unique(
        np.concatenate([popular, held, *histories, *(r.items for r in ranked)])
    ).astype(int)

    def place(rows: Any) -> list[int]:
        return np.searchsorted(items, rows).tolist()

    return {
        "dataset": dataset,
        "items": {
            "id": [data.item_ids[item] for item in items],
            "title": None if data.items is None else list(data.items["title"][items]),
            "angle": _rounded(directions(embedding, placed, items), 3),
            "norm": _rounded(np.linalg.norm(embedding.items[items], axis=1), 5),
        },
        "users": {
            "id": [data.user_ids[user] for user in users],
            "angle": _rounded(_angles(placed[0][chosen]), 3),
            "norm": _rounded(np.linalg.norm(embedding.users[users], axis=1), 5),
            "history": [place(history) for history in histories],
            "interactions": [len(t) for t in trained],
            "top": [place(r.items) for r in ranked],
            "distances": [_rounded(r.distances, 3) for r in ranked],
            "held": place(held),
            "held_rank": [r.held_rank for r in ranked],
            "held_distance": [round(r.held_distance, 3) for r in ranked],
        },
    }


def _rounded(values: np.ndarray, decimals: int) -> list[float]:
    return np.round(values, decimals).tolist()


def encoded(value: Any) -> str:
    """Compact JSON that can stand inside a <script> element, whatever it holds.

    Without "<" no "</script>" and no "<!--" can end or change the element.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def section(runs: Sequence[dict[str, Any]], of: Sequence[str]) -> Section:
    """The explorer as a section of the page, without content if there are no runs.

    Args:
        runs: `run_data` of each.
        of: each run in words.
    """
    limits = {"users": MAX_USERS, "history": MAX_HISTORY, "popular": POPULAR_ITEMS}
    title, _, caption = wording.entry("explorer", runs="; ".join(of), k=K, **limits)
    if not runs:
        return Section("explorer", title)
    markup, script, style = (
        (_HERE / f"explorer.{ending}").read_text(encoding="utf-8")
        for ending in ("html", "js", "css")
    )
    markup += (
        f'<script type="application/json" id=explorer-data>{encoded(runs)}</script>\n'
        f"<script>\n{script}</script>\n<p class=note>{html.escape(caption)}</p>"
    )
    return Section("explorer", title, text=[_LEAD], extra=markup, style=style)
