"""The folder of one run: `<runs_dir>/<dataset>/<model>/<config-hash>/seed-<k>/`.

`metrics.json` is written last and atomically: its presence means that the run is
done. A run being worked on is held by a kernel lock on its `lock` file, which dies
with its process, so there is no stale lock to break.
"""

import contextlib
import csv
import dataclasses
import fcntl
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import IO, Any

from absl import logging

from hyperml_tf.errors import InputError, RunError

# As `replacing` names them.
_TEMPORARY = re.compile(r"\..+\.\d+")


class RunBusy(RunError):
    """Another process works on the run."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run and its folder."""

    folder: pathlib.Path

    @property
    def dataset(self) -> str:
        """Dataset key."""
        return self.folder.parts[-4]

    @property
    def model(self) -> str:
        """Model key."""
        return self.folder.parts[-3]

    @property
    def config_hash(self) -> str:
        """Hash of settings and data."""
        return self.folder.parts[-2]

    @property
    def seed(self) -> int:
        """Seed."""
        return int(self.folder.name.removeprefix("seed-"))

    @property
    def done(self) -> bool:
        """Whether the run finished."""
        return (self.folder / "metrics.json").exists()

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config, labels included."""
        return self._read_json("config.json")

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, device, commit; `earlier` has those of other processes before."""
        return self._read_json("environment.json")

    @property
    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` of a finished run holds."""
        return self._read_json("metrics.json")

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{path} is damaged ({error}); remove {self.folder} and train it again"
            ) from None

    def history(self) -> list[dict[str, str]]:
        """Rows of `history.csv`, one per epoch so far; empty before the first."""
        try:
            with open(
                self.folder / "history.csv", newline="", encoding="utf-8"
            ) as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            return []

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Writes `name` beside itself and renames it, so it is never read torn."""
        write_atomically(
            self.folder / name, json.dumps(content, indent=1, sort_keys=True) + "\n"
        )

    @property
    def busy(self) -> bool:
        """Whether a process works on the run now."""
        try:
            with open(self.folder / "lock") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def claim(self) -> IO | None:
        """Keeps other schedules from the run until what is returned is closed.

        A process that is to do the run takes seconds before it locks it; two schedules
        would begin every run together, and one of them wait.

        Returns:
            None if another schedule has it, or a process works on it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        claim = open(self.folder / "claim", "w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claim.close()
            return None
        if self.busy:
            claim.close()
            return None
        return claim

    @contextlib.contextmanager
    def lock(self, wait: bool = False) -> Iterator[None]:
        """Holds the run for this process.

        Args:
            wait: wait for another process that holds it.

        Raises:
            RunBusy: another process holds it, and we do not wait.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as file:
            if self.busy:
                if not wait:
                    raise RunBusy(f"{self.folder} is being run by another process")
                logging.info("waiting for the process that runs %s", self.folder)
            # Not LOCK_NB: whoever asks `busy` holds the lock too, for an instant.
            fcntl.flock(file, fcntl.LOCK_EX)
            for path in self.folder.rglob(".*"):
                if _TEMPORARY.fullmatch(path.name):  # half-written, by one killed
                    path.unlink()
            yield


def write_atomically(path: pathlib.Path, text: str) -> None:
    """Writes a text file under a temporary name and renames it into place."""
    with replacing(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[IO[bytes]]:
    """A file under a temporary name that takes the place of `path` at the end.

    If the block fails, what was there stays.

    Raises:
        OSError: it cannot be written; with the file's name.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not error.filename:  # a write's has none
            error.filename = str(path)
        raise
