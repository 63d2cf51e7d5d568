"""Runs on a Ray cluster of two workers. Ray is optional: pip install '.[ray]'."""

import json
import os
import signal
import subprocess
import sys
import time
import types

import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction import executors


def options(folder):
    return executors.Options(1, str(folder), str(folder), "auto")


def test_without_ray_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install '\.\[ray\]'"):
        executors.make("ray", None, options(tmp_path))


LONG = ["-c", "import os, time; print(os.getpid(), flush=True); time.sleep(300)"]


def started(log):
    """The process id that a `LONG` run wrote."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if log.exists() and log.read_text().endswith("\n"):
            return int(log.read_text())
        time.sleep(0.1)
    raise AssertionError("the run did not start")


def assert_ends(process_id):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{process_id}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return  # dead; whoever adopted it has yet to notice
        except OSError:
            return
        time.sleep(0.1)
    os.kill(process_id, signal.SIGKILL)
    raise AssertionError("the run outlived its worker")


def test_a_run_ends_with_the_worker_that_is_killed(tmp_path):
    log = tmp_path / "log.txt"
    worker = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from hyperml_tf.reproduction import executors; "
            "executors._run_logged(sys.argv[2:], sys.argv[1], '.')",
            *(str(log), *LONG),
        ]
    )
    process_id = started(log)
    worker.kill()
    worker.wait()
    assert_ends(process_id)


@pytest.mark.slow
def test_a_cancelled_ray_task_ends_its_run(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is optional and not installed")
    executor = executors.make("ray", None, options(tmp_path))
    try:
        monkeypatch.setattr(executor, "_arguments", lambda task: LONG)
        task = types.SimpleNamespace(run=types.SimpleNamespace(folder=tmp_path))
        handle = executor._start(task)
        process_id = started(tmp_path / "log.txt")
        executor._end([handle])
        assert_ends(process_id)
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_two_ray_workers_give_the_metrics_of_local_processes(
    command, data_dir, tmp_path
):
    pytest.importorskip("ray", reason="Ray is optional and not installed")
    flags = [
        *("--datasets=tiny", "--models=hyperml", "--seeds=2", "--epochs=2"),
        *("--eval_every=1", f"--data_dir={data_dir}"),
    ]
    for executor in ("local", "ray"):
        done = command(
            *("hyperml_tf.replicate", *flags, f"--executor={executor}"),
            f"--runs_dir={tmp_path / executor}",
        )
        assert done.returncode == 0, done.stdout + done.stderr
    local, ray = (
        {
            str(path.relative_to(tmp_path / executor)): json.loads(path.read_text())[
                "test"
            ]
            for path in (tmp_path / executor).rglob("metrics.json")
        }
        for executor in ("local", "ray")
    )
    assert local == ray and len(ray) == 2
