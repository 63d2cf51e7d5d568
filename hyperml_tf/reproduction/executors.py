"""Carries schedules out: each run a process of `hyperml_tf.train`.

Locally a few at a time, or on a Ray cluster. One thread a process is the default: two
runs beside each other finish sooner than one after the other on two cores, and a
run's bits do not depend on how many run.
"""

import abc
import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO, Any

from absl import logging

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction.fork_server import ForkServer
from hyperml_tf.reproduction.schedule import Task
from hyperml_tf.reproduction.schedule_progress import ScheduleProgress

_PROGRAM = "hyperml_tf.train"
_POLL_SECONDS = 0.5
# A Python that gets SIGTERM when the process that started it dies, however it dies
# (prctl's PR_SET_PDEATHSIG, 1, which an exec keeps), and becomes the run.
_TIED_TO_PARENT = (
    "import ctypes, os, signal, sys; "
    "ctypes.CDLL(None).prctl(1, signal.SIGTERM); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@dataclasses.dataclass(frozen=True)
class Options:
    """What every run of a schedule is started with.

    Attributes:
        threads: TensorFlow threads of a run.
        data_dir: prepared datasets.
        runs_dir: runs.
        kernel: what does the steps, one of `kernels.CHOICES`.
        op_determinism: whether runs are held to deterministic kernels.
    """

    threads: int
    data_dir: str
    runs_dir: str
    kernel: str
    op_determinism: bool = False


class Executor(abc.ABC):
    """Runs tasks, some at a time, and says how it goes.

    Args:
        jobs: how many at a time.
        options: of each.

    Attributes:
        kind: what `make` knows it by.
    """

    kind: str

    def __init__(self, jobs: int, options: Options):
        self.jobs, self.options = jobs, options
        self.runs_dir = options.runs_dir
        self._running: dict[Any, tuple[Task, IO]] = {}  # by handle; its claim

    def execute(self, tasks: Sequence[Task]) -> list[Task]:
        """Runs what is not finished yet; returns the tasks that failed.

        A failed run does not stop the others. On an interrupt the processes are
        ended; they go on from their checkpoints when asked for again. A run that
        another schedule or process has comes later, so that they share the work.
        """
        waiting = [task for task in tasks if not task.done]
        skipped = len(tasks) - len(waiting)
        if skipped:
            logging.info("%d of %d runs are finished already", skipped, len(tasks))
        progress = ScheduleProgress(waiting, self.jobs)
        failed = []
        try:
            while waiting or self._running:
                self._start_some(waiting, progress)
                failed += self._take_ended(progress)
                progress.log_if_due()
                time.sleep(_POLL_SECONDS)
        finally:
            self._end(list(self._running))
            for _, claim in self._running.values():
                claim.close()
            self._running.clear()
        return failed

    def _start_some(self, waiting: list[Task], progress: ScheduleProgress) -> None:
        """Takes from `waiting` what can be started now, and starts it."""
        while len(self._running) < self.jobs:
            task, claim = _claim_one(waiting)
            if task is None or claim is None:
                return
            waiting.remove(task)
            if task.done:  # by another process, meanwhile
                claim.close()
                progress.log_finished(task)
            else:
                self._running[self._start(task)] = task, claim

    def _take_ended(self, progress: ScheduleProgress) -> list[Task]:
        """Gives up the claims of the tasks that have ended; returns those failed."""
        failed = []
        ended = [handle for handle in self._running if self._has_ended(handle)]
        for task, claim in [self._running.pop(handle) for handle in ended]:
            claim.close()
            if task.done:
                progress.log_finished(task)
            else:
                failed.append(task)
                logging.error("%s failed: %s", task.name, _last_words(task))
        return failed

    def _arguments(self, task: Task) -> list[str]:
        return task.arguments(**dataclasses.asdict(self.options))

    @abc.abstractmethod
    def _start(self, task: Task) -> Any:
        """Starts a task; returns a handle on it."""

    @abc.abstractmethod
    def _has_ended(self, handle: Any) -> bool:
        """Whether the task of this handle has ended, well or badly."""

    @abc.abstractmethod
    def _end(self, handles: list[Any]) -> None:
        """Ends what still runs."""


def _claim_one(waiting: Sequence[Task]) -> tuple[Task, IO] | tuple[None, None]:
    for task in waiting:
        claim = task.run.claim()
        if claim is not None:
            return task, claim
    return None, None


class LocalExecutor(Executor):
    """Runs tasks as processes on this machine, forks of one that is ready to train."""

    kind = "local"

    @functools.cached_property
    def _server(self) -> ForkServer:
        return ForkServer(_PROGRAM)

    def _start(self, task):
        return self._server.start(self._arguments(task), _log(task))

    def _has_ended(self, handle):
        return self._server.has_ended(handle)

    def _end(self, handles):
        if handles:
            self._server.terminate(handles)


class RayExecutor(Executor):
    """Runs tasks on a Ray cluster: that of RAY_ADDRESS, else one of this machine.

    Every node needs this environment, and the folders at the same paths (a shared
    file system). As many tasks run as the cluster has slots of `threads` CPUs, at
    most `jobs`.

    Raises:
        InputError: Ray is not installed.
    """

    kind = "ray"

    def __init__(self, jobs: int | None, options: Options):
        try:
            import ray
        except ImportError:
            raise InputError(
                "--executor=ray needs Ray, which is not installed; run: pip install "
                "'.[ray]'"
            ) from None
        self._ray = ray
        address = os.environ.get("RAY_ADDRESS")
        ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
        cores = max(options.threads, 1)
        slots = max(int(ray.cluster_resources()["CPU"] // cores), 1)
        options = dataclasses.replace(
            options,
            data_dir=str(pathlib.Path(options.data_dir).absolute()),
            runs_dir=str(pathlib.Path(options.runs_dir).absolute()),
        )
        super().__init__(min(jobs or slots, slots), options)
        self._remote = ray.remote(num_cpus=cores, max_retries=0)(_run_logged)

    def _start(self, task):
        arguments = ["-m", _PROGRAM, *self._arguments(task)]
        return self._remote.remote(arguments, str(_log(task)), os.getcwd())

    def _has_ended(self, handle):
        return bool(self._ray.wait([handle], timeout=0)[0])

    def _end(self, handles):
        for handle in handles:
            self._ray.cancel(handle, force=True)


def _run_logged(arguments: list[str], log: str, folder: str) -> int:
    """Runs Python with `arguments` on a node of the cluster; its exit code.

    Ray ends a cancelled worker at once, and not what the worker started.
    """
    with open(log, "ab") as file:
        return subprocess.run(
            [sys.executable, "-c", _TIED_TO_PARENT, *arguments],
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
        ).returncode


def _log(task: Task) -> pathlib.Path:
    return task.run.folder / "log.txt"


_ROOM_FOR_A_MESSAGE = 1 << 16  # bytes


def _last_words(task: Task) -> str:
    log = _log(task)
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = text.strip().splitlines()
    if lines:
        return f"{lines[-1]} (see {log})"
    if log.exists() and shutil.disk_usage(log).free < _ROOM_FOR_A_MESSAGE:
        return f"no space left on the device of {log}"
    return f"no message (see {log})"


def make(kind: str, jobs: int | None, options: Options) -> Executor:
    """The "local" or "ray" executor; without `jobs`, one local run a core."""
    if kind == "ray":
        return RayExecutor(jobs, options)
    return LocalExecutor(jobs or len(os.sched_getaffinity(0)), options)
