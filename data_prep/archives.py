"""Reads members of archives as streams; nothing is ever unpacked to disk.

An archive that holds `..` paths, absolute paths or links, or that expands as
no honest data does, is refused whole, although streaming makes the first two
harmless: such a file is not what the publisher made.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from data_prep.errors import InputError
from data_prep.progress import Progress

# MovieLens 1M expands 5 times; deflate can reach 1032.
MAX_EXPANSION = 200
# Below this an expansion is no danger, whatever its ratio.
FREE_BYTES = 16 << 20
# More than ten times the largest file read here (Yelp's reviews, 5 GB).
MAX_BYTES = 64 << 30

BROKEN = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)


class Inputs(Protocol):
    """The files of one dataset, wherever they lie."""

    path: Path

    def files(self) -> dict[str, Path]:
        """The files on disk that decide what is read, by a short name."""

    def has(self, member: str) -> bool:
        """Whether `open` would find the member."""

    def open(self, member: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """The member's bytes, decompressed."""


class FolderInputs:
    """Plain files of one folder; `name` may lie there as `name.gz`."""

    def __init__(self, path: Path, members: tuple[str, ...]):
        self.path = path
        self._members = members

    def files(self) -> dict[str, Path]:
        found = (self._file(member) for member in self._members if self.has(member))
        return {str(path.relative_to(self.path)): path for path in found}

    def has(self, member: str) -> bool:
        return self._file(member).is_file()

    def open(self, member: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        return open_plain_or_gzip(self._file(member))

    def _file(self, member: str) -> Path:
        plain = self.path / member
        zipped = self.path / f"{member}.gz"
        return zipped if zipped.is_file() else plain


class ZipInputs:
    """Members of a zip (or wheel), found by the end of their path."""

    def __init__(self, path: Path):
        self.path = path
        with _clear_errors(path), zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        for info in infos:
            _check_member(path, info)
        self._infos = [info for info in infos if not info.is_dir()]

    def files(self) -> dict[str, Path]:
        return {self.path.name: self.path}

    def has(self, member: str) -> bool:
        return self._find(member) is not None

    @contextlib.contextmanager
    def open(self, member: str) -> Iterator[IO[bytes]]:
        info = self._find(member)
        if info is None:
            raise InputError(
                f"{self.path}: no {member} inside; this is not the publisher's "
                "archive: delete it to download it again"
            )
        where = f"{self.path}:{info.filename}"
        with (
            _clear_errors(self.path),
            zipfile.ZipFile(self.path) as archive,
            archive.open(info) as stream,
            Progress(f"reading {info.filename}", info.file_size) as progress,
        ):
            yield io.BufferedReader(
                _Guarded(stream, where, info.compress_size, progress)
            )

    def check(self) -> None:
        """Reads every member against its CRC."""
        with _clear_errors(self.path), zipfile.ZipFile(self.path) as archive:
            broken = archive.testzip()
        if broken:
            raise InputError(f"{self.path}: the member {broken} is damaged")

    def _find(self, member: str) -> zipfile.ZipInfo | None:
        wanted = PurePosixPath(member).parts
        found = [
            info
            for info in self._infos
            if PurePosixPath(info.filename).parts[-len(wanted) :] == wanted
        ]
        # goodbooks has samples/ratings.csv beside ratings.csv
        return min(found, key=lambda info: info.filename.count("/"), default=None)


def is_gzip(path: Path) -> bool:
    """Whether the file begins like a gzip file."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextlib.contextmanager
def open_plain_or_gzip(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed if it begins like a gzip file."""
    zipped = is_gzip(path)
    with _clear_errors(path), open(path, "rb") as raw:
        size = path.stat().st_size
        with Progress(f"reading {path.name}", size) as progress:
            if not zipped:
                yield io.BufferedReader(_Guarded(raw, str(path), size, progress, raw))
                return
            with gzip.GzipFile(fileobj=raw) as stream:
                # GzipFile is an IO[bytes] in all but its declared type.
                guarded = _Guarded(stream, str(path), size, progress, raw)  # type: ignore[arg-type]
                yield io.BufferedReader(guarded)


class _Guarded(io.RawIOBase):
    """Passes bytes on, reports progress, and stops at a decompression bomb."""

    def __init__(
        self,
        stream: IO[bytes],
        where: str,
        compressed: int,
        progress: Progress,
        position: IO[bytes] | None = None,
    ):
        self._stream, self._where, self._progress = stream, where, progress
        self._limit = min(max(FREE_BYTES, MAX_EXPANSION * compressed), MAX_BYTES)
        self._position = position
        self._expanded = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._expanded += len(data)
        if self._expanded > self._limit:
            raise InputError(_bomb(self._where))
        done = self._position.tell() if self._position else self._expanded
        self._progress.move_to(done)
        return len(data)


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    parts = PurePosixPath(info.filename.replace("\\", "/")).parts
    if ".." in parts or parts[:1] == ("/",) or (parts and parts[0].endswith(":")):
        raise InputError(
            f"{path}: the member {info.filename!r} points outside the archive; "
            "this is not the publisher's archive: delete it"
        )
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(
            f"{path}: the member {info.filename!r} is a link or a device; this is "
            "not the publisher's archive: delete it"
        )
    limit = max(FREE_BYTES, MAX_EXPANSION * info.compress_size)
    if info.file_size > min(limit, MAX_BYTES):
        raise InputError(_bomb(f"{path}:{info.filename}"))


def _bomb(where: str) -> str:
    return (
        f"{where} expands to more than {MAX_EXPANSION} times its size or to more "
        f"than {MAX_BYTES >> 30} GiB, as no interaction data does; delete it"
    )


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise InputError(
            f"{path}: damaged or cut short ({error}); delete it and get it again"
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile: encrypted, method
        raise InputError(f"{path}: cannot be read ({error})") from error
