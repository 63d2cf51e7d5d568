"""Hosts of another kind: other locales, users without a home."""

import os
import pathlib
import subprocess
import sys

import pytest

from hyperml_tf import command_line
from tests.conftest import ROOT

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ROWS = "".join(f"u{u},i{i}\n" for u in range(4) for i in range(5))


def _run(module: str, *flags: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", module, *flags],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"} | environment,
        capture_output=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{}, ASCII], ids=["utf-8", "ascii"])
def test_names_are_utf_8_whatever_the_locale(tmp_path, environment):
    table = tmp_path / "klick_é.csv"
    table.write_text(f"användare,item\n{ROWS}", encoding="utf-8")
    done = _run(
        *("data_prep.prepare", "--dataset=mine", f"--table={table}"),
        *(f"--data_dir={tmp_path}/data", "--user_column=användare"),
        **environment,
    )
    assert done.returncode == 0, done.stderr
    done = _run(
        *("hyperml_tf.train", "--config=run_configs/own_table.py:popularity"),
        *("--config.dataset=mine", f"--data_dir={tmp_path}/data"),
        f"--runs_dir={tmp_path}/runs",
        **ASCII,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("metrics.json"))
    assert b"4 of 4 held-out users have fewer than 100 negatives (5 items)" in (
        done.stdout
    )


def test_without_a_home_matplotlib_gets_a_folder(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", homeless)
    monkeypatch.setenv("MPLCONFIGDIR", "/given")
    command_line._find_matplotlib_a_home()
    assert os.environ["MPLCONFIGDIR"] == "/given"
    monkeypatch.delenv("MPLCONFIGDIR")
    command_line._find_matplotlib_a_home()
    folder = pathlib.Path(os.environ["MPLCONFIGDIR"])
    assert folder.is_dir()
    folder.rmdir()


def test_with_a_home_matplotlib_keeps_its_own(monkeypatch):
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    command_line._find_matplotlib_a_home()
    assert "MPLCONFIGDIR" not in os.environ
