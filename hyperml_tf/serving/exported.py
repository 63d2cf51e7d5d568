"""Asks an exported model, and gives its answers as frames, or as tables for people."""

import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.serving import raw_ids

#: Files of an export beside TensorFlow's: what was exported, its items' titles, and
#: the raw ids of its users, in a column `id`.
RECORD, ITEMS, USERS = "export.json", "items.csv", "users.parquet"

# Users asked about at a time: answers are printed as they come.
_USERS_PER_REQUEST = 256
_LONGEST_TITLE = 48

#: Raw ids of users, or for users who were not in training what they are called and the
#: raw ids of their items.
Asked = Sequence[str] | Mapping[str, Sequence[str]]


class Lists(NamedTuple):
    """Items by raw ids; those that are not in the catalogue change nothing.

    Attributes:
        exclude_items: they are left out.
        allowed_items: no other is recommended; () allows all.
    """

    exclude_items: Sequence[str] = ()
    allowed_items: Sequence[str] = ()


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
        self._folder = folder = pathlib.Path(folder)
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

    @property
    def signatures(self) -> Mapping[str, Callable]:
        """The functions of the SavedModel by name."""
        return self._model.signatures

    @property
    def users(self) -> list[str]:
        """Raw ids of all users that the model knows.

        Raises:
            InputError: the export is older than this file of it.
        """
        path = self._folder / USERS
        try:
            return pq.ParquetFile(path).read()["id"].to_pylist()
        except FileNotFoundError:
            raise InputError(
                f"{self._folder} has no {USERS}, so all its users cannot be asked for; "
                "export the run again with this version, or give --users=FILE"
            ) from None

    def answers(
        self,
        users: Asked,
        k: int,
        exclude_seen: bool = True,
        lists: Lists | None = None,
    ) -> Iterator[Answer]:
        """What is recommended to each user, one after the other.

        Args:
            users: raw ids, or histories.
            k: items of each; fewer come where fewer are left.
            exclude_seen: leave out what the user is known to have touched.
            lists: what else is left out, and what is allowed.

        Raises:
            InputError: the model has no answer to histories, or the export is too old
                for lists.
        """
        for block, answer in self._blocks(users, k, exclude_seen, lists):
            for row, user in enumerate(block):
                yield self._answer(user, {n: array[row] for n, array in answer.items()})

    def frames(
        self,
        users: Asked,
        k: int,
        exclude_seen: bool = True,
        lists: Lists | None = None,
    ) -> Iterator[tuple[list[str], pd.DataFrame]]:
        """Some users after the other, with their part of the frame of `recommend`.

        Arguments and errors are as of `answers`.
        """
        for block, answer in self._blocks(users, k, exclude_seen, lists):
            yield block, self._frame("user", block, "item", answer)

    def similar(self, items: Sequence[str], k: int) -> pd.DataFrame:
        """The k items nearest to items: item, rank, similar_item, score and title.

        Raises:
            InputError: an item is not in the catalogue, or the model has no index.
        """
        if "similar_items" not in self._model.signatures:
            raise InputError(
                f"{self._folder} has no similar items; its index is "
                f"{self.record['index']}; export a model of points, such as HyperML"
            )
        answer = self._ask("similar_items", item_ids=raw_ids.encoded(items), k=k)
        for item, known in zip(items, answer["known_items"], strict=True):
            if not known:
                raise InputError(
                    f"item {item} is not in the catalogue of {self._folder}; give the "
                    "raw id of an item that the model was trained on"
                )
        return self._frame("item", items, "similar_item", answer)

    def _blocks(self, users: Asked, k, exclude_seen, lists):
        """Users by the block, and the arrays of their answer."""
        request = {"k": k, "exclude_seen": exclude_seen}
        if isinstance(users, Mapping):
            if lists is not None:
                raise InputError(
                    "lists of items are for users in training; leave them out where "
                    "new users are served by their histories"
                )
            signature = self._signature_for_histories()
        elif lists is None:
            signature = "recommend"
        else:
            signature = "recommend_filtered"
            request |= {
                "exclude_items": [raw_ids.encoded(lists.exclude_items) or [b""]],
                "allowed_items": [raw_ids.encoded(lists.allowed_items) or [b""]],
            }
        if signature not in self._model.signatures:
            raise InputError(
                f"{self._folder} is older than lists of items; export the run again "
                "with this version"
            )
        asked = list(users)
        for start in range(0, len(asked), _USERS_PER_REQUEST):
            block = asked[start : start + _USERS_PER_REQUEST]
            if isinstance(users, Mapping):
                items = [raw_ids.encoded(users[user]) for user in block]
                ragged = tf.ragged.constant(items, tf.string, ragged_rank=1)
                about = {"item_ids": ragged.to_tensor("")}
            else:
                about = {"user_ids": raw_ids.encoded(block)}
            yield block, self._ask(signature, **about, **request)

    def _signature_for_histories(self) -> str:
        if "recommend_for_items" not in self._model.signatures:
            way = self.record.get("new_users", "none: the export is older than this")
            raise InputError(
                f"{self.record['model']} on {self.record['dataset']} answers for users "
                f"in training alone ({way}); train again with the new users, or export "
                "a model of another kind"
            )
        return "recommend_for_items"

    def _ask(self, signature: str, **request) -> dict[str, np.ndarray]:
        feed = {name: tf.convert_to_tensor(value) for name, value in request.items()}
        answer = self._model.signatures[signature](**feed)
        return {name: tensor.numpy() for name, tensor in answer.items()}

    def _frame(self, one, asked, other, answer) -> pd.DataFrame:
        """One row an item: columns `one` (who was asked about), rank, `other`, …"""
        found = answer["item_ids"]
        there = found != b""
        items = np.array([item.decode() for item in found[there]], object)
        table = {
            one: np.repeat(np.array(asked, object), there.sum(axis=1)),
            "rank": np.broadcast_to(np.arange(1, found.shape[1] + 1), found.shape)[
                there
            ],
            other: items,
            "score": answer["scores"][there],
        }
        if self._titles is not None and "title" in self._titles:
            table["title"] = self._titles["title"].reindex(items).fillna("").to_numpy()
        return pd.DataFrame(table)

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

    def tables(
        self,
        users: Asked,
        k: int,
        exclude_seen: bool = True,
        lists: Lists | None = None,
    ) -> Iterator[str]:
        """One table of recommendations per user, as text."""
        source = self._source()
        seen = "left out" if exclude_seen else "included"
        for answer in self.answers(users, k, exclude_seen, lists):
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

    def similar_table(self, item: str, k: int) -> str:
        """The items nearest to one, as text."""
        shown = self.similar([item], k).drop(columns="item")
        head = f"item {item}: the nearest items by {self._source()}"
        return "\n".join([head, *_aligned(shown)])

    def _source(self) -> str:
        """The model and its dataset, for people."""
        model = self.record["model"]
        model = DEFINITIONS[model].title if model in DEFINITIONS else model
        return f"{model} on {self.record['dataset']}"


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
    exclude_items: Iterable[object] | None = None,
    allowed_items: Iterable[object] | None = None,
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
        exclude_items: raw ids of items that are left out for all users.
        allowed_items: raw ids of items; no other is recommended. None allows all.

    Returns:
        One row an item: user, rank (from 1), item, score (higher is better) and title,
        where the dataset has titles. A user whom the model does not know gets the most
        popular items, with NaN for score; so does a new one without a known item.

    Raises:
        InputError: the folder is not an export or cannot be loaded here, `users` or
            items are not raw ids, no item is allowed, k is out of range, or the model
            cannot answer for new users.
    """
    exported = model if isinstance(model, Exported) else Exported(model)
    asked: Asked
    if users is not None and histories is None:
        asked = raw_ids.of(users, "users")
    elif histories is not None and users is None:
        asked = _histories(histories)
    else:
        raise InputError("give one of users=[…] and histories={…}")
    lists = _lists(exclude_items, allowed_items)
    if isinstance(k, bool) or int(k) != k or not 1 <= k < 1 << 31:
        raise InputError(f"k must be a whole number in [1, {(1 << 31) - 1}], got {k}")
    parts = exported.frames(asked, int(k), exclude_seen, lists)
    frames = [frame for _, frame in parts]
    nobody = pd.DataFrame(columns=["user", "rank", "item", "score"])
    return pd.concat(frames or [nobody], ignore_index=True)


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
    users = raw_ids.of(histories, "users")
    items = (raw_ids.of(history, "items") for history in histories.values())
    return dict(zip(users, items, strict=True))


def _lists(
    exclude_items: Iterable[object] | None, allowed_items: Iterable[object] | None
) -> Lists | None:
    if exclude_items is None and allowed_items is None:
        return None
    excluded = raw_ids.of(
        () if exclude_items is None else exclude_items, "exclude_items"
    )
    if allowed_items is None:
        return Lists(excluded)
    allowed = raw_ids.of(allowed_items, "allowed_items")
    if not allowed:
        raise InputError(
            "allowed_items is empty, so that nothing could be recommended; leave it "
            "out to allow all items"
        )
    return Lists(excluded, allowed)


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
    return {pathlib.Path(path).stem: raw_ids.read(path, "history")}
