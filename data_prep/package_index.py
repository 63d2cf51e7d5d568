"""Takes a wheel from the package index; nothing of it is installed or run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from absl import logging

from data_prep.errors import InputError, UnavailableError
from data_prep.folder import sha256
from data_prep.sources import Place

_PIP_SECONDS = 120


def fetch_wheel(place: Place, raw_dir: Path) -> Path:
    """Downloads a place's package and returns the path of its wheel.

    Raises:
        UnavailableError: pip could not get it.
        InputError: it is not the wheel whose SHA-256 is known.
    """
    target = raw_dir / place.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="data_prep-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--only-binary=:all:", "--disable-pip-version-check"]
        command += ["--retries=1", "--timeout=15", f"--dest={folder}"]
        logging.info("%s: asking the package index", place.package)
        try:
            subprocess.run(
                [*command, str(place.package)],
                check=True,
                timeout=_PIP_SECONDS,
                capture_output=True,
                text=True,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(
                f"{place.package}: pip took over {_PIP_SECONDS} s"
            ) from error
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise UnavailableError(f"{place.package}: {last}") from error
        wheel = Path(folder) / place.path
        if not wheel.exists():
            raise UnavailableError(f"{place.package}: pip gave no {place.path}")
        found = sha256(wheel)
        if found != place.sha256:
            raise InputError(
                f"{place.package}: SHA-256 is {found}, not {place.sha256}; nothing "
                "was kept: check the package index that pip is set to"
            )
        part = target.with_name(f"{target.name}.part")
        part.write_bytes(wheel.read_bytes())
        os.replace(part, target)
    return target
