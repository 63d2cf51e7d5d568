"""Reads a prepared folder, the only thing that `data_prep` hands on.

The folder holds `.npy` arrays of int32, sorted by user then time, raw ids one a line,
and `stats.json` with the shapes and checksums of them all. Arrays are memory-mapped,
so many runs on one machine share one copy. Whatever is read is compared with its
checksum before: a bit that turned on the disk would be a wrong number in a table, and
reading everything once costs less than importing TensorFlow.
"""

import hashlib
import io
import json
import pathlib
import re
from typing import Any

import numpy as np
import pandas as pd

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError

FORMAT_VERSION = 1
_NAME = re.compile("[A-Za-z0-9_-]{1,64}")
_ARRAYS = (
    *("train_user", "train_item", "valid_item", "test_item"),
    *("valid_negatives", "test_negatives"),
)
#: Of other splits than the paper's.
MORE = (
    *("valid_more_user", "valid_more_item", "test_more_user", "test_more_item"),
    *("history_user", "history_item", "cold_user", "cold_item"),
)


class DataError(InputError):
    """A prepared folder that cannot be used; the message says what, where, remedy."""


def load(name: str, data_dir: str | pathlib.Path = "data") -> Interactions:
    """The dataset in `<data_dir>/<name>`.

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
    stats = read_stats(folder)
    try:
        more = [array for array in MORE if f"{array}.npy" in stats["arrays"]]
        arrays = {
            array: _array(folder, array, stats["arrays"]) for array in (*_ARRAYS, *more)
        }
        files = stats["files"]
        user_ids, item_ids = (
            _lines(folder / f"{side}_ids.txt", files, stats[f"{side}s"])
            for side in ("user", "item")
        )
        items = None
        if "items.csv" in files:
            items = _titles(folder / "items.csv", files, stats["items"])
        fingerprint = stats["fingerprint"]
    except (KeyError, TypeError) as error:
        raise _damaged(folder, error) from None
    return Interactions(
        name=name,
        **arrays,
        user_ids=user_ids,
        item_ids=item_ids,
        items=items,
        fingerprint=fingerprint,
    )


def read_stats(folder: pathlib.Path) -> dict[str, Any]:
    """What `stats.json` of a prepared folder says: counts, source, checksums.

    Raises:
        DataError: the folder is missing, of another format version, or damaged.
    """
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
    return stats


def _array(folder: pathlib.Path, name: str, described: dict) -> np.ndarray:
    """An array of the folder, memory-mapped, if it is what was prepared."""
    path = folder / f"{name}.npy"
    expected = tuple(described[path.name]["shape"])
    checksum = described[path.name]["sha256"]
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = np.memmap(path, mode="r").data
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read {path} ({error}); {_remedy(folder)}") from None
    if array.dtype != np.int32 or array.shape != expected:
        raise DataError(
            f"{path} holds {array.dtype}{array.shape}, stats.json says "
            f"int32{expected}; {_remedy(folder)}"
        )
    _compare(path, whole, checksum)
    return array


def _lines(path: pathlib.Path, files: dict[str, str], count: int) -> list[str]:
    lines = _text(path, files).decode().split("\n")[:-1]
    if len(lines) != count:
        raise DataError(
            f"{path} has {len(lines)} lines, expected {count}; {_remedy(path.parent)}"
        )
    return lines


def _titles(path: pathlib.Path, files: dict[str, str], count: int) -> pd.DataFrame:
    table = pd.read_csv(
        io.BytesIO(_text(path, files)), dtype=str, keep_default_na=False
    )
    if len(table) != count:
        raise DataError(
            f"{path} has {len(table)} rows, stats.json says {count} items; "
            f"{_remedy(path.parent)}"
        )
    return table


def _text(path: pathlib.Path, files: dict[str, str]) -> bytes:
    """Contents of a text file of the folder, if they are what was prepared."""
    checksum = files[path.name]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror}); {_remedy(path.parent)}"
        ) from None
    _compare(path, content, checksum)
    return content


def _compare(path: pathlib.Path, content, expected: str) -> None:
    if hashlib.sha256(content).hexdigest() != expected:
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
