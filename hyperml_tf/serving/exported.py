"""Asks an exported model, and writes its answers as tables for people."""

import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.models import DEFINITIONS

#: Files of an export beside TensorFlow's: what was exported, and its items' titles.
RECORD, ITEMS = "export.json", "items.csv"

# Users asked about at a time: answers are printed as they come.
_USERS_PER_REQUEST = 256
_LONGEST_TITLE = 48

#: Raw ids of users, or for users who were not in training what they are called and the
#: raw ids of their items.
Asked = Sequence[str] | Mapping[str, Sequence[str]]


class Answer(NamedTuple):
    """What is recommended to one user.

    Attributes:
        user: raw id.
        is_known: whether the model knows the user, or an item of the history; the
            items are else the most popular ones, with NaN for score.
        items: columns rank (from 1), item, score and, if the model measures distance,
            distance; title and genres where the dataset has them.
        unknown_items: how many items of the history the model does not know.
    """

    user: str
    is_known: bool
    items: pd.DataFrame
    unknown_items: int = 0


class Exported:
    """An export folder, loaded.

    Args:
        folder: as written by `saved_model.export`.

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
        titles = folder / ITEMS
        self._titles = None
        if titles.exists():
            table = pd.read_csv(titles, dtype=str, keep_default_na=False)
            self._titles = table.set_index("item")

    def answers(
        self, users: Asked, k: int, exclude_seen: bool = True
    ) -> Iterator[Answer]:
        """What is recommended to each user, one after the other.

        Args:
            users: raw ids, or histories.
            k: items of each; fewer come where fewer are left.
            exclude_seen: leave out what the user is known to have touched.

        Raises:
            InputError: the model has no answer to histories.
        """
        if isinstance(users, Mapping):
            yield from self._answers_for(users, k, exclude_seen)
            return
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
                yield self._answer(user, {n: array[row] for n, array in arrays.items()})

    def _answers_for(
        self, histories: Mapping[str, Sequence[str]], k: int, exclude_seen: bool
    ) -> Iterator[Answer]:
        if "recommend_for_items" not in self._model.signatures:
            way = self.record.get("new_users", "none: the export is older than this")
            raise InputError(
                f"{self.record['model']} on {self.record['dataset']} answers for users "
                f"in training alone ({way}); train again with the new users, or export "
                "a model of another kind"
            )
        ask = self._model.signatures["recommend_for_items"]
        users = list(histories)
        for start in range(0, len(users), _USERS_PER_REQUEST):
            block = users[start : start + _USERS_PER_REQUEST]
            items = [
                [item.encode("utf-8", "surrogateescape") for item in histories[user]]
                for user in block
            ]
            padded = tf.ragged.constant(items, tf.string, ragged_rank=1).to_tensor("")
            answer = ask(
                item_ids=padded,
                k=tf.constant(k),
                exclude_seen=tf.constant(exclude_seen),
            )
            arrays = {name: tensor.numpy() for name, tensor in answer.items()}
            for row, user in enumerate(block):
                yield self._answer(user, {n: array[row] for n, array in arrays.items()})

    def _answer(self, user: str, answer: dict[str, np.ndarray]) -> Answer:
        items = [item.decode() for item in answer["item_ids"] if item]
        columns: dict[str, Any] = {"rank": range(1, len(items) + 1), "item": items}
        for name in ("score", "distance"):
            if f"{name}s" in answer:
                columns[name] = answer[f"{name}s"][: len(items)]
        if self._titles is not None:
            known = self._titles.reindex(items).fillna("")
            columns |= {name: known[name].to_numpy() for name in known}
        unknown = int(answer.get("unknown_items", 0))
        return Answer(user, bool(answer["known_users"]), pd.DataFrame(columns), unknown)

    def tables(self, users: Asked, k: int, exclude_seen: bool = True) -> Iterator[str]:
        """One table of recommendations per user, as text; arguments as of `answers`."""
        model = self.record["model"]
        model = DEFINITIONS[model].title if model in DEFINITIONS else model
        source = f"{model} on {self.record['dataset']}"
        seen = "left out" if exclude_seen else "included"
        for answer in self.answers(users, k, exclude_seen):
            table, user = answer.items, answer.user
            if answer.is_known:
                head = f"user {user}: {source}, seen items {seen}"
                if isinstance(users, Mapping):
                    head += _known_by(len(users[user]), answer.unknown_items)
                # A distance says more than its negation.
                hidden = ["score"] if "distance" in table else []
            else:
                head = f"user {user} is unknown to {source}: the most popular items"
                hidden = ["score", "distance"]
            shown = table.drop(columns=hidden, errors="ignore")
            yield "\n".join([head, *_aligned(shown)])


def _known_by(items: int, unknown: int) -> str:
    """By how many items a new user is known, in words."""
    plural = "item" if items == 1 else "items"
    if not unknown:
        return f"; known by {items} {plural}"
    known = f"; known by {items - unknown} of {items} {plural}"
    return f"{known}, the others are not in the catalogue"


def recommend(
    model: Exported | str | pathlib.Path,
    users: Iterable[object] | None = None,
    k: int = 10,
    exclude_seen: bool = True,
    histories: Mapping[object, Iterable[object]] | pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What an exported model recommends to users, or to new users by their items.

    Args:
        model: an export, or its folder.
        users: raw ids of users who were in training.
        k: items of each user; fewer come where fewer are left.
        exclude_seen: leave out what a user is known to have touched.
        histories: in the place of `users`, what a new user is called -> raw ids of the
            items that the user touched, or a frame with the columns user and item.
            Items that the model does not know are left out.

    Returns:
        One row an item: user, rank (from 1), item, score (higher is better) and title,
        where the dataset has titles. A user whom the model does not know gets the most
        popular items, with NaN for score; so does a new one without a known item.

    Raises:
        InputError: the folder is not an export or cannot be loaded here, `users` are
            not raw ids, k is out of range, or the model cannot answer for new users.
    """
    exported = model if isinstance(model, Exported) else Exported(model)
    asked: Asked
    if users is not None and histories is None:
        asked = _raw_ids(users)
    elif histories is not None and users is None:
        asked = _histories(histories)
    else:
        raise InputError("give one of users=[…] and histories={…}")
    if isinstance(k, bool) or int(k) != k or not 1 <= k < 1 << 31:
        raise InputError(f"k must be a whole number in [1, {(1 << 31) - 1}], got {k}")
    frames = [
        answer.items.assign(user=answer.user)
        for answer in exported.answers(asked, int(k), exclude_seen)
    ]
    columns = ["user", "rank", "item", "score", "title"]
    table = pd.concat(frames or [pd.DataFrame(columns=columns[:4])], ignore_index=True)
    return table[[name for name in columns if name in table]]


def _histories(
    histories: Mapping[object, Iterable[object]] | pd.DataFrame,
) -> dict[str, list[str]]:
    """Users and items as text, as `Interactions.from_dataframe` has them."""
    if isinstance(histories, pd.DataFrame):
        from hyperml_tf.data import frames

        return frames.histories(histories)
    if not isinstance(histories, Mapping):
        raise InputError(
            "histories must be a dictionary of user -> items, or a frame with the "
            f"columns user and item; got a {type(histories).__name__}"
        )
    users = _raw_ids(histories)
    return dict(zip(users, map(_raw_ids, histories.values()), strict=True))


def _raw_ids(users: Iterable[object]) -> list[str]:
    """Ids as text, as `Interactions.from_dataframe` has them."""
    if isinstance(users, str | bytes | pd.DataFrame):
        raise InputError(
            f"users must be a list of raw ids, got a {type(users).__name__}; for one "
            "user give a list of one"
        )
    ids = []
    for user in users:
        if isinstance(user, bytes):
            user = user.decode("utf-8", "surrogateescape")
        if user is None or user != user:  # NaN is not itself
            raise InputError("a user's raw id is missing (None or NaN); leave it out")
        if isinstance(user, float | np.floating) and user == int(user):
            user = int(user)
        ids.append(str(user))
    return ids


def _register_scann(folder: pathlib.Path) -> None:
    """Makes ScaNN's operations known to TensorFlow."""
    try:
        import scann  # noqa: F401
    except ImportError:
        raise InputError(
            f"{folder} was exported with --index=scann and needs the package scann "
            "(Linux only): pip install scann, or export it with --index=exact"
        ) from None


def _aligned(answer: pd.DataFrame) -> Iterator[str]:
    """Lines of a table: numbers to the right, words to the left."""
    numeric = {"rank": "{}", "distance": "{:.4f}", "score": "{:.4f}"}
    columns = {
        name: [numeric.get(name, "{}").format(cell) for cell in answer[name]]
        for name in answer
    }
    if "title" in columns:
        columns["title"] = [title[:_LONGEST_TITLE] for title in columns["title"]]
    widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    for line in [list(columns), *zip(*columns.values(), strict=True)]:
        cells = [
            cell.rjust(widths[name]) if name in numeric else cell.ljust(widths[name])
            for name, cell in zip(columns, line, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def read_histories(path: str, user: str, item: str) -> dict[str, list[str]]:
    """What new users touched: user -> raw ids of items.

    A CSV, gzipped CSV or Parquet file has a row for each, with the columns `user` and
    `item`. Any other file is one user's list, an item a line, and the user is called
    as the file.

    Raises:
        InputError: it cannot be read, or there is no item in it.
    """
    if path.lower().endswith((".csv", ".csv.gz", ".parquet")):
        from hyperml_tf.data import frames

        return frames.histories(path, user, item)
    return {pathlib.Path(path).stem: read_ids(path, "--history")}


def read_ids(path: str, flag: str = "--users") -> list[str]:
    """Raw ids from a file, one a line; empty lines and byte order marks do not count.

    Raises:
        InputError: no such file, not text, or no id in it.
    """
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read {flag}={path} ({error}); give a text file, one id a line"
        ) from None
    # Windows begins a file with the mark, and `cat` puts it between two.
    ids = [raw for line in lines if (raw := line.removeprefix("\ufeff"))]
    if not ids:
        raise InputError(f"{flag}={path} has no id in it; give one raw id a line")
    return ids
