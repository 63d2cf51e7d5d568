"""Files that are whole or absent, and locks that die with their process.

All that this package writes for later reading goes through here: under a temporary
name first, then renamed into place, so that no reader ever finds a half-written file,
whenever the writer is killed. Text is UTF-8, whatever the locale. A lock is the
kernel's lock on an empty file; it ends with its holder, so no stale one needs breaking.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import IO

# As `replacing_path` names temporary files: hidden, with the writer's process id.
_TEMPORARY = re.compile(r"\..+\.\d+")


def write_atomically(path: pathlib.Path, text: str) -> None:
    """Replaces the text file `path`; raises as `replacing` does."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[IO[bytes]]:
    """Gives an open file that takes the place of `path` when the block ends well.

    Raises:
        OSError: the file cannot be written; the error carries the name of `path`.
    """
    with replacing_path(path) as temporary, open(temporary, "wb") as file:
        yield file


@contextlib.contextmanager
def replacing_path(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives the name of a file to make, which then takes the place of `path`.

    If the block fails, what was at `path` stays and the temporary file goes.

    Raises:
        OSError: the file cannot be written; the error carries the name of `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not error.filename:  # a write's has none
            error.filename = str(path)
        raise


@contextlib.contextmanager
def replacing_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives the name of a folder to make, which then takes the place of `folder`.

    If the block fails, what was at `folder` stays and the new folder goes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=f".{folder.name}."
    ) as temporary:
        fresh = pathlib.Path(temporary) / "new"
        yield fresh
        if folder.exists():
            folder.rename(pathlib.Path(temporary) / "old")
        fresh.rename(folder)


def remove_half_written(folder: pathlib.Path) -> None:
    """Removes what writers of files below `folder` left behind when they were killed.

    Only for who knows that no other process writes there now.
    """
    for path in folder.rglob(".*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink()


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Holds the lock `path` in the block, after waiting for whoever holds it."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_to_lock(path: pathlib.Path) -> IO | None:
    """Takes the lock `path` and holds it until what is returned is closed.

    Returns:
        None if another holds it.
    """
    file = open(path, "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def is_locked(path: pathlib.Path) -> bool:
    """Whether a process holds the lock `path`.

    Whoever asks holds it too, for an instant: take a lock that is free by `locked`.
    """
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
