"""The folder of one run: `<runs_dir>/<dataset>/<model>/<config-hash>/seed-<k>/`.

`metrics.json` is written last and atomically: its presence means that the run is
done. A run being worked on is held by the lock on its `lock` file, see `files`.
"""

import contextlib
import csv
import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

from absl import logging

from hyperml_tf import files
from hyperml_tf.errors import InputError, RunError

_IDS = "{}.txt"


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
    def name(self) -> str:
        """What it is, wherever the folder of runs lies."""
        return "/".join(self.folder.parts[-4:])

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
    def on_all_data(self) -> bool:
        """Whether nothing is held out, so that no metric can be had of the run."""
        return bool(self.environment.get("all_data", False))

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
            path = self.folder / "history.csv"
            with open(path, newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            return []

    def write_ids(self, **ids: Sequence[str]) -> None:
        """Keeps the raw ids of rows, for runs that start from this one.

        Args:
            **ids: "users" and "items", by row.
        """
        for side, raw in ids.items():
            text = "".join(f"{one}\n" for one in raw)
            files.write_atomically(self.folder / _IDS.format(side), text)

    def ids(self) -> dict[str, list[str]] | None:
        """What `write_ids` kept; None where nothing is."""
        paths = {side: self.folder / _IDS.format(side) for side in ("users", "items")}
        if not all(path.exists() for path in paths.values()):
            return None
        return {
            side: path.read_text(encoding="utf-8").split("\n")[:-1]
            for side, path in paths.items()
        }

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Writes `name` beside itself and renames it, so it is never read torn."""
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        files.write_atomically(self.folder / name, text)

    @property
    def busy(self) -> bool:
        """Whether a process works on the run now."""
        return files.is_locked(self._lock)

    def claim(self) -> IO | None:
        """Keeps other schedules from the run until what is returned is closed.

        A process that is to do the run takes seconds before it locks it; two schedules
        would begin every run together, and one of them wait.

        Returns:
            None if another schedule has it, or a process works on it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        claim = files.try_to_lock(self.folder / "claim")
        if claim is not None and self.busy:
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
        if self.busy:
            if not wait:
                raise RunBusy(f"{self.folder} is being run by another process")
            logging.info("waiting for the process that runs %s", self.folder)
        with files.locked(self._lock):
            files.remove_half_written(self.folder)
            yield

    @property
    def _lock(self) -> pathlib.Path:
        return self.folder / "lock"
