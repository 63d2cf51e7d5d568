"""Fetches a publisher's file: resumes, retries, tries mirrors, trusts nothing.

A file gets its name in the raw folder only once it is whole and its SHA-256 is
the publisher's, or the one recorded when it was first downloaded, or (never
seen before) once it decompresses without error. Until then it is `NAME.part`.
"""

from __future__ import annotations

import contextlib
import email.message
import fcntl
import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from absl import logging

from data_prep import archives
from data_prep.errors import InputError, UnavailableError
from data_prep.folder import sha256
from data_prep.progress import Progress
from data_prep.sources import Place

_TIMEOUT_SECONDS = 20.0
_ATTEMPTS = 4  # in a row without a byte of progress, a host
_LONGEST_WAIT_SECONDS = 30.0
_BLOCK_BYTES = 1 << 18
# Answers that may be different next time; all others send us to the next host.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class _RetryError(Exception):
    """This attempt failed; another may not."""

    def __init__(self, message: str, wait: float | None = None):
        super().__init__(message)
        self.wait = wait


class _BadFileError(Exception):
    """The host's file is not the one wanted."""


def fetch(
    place: Place, raw_dir: Path, mirror: str | None, any_checksum: bool = False
) -> Path:
    """Downloads the file of a place into the raw folder and returns its path.

    Args:
        place: what to fetch, with its hosts and, where known, its SHA-256.
        raw_dir: made if it is not there.
        mirror: replaces every host: `<mirror>/<path of the url>` is asked,
            then `<mirror>/<file name>`.
        any_checksum: take the file as it is if it decompresses.

    Raises:
        UnavailableError: no host has it or can be reached.
        InputError: a host has it, but not with the right content.
    """
    target = raw_dir / place.path
    target.parent.mkdir(parents=True, exist_ok=True)
    expected = place.sha256 or recorded_sha256(raw_dir, place.path)
    if any_checksum:
        expected = None
    problems = []
    bad_file = False
    with _locked_part(target) as part:
        if part is None:  # another process has just finished it
            return target
        for url in _addresses(place.urls, mirror):
            try:
                _fetch_from(url, part, target, expected)
            except _BadFileError as error:
                bad_file = True
                problems.append(f"{url}: {error}")
            except UnavailableError as error:
                problems.append(f"{url}: {error}")
            else:
                os.replace(part.name, target)
                return target
    if bad_file:
        raise InputError(
            f"{target}: " + "; ".join(problems) + "; nothing was kept: try again, "
            "name another host with --mirror=URL, or put the right file there"
        )
    raise UnavailableError("; ".join(problems))


def recorded_sha256(raw_dir: Path, name: str) -> str | None:
    """The SHA-256 that a file had when it was first downloaded."""
    return _records(raw_dir).get(name)


def record_sha256(raw_dir: Path, name: str, found: str) -> None:
    """Keeps a checksum that no publisher states, once the counts proved right."""
    new = raw_dir / "checksums.json.part"
    text = json.dumps(_records(raw_dir) | {name: found}, indent=1)
    new.write_text(text + "\n", encoding="utf-8")
    os.replace(new, raw_dir / "checksums.json")


def _fetch_from(url: str, part: IO[bytes], target: Path, expected: str | None) -> None:
    resumed = part.seek(0, os.SEEK_END) > 0
    _download(url, part)
    try:
        _verify(part, target, expected)
    except _BadFileError:
        part.truncate(0)
        if not resumed:
            raise
        # What lay there may have been the start of something else.
        logging.info("%s: the resumed file is not right; from the start", target)
        _download(url, part)
        try:
            _verify(part, target, expected)
        except _BadFileError:
            part.truncate(0)
            raise


def _verify(part: IO[bytes], target: Path, expected: str | None) -> None:
    part.flush()
    path = Path(part.name)
    if expected is None:
        _check_decompresses(path, target.name)
    elif (found := sha256(path)) != expected:
        raise _BadFileError(f"SHA-256 is {found}, not {expected}")


def _check_decompresses(path: Path, name: str) -> None:
    if name.endswith(".gz") and not archives.is_gzip(path):
        raise _BadFileError("not a gzip file")
    try:
        if name.endswith(".zip"):
            inputs = archives.ZipInputs(path)
            inputs.check()
        else:
            with archives.open_plain_or_gzip(path) as stream:
                while stream.read(_BLOCK_BYTES):
                    pass
    except InputError as error:
        raise _BadFileError(
            f"damaged or cut short ({error.__cause__ or error})"
        ) from error


def _download(url: str, part: IO[bytes]) -> None:
    """Appends to the part file until it is as long as the host says."""
    failures = 0
    while True:
        before = part.seek(0, os.SEEK_END)
        try:
            _attempt(url, part)
            return
        except _RetryError as error:
            problem, wait = str(error), error.wait
        except urllib.error.HTTPError as error:
            if error.code not in _PASSING:
                raise UnavailableError(f"HTTP {error.code} {error.reason}") from error
            problem, wait = f"HTTP {error.code} {error.reason}", _asked_wait(error)
        except urllib.error.URLError as error:
            if isinstance(error.reason, socket.gaierror):
                raise UnavailableError("the host's name cannot be resolved") from error
            problem, wait = str(error.reason), None
        except (OSError, http.client.HTTPException) as error:
            problem, wait = str(error) or type(error).__name__, None
        failures = 1 if part.seek(0, os.SEEK_END) > before else failures + 1
        if failures >= _ATTEMPTS:
            raise UnavailableError(f"{problem}, after {_ATTEMPTS} attempts")
        seconds = min(
            2.0 ** (failures - 1) if wait is None else wait, _LONGEST_WAIT_SECONDS
        )
        logging.info("%s: %s; again in %.0f s", url, problem, seconds)
        time.sleep(seconds)


def _attempt(url: str, part: IO[bytes]) -> None:
    start = part.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"User-Agent": "hyperml-data-prep"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing lies beyond what is here: whole already, or longer than it should
        # be. The checksum tells; if it is wrong, the file is fetched afresh.
        return
    with answer:
        if start and not _continues_at(answer.headers, answer.status, start):
            start = 0
            part.truncate(0)
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        name = os.path.basename(part.name).removesuffix(".part")
        done = start
        with Progress(f"downloading {name}", total, start) as progress:
            while block := answer.read(_BLOCK_BYTES):
                part.write(block)
                done += len(block)
                progress.move_to(done)
        if total is not None and done < total:
            raise _RetryError(f"cut off after {done:,} of {total:,} bytes")


def _continues_at(headers: email.message.Message, status: int, start: int) -> bool:
    content_range = headers.get("Content-Range", "")
    return status == 206 and content_range.startswith(f"bytes {start}-")


def _asked_wait(error: urllib.error.HTTPError) -> float | None:
    asked = error.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else None


def _addresses(urls: tuple[str, ...], mirror: str | None) -> list[str]:
    if mirror is None:
        return list(urls)
    base = mirror.rstrip("/")
    paths = [urllib.parse.urlsplit(url).path for url in urls]
    names = [f"/{path.rsplit('/', 1)[-1]}" for path in paths]
    return list(dict.fromkeys(base + path for path in (*paths, *names)))


@contextlib.contextmanager
def _locked_part(target: Path) -> Iterator[IO[bytes] | None]:
    """The part file, open and ours alone; None if `target` appeared meanwhile.

    Empty it goes at the end; with bytes in it, it stays for the next resume.
    """
    path = target.with_name(f"{target.name}.part")
    while True:
        part = open(path, "ab")
        fcntl.flock(part, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(part.fileno()), path.stat()):
            break
        part.close()
    with part:
        try:
            yield None if target.exists() else part
        finally:
            if path.exists() and (target.exists() or not path.stat().st_size):
                path.unlink()


def _records(raw_dir: Path) -> dict[str, str]:
    try:
        return json.loads((raw_dir / "checksums.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(
            f"{raw_dir / 'checksums.json'}: not JSON ({error}); delete it to record "
            "the checksums of the next downloads"
        ) from error
