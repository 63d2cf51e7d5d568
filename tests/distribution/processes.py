"""Starts the processes of one run on loopback, and leaves none behind."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2]
#: No process of a test lives longer, whatever happens.
SECONDS = 240


class Processes:
    """The processes of one cluster, each with its output in a file."""

    def __init__(self, jobs: dict[str, int], folder: pathlib.Path):
        self.cluster = {
            job: [f"127.0.0.1:{port}" for port in _free_ports(count)]
            for job, count in jobs.items()
        }
        self._folder = folder
        self._running: dict[str, subprocess.Popen] = {}

    def start(self, job: str, index: int, *flags: str) -> None:
        """Starts `hyperml_tf.train` as this task."""
        config = {"cluster": self.cluster, "task": {"type": job, "index": index}}
        name = f"{job} {index}"
        with open(self._folder / name, "w") as output:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "hyperml_tf.train", "--threads=1", *flags],
                cwd=ROOT,
                env=os.environ
                | {"TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": "-1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def start_all(self, *flags: str) -> None:
        """Starts every task of the cluster."""
        for job, addresses in self.cluster.items():
            for index in range(len(addresses)):
                self.start(job, index, *flags)

    def said(self, name: str) -> str:
        """What a process has printed."""
        return (self._folder / name).read_text()

    def kill(self, name: str) -> None:
        """kill -9."""
        self._running[name].kill()
        self._running[name].wait()

    def code(self, name: str, within: float = SECONDS) -> int:
        """Exit code; fails if it does not come in time."""
        try:
            return self._running[name].wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{name} still runs after {within} s; it said:\n{self.said(name)}"
            ) from None

    def ended(self) -> list[str]:
        """Processes that do not run any more."""
        return [n for n, process in self._running.items() if process.poll() is not None]

    def end(self) -> None:
        """Kills what still runs."""
        for process in self._running.values():
            process.kill()
            process.wait()


@contextlib.contextmanager
def processes(**jobs: int) -> Iterator[Processes]:
    """Processes of a cluster with so many tasks of each job."""
    with tempfile.TemporaryDirectory() as folder:
        started = Processes(jobs, pathlib.Path(folder))
        try:
            yield started
        finally:
            started.end()


def wait_for(condition, started: Processes, seconds: float = SECONDS) -> None:
    """Waits until `condition()` holds; fails if a process ends before."""
    deadline = time.monotonic() + seconds
    while not condition():
        for name in started.ended():
            raise AssertionError(f"{name} has ended; it said:\n{started.said(name)}")
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
