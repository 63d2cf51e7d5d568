"""Reads a prepared folder, the only thing shared with `data_prep`.

The folder's format is DESIGN's: `.npy` arrays of int32, sorted by user then time, raw
ids one a line, and `stats.json` with the shapes and checksums of them all. Arrays are
memory-mapped, so many runs on one machine share one copy. Whatever is read is compared
with its checksum before: a bit that turned on the disk would be a wrong number in a
table, and reading everything once costs less than importing TensorFlow.
"""

import dataclasses
import functools
import hashlib
import io
import json
import pathlib
import re

import numpy as np
import pandas as pd

from hyperml_tf.errors import InputError

FORMAT_VERSION = 1
_NAME = re.compile("[A-Za-z0-9_-]{1,64}")


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
        return self._lines("user_ids.txt", self.num_users)

    @functools.cached_property
    def item_ids(self) -> list[str]:
        """Raw item ids by index."""
        return self._lines("item_ids.txt", self.num_items)

    @functools.cached_property
    def items(self) -> pd.DataFrame | None:
        """Columns item, title, genres by item index; None where there are none."""
        if "items.csv" not in self.stats["files"]:
            return None
        path = self.folder / "items.csv"
        text = io.BytesIO(self._checked(path.name))
        table = pd.read_csv(text, dtype=str, keep_default_na=False)
        if len(table) != self.num_items:
            raise DataError(
                f"{path} has {len(table)} rows, stats.json says {self.num_items} "
                f"items; {_remedy(self.folder)}"
            )
        return table

    def _lines(self, name: str, count: int) -> list[str]:
        lines = self._checked(name).decode().split("\n")[:-1]
        if len(lines) != count:
            raise DataError(
                f"{self.folder / name} has {len(lines)} lines, expected {count}; "
                f"{_remedy(self.folder)}"
            )
        return lines

    def _checked(self, name: str) -> bytes:
        """Contents of a text file of the folder, if they are what was prepared."""
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"cannot read {path} ({error.strerror}); {_remedy(self.folder)}"
            ) from None
        _compare(path, hashlib.sha256(content), self.stats["files"][name])
        return content


def load(name: str, data_dir: str | pathlib.Path = "data") -> Interactions:
    """Opens `<data_dir>/<name>`.

    Raises:
        DataError: `name` is no name, or the folder is missing, of another format
            version, or damaged.
    """
    if not _NAME.fullmatch(name):  # a path would be another run in another place
        raise DataError(
            f"{name!r} is no dataset; a dataset is the name of a folder in --data_dir "
            "(1 to 64 letters, digits, _ or -)"
        )
    folder = pathlib.Path(data_dir) / name
    try:
        stats = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
        version = stats.get("format_version")
    except FileNotFoundError:
        raise DataError(f"no prepared dataset in {folder}; {_remedy(folder)}") from None
    except (ValueError, AttributeError) as error:
        raise _damaged(folder, error) from None
    if version != FORMAT_VERSION:
        raise DataError(
            f"{folder} has format version {version}, this program reads "
            f"{FORMAT_VERSION}; {_remedy(folder)}"
        )
    try:
        described = [stats["users"], stats["items"], stats["fingerprint"]]
        described += [stats["files"][f"{side}_ids.txt"] for side in ("user", "item")]
        arrays = {
            field.name: _array(folder / f"{field.name}.npy", stats["arrays"])
            for field in dataclasses.fields(Interactions)[3:]
        }
    except (KeyError, TypeError) as error:
        raise _damaged(folder, error) from None
    return Interactions(name=name, folder=folder, stats=stats, **arrays)


def _array(path: pathlib.Path, described: dict) -> np.ndarray:
    """The array in `path`, memory-mapped, if it is what was prepared."""
    expected = tuple(described[path.name]["shape"])
    checksum = described[path.name]["sha256"]
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = np.memmap(path, mode="r").data
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"cannot read {path} ({error}); {_remedy(path.parent)}"
        ) from None
    if array.dtype != np.int32 or array.shape != expected:
        raise DataError(
            f"{path} holds {array.dtype}{array.shape}, stats.json says "
            f"int32{expected}; {_remedy(path.parent)}"
        )
    _compare(path, hashlib.sha256(whole), checksum)
    return array


def _compare(path: pathlib.Path, digest, expected: str) -> None:
    if digest.hexdigest() != expected:
        raise DataError(
            f"{path} is damaged: its SHA-256 is not the one in stats.json; "
            f"{_remedy(path.parent)}"
        )


def _damaged(folder: pathlib.Path, error: Exception) -> DataError:
    return DataError(
        f"{folder}/stats.json is damaged ({type(error).__name__}: {error}); "
        f"{_remedy(folder)}"
    )


def _remedy(folder: pathlib.Path) -> str:
    return (
        f"run: python -m data_prep.prepare --dataset={folder.name} "
        f"--data_dir={folder.parent} (and --table=FILE, where it comes from a table)"
    )
