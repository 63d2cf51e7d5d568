"""One dataset of user-item interactions, as arrays.

An `Interactions` comes from a pandas frame (`Interactions.from_dataframe`), from a
folder that `python -m data_prep.prepare` wrote (`Interactions.load`), or from arrays
(its constructor). Training, evaluation and export need nothing else of the data.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import tensorflow as tf


def _none() -> np.ndarray:
    return np.zeros(0, np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class Interactions:
    """U users, I items and N training interactions, with the items held out.

    Attributes:
        name: what the dataset is called in messages and records.
        train_user: [N] int32 user indices, sorted.
        train_item: [N] int32 item indices, each user's in time order.
        valid_item: [U] int32 item held out for validation; -1 where there is none.
        test_item: [U] int32 item held out for the test; likewise.
        valid_negatives: [U, C] int32 items that each user never touched, among which
            the validation item is ranked; padded with -1 where fewer are eligible.
        test_negatives: [U, C] int32, likewise for the test item.
        user_ids: U raw ids, by index.
        item_ids: I raw ids, by index.
        valid_more_user: [V] int32, of a split by time: users of what else is held out
            for validation; empty where each user has one item at most.
        valid_more_item: [V] int32, those items.
        test_more_user: [T] int32, likewise for the test.
        test_more_item: [T] int32.
        history_user: [H] int32, of a split by user: users who are not trained on; empty
            where all are.
        history_item: [H] int32, the items that they are ranked by.
        cold_user: [L] int32, of rows that these splits leave out, since training lacks
            their user or their item.
        cold_item: [L] int32.
        items: columns item, title and genres, one row an item; None without titles.
        fingerprint: SHA-256 of the arrays. Every run's configuration hash covers it.
    """

    name: str
    train_user: np.ndarray
    train_item: np.ndarray
    valid_item: np.ndarray
    test_item: np.ndarray
    valid_negatives: np.ndarray
    test_negatives: np.ndarray
    user_ids: Sequence[str]
    item_ids: Sequence[str]
    items: pd.DataFrame | None = None
    fingerprint: str = ""
    valid_more_user: np.ndarray = dataclasses.field(default_factory=_none)
    valid_more_item: np.ndarray = dataclasses.field(default_factory=_none)
    test_more_user: np.ndarray = dataclasses.field(default_factory=_none)
    test_more_item: np.ndarray = dataclasses.field(default_factory=_none)
    history_user: np.ndarray = dataclasses.field(default_factory=_none)
    history_item: np.ndarray = dataclasses.field(default_factory=_none)
    cold_user: np.ndarray = dataclasses.field(default_factory=_none)
    cold_item: np.ndarray = dataclasses.field(default_factory=_none)

    @classmethod
    def from_dataframe(
        cls,
        frame: pd.DataFrame,
        user: str = "user",
        item: str = "item",
        time: str | None = None,
        items: pd.DataFrame | None = None,
        hold_out: bool = True,
        seed: int = 0,
        name: str = "dataframe",
        split: str = "leave_one_out",
        min_user: int = 0,
        min_item: int = 0,
        keep: str = "first",
    ) -> Interactions:
        """The dataset of a frame, held out and drawn as `data_prep.prepare` does.

        A user's last item in time is held out for the test and the one before it for
        validation. Each held-out item is ranked among 100 items that the user never
        touched, drawn once from `seed`. Repeated pairs keep their first row. The last
        four arguments change these rules.

        Args:
            frame: one row an interaction.
            user: column of the raw user ids, integers or text.
            item: column of the raw item ids, likewise.
            time: column of times: numbers, datetimes or ISO dates. A row without a
                time stays in training. None takes the rows in the frame's order.
            items: titles and genres, with columns `item` and `title` or `genres`.
            hold_out: False keeps every interaction for training.
            seed: root of the evaluation negatives.
            name: what the dataset is called in messages and records.
            split: "leave_one_out"; "time:SHARE", the latest share of all interactions
                is the test and the share before it validation; or "user:SHARE", that
                share of the users is tested whole, and another validated.
            min_user: users with fewer items are left out, and so are
            min_item: items with fewer users, until none is left (k-core).
            keep: which row of a repeated pair stays, "first" or "last".

        Raises:
            InputError: a column is missing or cannot be read, or nothing could be
                held out.
        """
        from hyperml_tf.data import frames

        columns = frames.Columns(user, item, time)
        rules = frames.rules_of(keep, min_user, min_item, split)
        return frames.split(frame, columns, items, hold_out, seed, name, rules)

    @classmethod
    def load(cls, folder: str | pathlib.Path, hold_out: bool = True) -> Interactions:
        """The dataset of a folder that `python -m data_prep.prepare` wrote.

        Args:
            folder: the prepared folder.
            hold_out: False puts the held-out items back into training, see `unsplit`.

        Raises:
            DataError: the folder is missing, of another format version, or damaged.
        """
        from hyperml_tf.data import prepared

        folder = pathlib.Path(folder)
        data = prepared.load(folder.name, folder.parent)
        return data if hold_out else data.unsplit()

    def unsplit(self) -> Interactions:
        """The same interactions, all of them for training and none held out."""
        from hyperml_tf.data import frames

        return frames.unsplit(self)

    @property
    def num_users(self) -> int:
        """U."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """I."""
        return len(self.item_ids)

    @functools.cached_property
    def row_splits(self) -> np.ndarray:
        """[U+1] int64: user u's training rows are row_splits[u]:row_splits[u+1]."""
        return np.searchsorted(self.train_user, np.arange(self.num_users + 1))

    @property
    def num_held_out(self) -> int:
        """How many interactions are held out, for validation or for the test."""
        return sum(len(self.held_out(split)[0]) for split in ("valid", "test"))

    def held_out(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Users and items [P] held out for "valid" or "test"; each user's first first.

        Raises:
            ValueError: it is neither.
        """
        if split not in ("valid", "test"):
            raise ValueError(f"split must be valid or test, got {split!r}")
        first = getattr(self, f"{split}_item")
        users = np.flatnonzero(first >= 0)
        more = getattr(self, f"{split}_more_user"), getattr(self, f"{split}_more_item")
        return np.concatenate([users, more[0]]), np.concatenate([first[users], more[1]])

    @property
    def users_with_few_negatives(self) -> int:
        """How many users with a test item have fewer than C negatives to rank it among.

        Metrics among negatives say little of them.
        """
        padded = (self.test_negatives < 0).any(axis=1)
        return int((padded & (self.test_item >= 0)).sum())

    def triplets(
        self, batch_size: int = 512, negatives: int = 1, seed: int = 0
    ) -> tf.data.Dataset:
        """Batches (users, pos_items, neg_items) for `fit`, one pass an epoch.

        Each epoch visits every training interaction once, in an order of its own, and
        draws new negatives: items that are not among the user's training items.

        Args:
            batch_size: B, positives of a batch.
            negatives: n, negatives of each positive.
            seed: root of the order and of the negatives.

        Returns:
            Batches of int32: users [B], pos_items [B], and neg_items [B], or [B, n]
            for n > 1. The last batch of an epoch may be smaller.

        Raises:
            ValueError: an argument is not a whole number in its range, or no user has
                a negative.
        """
        for name, value, lowest, highest in (
            ("batch_size", batch_size, 1, 1 << 20),
            ("negatives", negatives, 1, 1000),
            ("seed", seed, 0, (1 << 63) - 1),
        ):
            if int(value) != value or not lowest <= value <= highest:
                raise ValueError(
                    f"{name} must be a whole number in [{lowest}, {highest}], "
                    f"got {value}"
                )
        from hyperml_tf.data.triplets import TripletSampler

        return TripletSampler(self, seed, negatives).passes(batch_size)
