"""Reads a prepared folder, the only thing shared with `data_prep`.

The folder's format is DESIGN's: `.npy` arrays of int32, sorted by user then time, raw
ids one a line, and `stats.json` with the shapes and the fingerprint of the arrays.
Arrays are memory-mapped, so many runs on one machine share one copy.
"""

import dataclasses
import functools
import json
import pathlib

import numpy as np
import pandas as pd

from hyperml_tf.errors import InputError

FORMAT_VERSION = 1


class DataError(InputError):
    """A prepared folder that cannot be used; the message says what, where, remedy."""


@dataclasses.dataclass(frozen=True)
class Interactions:
    """One prepared dataset. U users, I items, N training interactions.

    Attributes:
        name: dataset key.
        folder: where it lies.
        stats: contents of `stats.json`.
        train_user: [N] int32, sorted.
        train_item: [N] int32, each user's in time order.
        valid_item: [U] int32, -1 where nothing is held out.
        test_item: [U] int32, likewise.
        valid_negatives: [U, 100] int32, padded with -1 where fewer are eligible.
        test_negatives: [U, 100] int32, likewise.
    """

    name: str
    folder: pathlib.Path
    stats: dict
    train_user: np.ndarray
    train_item: np.ndarray
    valid_item: np.ndarray
    test_item: np.ndarray
    valid_negatives: np.ndarray
    test_negatives: np.ndarray

    @property
    def num_users(self) -> int:
        """U."""
        return self.stats["users"]

    @property
    def num_items(self) -> int:
        """I."""
        return self.stats["items"]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the arrays; part of every run's config hash."""
        return self.stats["fingerprint"]

    @functools.cached_property
    def row_splits(self) -> np.ndarray:
        """[U+1] int64: user u's training rows are row_splits[u]:row_splits[u+1]."""
        return np.searchsorted(self.train_user, np.arange(self.num_users + 1))

    @functools.cached_property
    def user_ids(self) -> list[str]:
        """Raw user ids by index."""
        return _read_lines(self.folder / "user_ids.txt", self.num_users)

    @functools.cached_property
    def item_ids(self) -> list[str]:
        """Raw item ids by index."""
        return _read_lines(self.folder / "item_ids.txt", self.num_items)

    @functools.cached_property
    def items(self) -> pd.DataFrame | None:
        """Columns item, title, genres by item index; None where there are none."""
        path = self.folder / "items.csv"
        if not path.exists():
            return None
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if len(table) != self.num_items:
            raise DataError(
                f"{path} has {len(table)} rows, stats.json says {self.num_items} "
                "items; prepare the dataset again"
            )
        return table


def load(name: str, data_dir: str | pathlib.Path = "data") -> Interactions:
    """Opens `<data_dir>/<name>`.

    Raises:
        DataError: the folder is missing, of another format version, or damaged.
    """
    folder = pathlib.Path(data_dir) / name
    remedy = f"run: python -m data_prep.prepare --dataset={name} --data_dir={data_dir}"
    try:
        stats = json.loads((folder / "stats.json").read_text())
    except FileNotFoundError:
        raise DataError(f"no prepared dataset in {folder}; {remedy}") from None
    except ValueError as error:
        raise DataError(f"{folder}/stats.json is damaged ({error}); {remedy}") from None
    if stats.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{folder} has format version {stats.get('format_version')}, this program "
            f"reads {FORMAT_VERSION}; {remedy}"
        )
    arrays = {}
    for field in dataclasses.fields(Interactions)[3:]:
        path = folder / f"{field.name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"cannot read {path} ({error}); {remedy}") from None
        expected = tuple(stats["arrays"][f"{field.name}.npy"]["shape"])
        if array.dtype != np.int32 or array.shape != expected:
            raise DataError(
                f"{path} holds {array.dtype}{array.shape}, stats.json says "
                f"int32{expected}; {remedy}"
            )
        arrays[field.name] = array
    return Interactions(name=name, folder=folder, stats=stats, **arrays)


def _read_lines(path: pathlib.Path, count: int) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    if len(lines) != count:
        raise DataError(f"{path} has {len(lines)} lines, expected {count}")
    return lines
