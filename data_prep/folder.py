"""The prepared folder: the one thing `data_prep` hands to `hyperml_tf`.

    train_user.npy  train_item.npy            int32 [N_train], by user, then time
    valid_item.npy  test_item.npy             int32 [U], -1 = nothing held out
    valid_negatives.npy  test_negatives.npy   int32 [U, 100], padded with -1
    {valid,test}_more_{user,item}.npy         int32 [·], split by time: the rest of
                                              what is held out of each user
    cold_{user,item}.npy                      int32 [·], left out by these splits:
                                              training lacks their user or item
    history_{user,item}.npy                   int32 [·], split by user: what users who
                                              are not trained on are ranked by
    user_ids.txt  item_ids.txt                raw ids, UTF-8, line = index
    items.csv                                 item,title,genres; optional
    stats.json                                counts, source, checksums, …

Written beside its place and renamed, so a folder of this name is whole; what it
holds is checked against the checksums in stats.json all the same.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.errors import InputError
from data_prep.progress import Progress

FORMAT_VERSION = 1
_CHUNK_BYTES = 1 << 20
_NAMES = {
    "train_user.npy", "train_item.npy", "valid_item.npy", "test_item.npy",
    "valid_negatives.npy", "test_negatives.npy", "user_ids.txt", "item_ids.txt",
    "items.csv", "stats.json", "history_user.npy", "history_item.npy",
    "cold_user.npy", "cold_item.npy",
    "valid_more_user.npy", "valid_more_item.npy",
    "test_more_user.npy", "test_more_item.npy",
}  # fmt: skip


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with (
        open(path, "rb") as file,
        Progress(f"checking {path.name}", path.stat().st_size) as progress,
    ):
        while block := file.read(_CHUNK_BYTES):
            digest.update(block)
            progress.move_to(file.tell())
    return digest.hexdigest()


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """Hex SHA-256 over names, types, shapes and values, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def write(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    user_ids: list[str],
    item_ids: list[str],
    titles: Mapping[str, tuple[str, str]],
    stats: Mapping[str, Any],
) -> dict[str, Any]:
    """Fills an empty folder; stats.json comes last and describes the rest.

    Args:
        path: an empty folder, from `replacing`.
        arrays: name without `.npy` -> int32 array.
        user_ids: U raw ids.
        item_ids: I raw ids.
        titles: raw item id -> (title, genres); empty: no items.csv.
        stats: everything but what is known only here.

    Returns:
        stats.json as written.
    """
    described = {}
    for name, array in arrays.items():
        file = path / f"{name}.npy"
        np.save(file, array, allow_pickle=False)
        described[file.name] = {"shape": list(array.shape), "sha256": sha256(file)}
    for name, ids in (("user_ids.txt", user_ids), ("item_ids.txt", item_ids)):
        with open(path / name, "w", encoding="utf-8", newline="\n") as text:
            text.writelines(f"{raw}\n" for raw in ids)
    files = ["user_ids.txt", "item_ids.txt"]
    if titles:
        with open(path / "items.csv", "w", encoding="utf-8", newline="") as text:
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow(("item", "title", "genres"))
            for raw in item_ids:  # a line break in a title would be a row of its own
                of = titles.get(raw, ("", ""))
                rows.writerow((raw, *(" ".join(value.split()) for value in of)))
        files.append("items.csv")
    complete = {
        "format_version": FORMAT_VERSION,
        **stats,
        "arrays": described,
        "files": {name: sha256(path / name) for name in files},
        "fingerprint": fingerprint(arrays),
    }
    with open(path / "stats.json", "w", encoding="utf-8") as text:
        json.dump(complete, text, indent=1, ensure_ascii=False)
        text.write("\n")
    return complete


def read_stats(path: Path) -> dict[str, Any] | None:
    """stats.json of a folder that is there and of this version, else None."""
    try:
        stats = json.loads((path / "stats.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(stats, dict) and stats.get("format_version") == FORMAT_VERSION
    return stats if same else None


def is_whole(path: Path, stats: Mapping[str, Any]) -> bool:
    """Whether every file is there with the checksum that stats.json gives."""
    try:
        expected = {name: of["sha256"] for name, of in stats["arrays"].items()}
        expected.update(stats["files"])
        return all(sha256(path / name) == value for name, value in expected.items())
    except (OSError, KeyError, TypeError, AttributeError):
        return False


def has_leftovers(target: Path) -> bool:
    """Whether a process that was killed left something beside `target`."""
    return any(path.exists() for path in _siblings(target))


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` that takes its place at the end.

    It does so only if the block ends without an exception and has written
    stats.json; otherwise it goes and `target` is as before. The folder is
    locked, so a second process waits here, and the lock dies with its owner:
    what a killed process left behind is cleared by the next.

    Raises:
        InputError: `target` holds what no preparation has written.
    """
    _refuse_foreign_files(target)
    new, old = _siblings(target)
    parent_is_ours = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = _locked(new)
    try:
        for leftover in new.iterdir():
            leftover.unlink()
        shutil.rmtree(old, ignore_errors=True)
        yield new
        if (new / "stats.json").exists():
            if target.exists():
                target.rename(old)
            new.rename(target)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        if new.exists() and os.path.samestat(os.fstat(lock), new.stat()):
            shutil.rmtree(new)
        os.close(lock)
        if parent_is_ours and not any(target.parent.iterdir()):
            target.parent.rmdir()


def _refuse_foreign_files(target: Path) -> None:
    there = target.iterdir() if target.is_dir() else ()
    foreign = sorted(path.name for path in there if path.name not in _NAMES)
    if foreign:
        raise InputError(
            f"{target} is to be replaced, and holds {', '.join(foreign[:3])}, which no "
            "preparation has written; move that elsewhere, or name another --dataset"
        )


def _siblings(target: Path) -> tuple[Path, Path]:
    new = target.with_name(f".{target.name}.preparing")
    return new, target.with_name(f".{target.name}.replaced")


def _locked(path: Path) -> int:
    while True:
        path.mkdir(exist_ok=True)
        try:
            lock = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # its owner finished in between
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
            return lock
        os.close(lock)
