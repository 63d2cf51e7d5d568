"""Asks an exported model, and writes its answers as tables for people."""

import json
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.models import TITLES
from hyperml_tf.serving.export import RECORD

# Users asked about at a time: answers are printed as they come.
_USERS_PER_REQUEST = 256
_LONGEST_TITLE = 48


class Exported:
    """An export folder, loaded.

    Args:
        folder: as written by `export.export`.

    Raises:
        InputError: it is none, or cannot be loaded here.
    """

    def __init__(self, folder: str | pathlib.Path):
        folder = pathlib.Path(folder)
        remedy = "write one with hyperml_tf.export --run=… --output=…"
        try:
            self.record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"{folder} is not an exported model: it has no {RECORD}; {remedy}"
            ) from None
        except ValueError as error:
            raise InputError(
                f"{folder}/{RECORD} is damaged ({error}); {remedy}"
            ) from None
        if self.record["index"] == "scann":
            _register_scann(folder)
        try:
            self._model = tf.saved_model.load(str(folder))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise InputError(f"cannot load {folder} ({error}); {remedy}") from None
        titles = folder / "items.csv"
        self._titles = None
        if titles.exists():
            table = pd.read_csv(titles, dtype=str, keep_default_na=False)
            self._titles = table.set_index("item")

    def tables(
        self, users: Sequence[str], k: int, exclude_seen: bool = True
    ) -> Iterator[str]:
        """One table of recommendations per user, as text."""
        ask = self._model.signatures["recommend"]
        for start in range(0, len(users), _USERS_PER_REQUEST):
            block = list(users[start : start + _USERS_PER_REQUEST])
            # A raw id from the command line need not be UTF-8; then it is unknown.
            raw = [user.encode("utf-8", "surrogateescape") for user in block]
            answer = ask(
                user_ids=tf.constant(raw),
                k=tf.constant(k),
                exclude_seen=tf.constant(exclude_seen),
            )
            arrays = {name: tensor.numpy() for name, tensor in answer.items()}
            for row, user in enumerate(block):
                mine = {name: array[row] for name, array in arrays.items()}
                yield self._table(user, mine, exclude_seen)

    def _table(self, user: str, answer: dict[str, np.ndarray], exclude_seen: bool):
        items = [item.decode() for item in answer["item_ids"] if item]
        model = TITLES.get(self.record["model"], self.record["model"])
        source = f"{model} on {self.record['dataset']}"
        columns = {"rank": [str(rank) for rank in range(1, len(items) + 1)]}
        columns["item"] = items
        if answer["known_users"]:
            seen = "left out" if exclude_seen else "included"
            head = f"user {user}: {source}, seen items {seen}"
            # A distance says more than its negation.
            value = "distance" if "distances" in answer else "score"
            numbers = answer[f"{value}s"][: len(items)]
            columns[value] = [f"{number:.4f}" for number in numbers]
        else:
            head = f"user {user} is unknown to {source}: the most popular items"
        if self._titles is not None:
            known = self._titles.reindex(items).fillna("")
            columns["title"] = [title[:_LONGEST_TITLE] for title in known["title"]]
            columns["genres"] = list(known["genres"])
        return "\n".join([head, *_aligned(columns)])


def _register_scann(folder: pathlib.Path) -> None:
    """Makes ScaNN's operations known to TensorFlow."""
    try:
        import scann  # noqa: F401
    except ImportError:
        raise InputError(
            f"{folder} was exported with --index=scann and needs the package scann "
            "(Linux only): pip install scann, or export it with --index=exact"
        ) from None


def _aligned(columns: dict[str, list[str]]) -> Iterator[str]:
    """Lines of a table: numbers to the right, words to the left."""
    numeric = ("rank", "distance", "score")
    widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    for line in [list(columns), *zip(*columns.values(), strict=True)]:
        cells = [
            cell.rjust(widths[name]) if name in numeric else cell.ljust(widths[name])
            for name, cell in zip(columns, line, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def read_users(path: str) -> list[str]:
    """Raw ids from a file, one a line; empty lines and byte order marks do not count.

    Raises:
        InputError: no such file, not text, or no id in it.
    """
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read --users={path} ({error}); give a text file, one id a line"
        ) from None
    # Windows begins a file with the mark, and `cat` puts it between two.
    users = [user for line in lines if (user := line.removeprefix("\ufeff"))]
    if not users:
        raise InputError(f"--users={path} names no user; give one raw id a line")
    return users
