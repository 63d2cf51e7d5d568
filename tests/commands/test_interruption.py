"""A run that is asked to stop prints one line, and goes on when called again."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest


def _ignore_sigint():
    # As a shell does to what it starts in the background.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.slow
def test_sigterm_stops_a_run_with_one_line_even_in_the_background(
    command, data_dir, tmp_path
):
    flags = [
        *("--config=run_configs/own_table.py", "--config.dataset=tiny"),
        *("--config.dim=4", "--config.eval_every=1", "--config.epochs=100000"),
        *(f"--data_dir={data_dir}", f"--runs_dir={tmp_path}"),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "hyperml_tf.train", *flags],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_ignore_sigint,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("checkpoint")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1].startswith("train: interrupted")
    assert not list(tmp_path.rglob("metrics.json"))


@pytest.mark.slow
def test_ctrl_c_while_tensorflow_loads_says_one_line():
    process = subprocess.Popen(
        [sys.executable, "-m", "hyperml_tf.train", "--config=run_configs/ml100k.py"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    maps = pathlib.Path(f"/proc/{process.pid}/maps")
    while "tensorflow" not in maps.read_text() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "train: interrupted; the same command goes on where it was\n"
