"""The processes of a distributed run: who they are, and whether they still live.

They are named by `TF_CONFIG`, TensorFlow's own convention. TensorFlow waits an hour
for a parameter-server worker that died, and forever for one that never came, so every
process here also knocks at the others' doors and ends, with one line that says who
is missing, when one has not answered for too long.
"""

import contextlib
import dataclasses
import faulthandler
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import tensorflow as tf
from absl import logging

from hyperml_tf.errors import InputError, RunError

_KNOCK_SECONDS = 1.0
# A chief that refuses twice in a row has ended: its port closes with its process.
_REFUSALS = 2


class ProcessLost(RunError):
    """Another process of a distributed run is gone."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What `TF_CONFIG` says.

    Attributes:
        jobs: job -> addresses, host:port.
        job: of this process.
        index: of this process in its job.
    """

    jobs: Mapping[str, Sequence[str]]
    job: str
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process leads: the chief, or worker 0 where there is none."""
        leader = "chief" if "chief" in self.jobs else "worker"
        return (self.job, self.index) == (leader, 0)

    def others(self, *jobs: str) -> dict[str, str]:
        """Name -> address of the processes of `jobs`, this one left out."""
        return {
            f"{job} {index}": address
            for job in jobs
            for index, address in enumerate(self.jobs.get(job, ()))
            if (job, index) != (self.job, self.index)
        }


def from_environment(strategy: str, needed: Sequence[str]) -> Cluster:
    """The cluster of the environment variable `TF_CONFIG`.

    Args:
        strategy: for the message.
        needed: jobs that there must be.

    Raises:
        InputError: it is not set, or not what the strategy needs.
    """
    jobs = ", ".join(f'"{job}": ["host:port", …]' for job in needed)
    remedy = f'it must be {{"cluster": {{{jobs}}}, "task": {{"type": …, "index": …}}}}'
    try:
        declared = json.loads(os.environ["TF_CONFIG"])
        cluster, task = declared["cluster"], declared["task"]
        found = Cluster(cluster, task["type"], int(task["index"]))
        address = found.jobs[found.job][found.index]
        absent = [job for job in needed if not found.jobs.get(job)]
        if absent or ":" not in address:
            raise ValueError(f"no {', '.join(absent)}" if absent else address)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"--strategy={strategy}: TF_CONFIG: {reason}; {remedy}"
        ) from None
    return found


class Watch(threading.Thread):
    """Knocks at other processes' doors as long as this one works with them.

    Args:
        others: name -> address.
        timeout: seconds without an answer, from the start on, that end this process.
        lost: called with what to say about it; is not to return.
    """

    def __init__(
        self, others: Mapping[str, str], timeout: float, lost: Callable[[str], None]
    ):
        super().__init__(daemon=True)
        self.others, self.timeout, self.lost = others, timeout, lost
        self._stopped = threading.Event()

    def run(self):
        """Knocks until stopped."""
        answered = dict.fromkeys(self.others, time.monotonic())
        while not self._stopped.wait(_KNOCK_SECONDS):
            for name, address in self.others.items():
                if _answers(address):
                    answered[name] = time.monotonic()
                elif time.monotonic() - answered[name] > self.timeout:
                    self.lost(
                        f"{name} at {address} has not answered for {self.timeout:g} s; "
                        "the same commands go on from the last checkpoint"
                    )

    def stop(self) -> None:
        """What happens to the others does not matter any more."""
        self._stopped.set()

    def outlast(self) -> None:
        """Waits, no longer than the timeout, until none of the others answers."""
        deadline = time.monotonic() + self.timeout
        while any(map(_answers, self.others.values())):
            if time.monotonic() > deadline:
                return
            time.sleep(_KNOCK_SECONDS / 10)


def meet(found: Cluster, others: Mapping[str, str], timeout: float) -> None:
    """Waits for other processes before TensorFlow does, which it does without end.

    Meanwhile this process answers at its own address, where TensorFlow will.

    Args:
        found: the cluster.
        others: name -> address.
        timeout: seconds in which they must come.

    Raises:
        ProcessLost: one did not.
    """
    host, _, port = found.jobs[found.job][found.index].rpartition(":")
    deadline = time.monotonic() + timeout
    missing = dict(others)
    with socket.create_server((host, int(port))):
        while missing:
            missing = {n: a for n, a in missing.items() if not _answers(a)}
            if missing and time.monotonic() > deadline:
                name, address = missing.popitem()
                raise ProcessLost(
                    f"{name} at {address} has not come for {timeout:g} s; start all "
                    "processes of TF_CONFIG, or give them more --cluster_timeout"
                )
            time.sleep(_KNOCK_SECONDS / 10)


@contextlib.contextmanager
def naming_losses(watch: Watch | None) -> Iterator[None]:
    """Turns what TensorFlow says of a process that is gone into a `ProcessLost`.

    Args:
        watch: on the others; None if there are none, and nothing is changed.
    """
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.FailedPreconditionError,
        tf.errors.InternalError,
    ) as error:
        if not watch:
            raise
        logging.warning("TensorFlow: %s", error.message)
        raise ProcessLost(
            f"another process is gone or failed (TensorFlow: {type(error).__name__}, "
            "see above); the same commands go on from the last checkpoint"
        ) from error


@contextlib.contextmanager
def bounded(timeout: float) -> Iterator[None]:
    """Ends the process if what is done within takes longer.

    For calls in which TensorFlow holds Python's lock, so no thread of ours can tell
    that another process died: `faulthandler` has one that needs no lock.
    """
    faulthandler.dump_traceback_later(timeout, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def wait_for_end(chief: str, timeout: float) -> None:
    """Returns when a chief that was there has ended.

    Args:
        chief: its address.
        timeout: seconds in which it must come.

    Raises:
        ProcessLost: it did not come.
    """
    begin = time.monotonic()
    while not _answers(chief):
        if time.monotonic() - begin > timeout:
            raise ProcessLost(f"chief 0 at {chief} has not come for {timeout:g} s")
        time.sleep(_KNOCK_SECONDS)
    refusals = 0
    while refusals < _REFUSALS:
        time.sleep(_KNOCK_SECONDS)
        refusals = 0 if _answers(chief) else refusals + 1
    logging.info("the chief at %s has ended, and so does this process", chief)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS):
            return True
    except OSError:
        return False
