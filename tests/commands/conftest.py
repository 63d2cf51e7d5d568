"""The commands as a user runs them: processes, in a folder of their own."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests import synthetic

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def command():
    """Runs `python -m MODULE FLAGS` from the repository, one thread, no GPU."""

    def run(module: str, *flags: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", module, *flags],
            cwd=ROOT,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory, command) -> pathlib.Path:
    """A data folder with one prepared dataset, `tiny`."""
    folder = tmp_path_factory.mktemp("prepared")
    table = synthetic.write_table(folder / "tiny.csv")
    done = command(
        "data_prep.prepare",
        "--dataset=tiny",
        f"--table={table}",
        f"--data_dir={folder}",
    )
    assert done.returncode == 0, done.stderr
    return folder
