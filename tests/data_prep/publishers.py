"""Writes files as the publishers do, small for tests."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

Row = tuple[str, str, int]


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def ratings_dat(rows: Iterable[Row]) -> bytes:
    return "".join(f"{u}::{i}::5::{t}\n" for u, i, t in rows).encode("latin-1")


def reviews_json(rows: Iterable[Row]) -> bytes:
    lines = (
        json.dumps(
            {
                "reviewerID": u,
                "asin": i,
                "reviewText": 'so\nso, "quoted" ünï',
                "overall": 5.0,
                "unixReviewTime": t,
            }
        )
        for u, i, t in rows
    )
    return ("\n".join(lines) + "\n").encode()


def gzip_of(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 1))
    return path
