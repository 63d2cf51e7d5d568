"""`./run_all.sh` sets up once, whoever else is at it, and hands over.

The Python that it finds here is a stand-in that writes down what it is asked for.
"""

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.conftest import ROOT

STAND_IN = """#!/usr/bin/env bash
echo "$*" >>"$LOG"
case "$*" in
  "-m venv .venv") sleep 0.5; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  *"pip install"*) sleep "${SECONDS_TO_INSTALL:-1}" ;;
esac
"""


@pytest.fixture
def run_all(tmp_path):
    """Starts a copy of run_all.sh; `asked()` gives what Python was asked for."""
    shutil.copy(ROOT / "run_all.sh", tmp_path)
    (tmp_path / "requirements.txt").write_text("x==1 --hash=sha256:0\n")
    python = tmp_path / "stand-in"
    python.write_text(STAND_IN)
    python.chmod(0o755)

    def start(**more):
        return subprocess.Popen(
            ["./run_all.sh", "--seeds=1"],
            cwd=tmp_path,
            env=os.environ | {"PYTHON": str(python), "LOG": f"{tmp_path}/log"} | more,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def asked(what):
        log = tmp_path / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return sum(what in line for line in lines)

    return start, asked


def test_three_at_once_set_up_once_and_all_go_on(run_all):
    start, asked = run_all
    assert [process.wait(60) for process in [start() for _ in range(3)]] == [0, 0, 0]
    assert asked("-m venv .venv") == asked("pip install --quiet --require-hashes") == 1
    assert asked("-m hyperml_tf.reproduce --seeds=1") == 3


def test_a_set_up_that_was_killed_is_done_again_by_the_one_that_waits(run_all):
    start, asked = run_all
    killed = start(SECONDS_TO_INSTALL="60")
    while not asked("pip install"):
        time.sleep(0.05)
    waiting = start()
    time.sleep(0.5)
    assert asked("-m venv .venv") == 1  # it waits
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert waiting.wait(60) == 0
    assert asked("-m venv .venv") == asked("pip install") == 2
    assert asked("-m hyperml_tf.reproduce") == 1
