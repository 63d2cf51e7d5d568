"""Starts runs as forks of one process that has TensorFlow loaded.

A short run is mostly the start of Python and the loading of TensorFlow. Forks of a
process that has done both, and no operation yet, are in all else processes of their
own: a run has the bits of one started alone, and its memory is free when it ends.

The server answers one JSON line by another: {"arguments", "log"} starts the program and
is answered with its process's number; {"ended": number} is answered with its exit code,
or null while it goes on.
"""

import contextlib
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from hyperml_tf import runtime
from hyperml_tf.errors import RunError


class ForkServer:
    """The client of such a process, which ends when this object or process does.

    Args:
        program: a module of this package with `preload` and `run`, as `train` is.
    """

    def __init__(self, program: str) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__, program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        weakref.finalize(self, _end, self._server)

    def start(self, arguments: Sequence[str], log: pathlib.Path) -> int:
        """Starts the program with these arguments; its process's number."""
        return self._ask({"arguments": list(arguments), "log": str(log)})

    def has_ended(self, process: int) -> bool:
        """Whether a process that was started here has ended."""
        return self._ask({"ended": process}) is not None

    def terminate(self, processes: Sequence[int]) -> None:
        """Ends processes that were started here, and waits until they have."""
        for process in processes:
            # One that has ended is there until it is asked for, unless the server is
            # gone, which the question below finds out.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        for process in processes:
            self._ask({"ended": process, "wait": True})

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._server.stdin and self._server.stdout
        try:
            print(json.dumps(request), file=self._server.stdin, flush=True)
        except BrokenPipeError:
            pass  # then there is no answer either
        answer = self._server.stdout.readline()
        if not answer:
            raise RunError(
                f"the process that starts runs has ended with {self._server.wait()}; "
                "the same command goes on where it was"
            )
        return json.loads(answer)


def _end(server: subprocess.Popen) -> None:
    """Ends a server; what it started goes on."""
    server.communicate()


def _serve() -> None:
    runtime.set_environment()
    program = importlib.import_module(sys.argv[1])
    program.preload()
    # A terminal sends it to the runs as well, which decide for themselves.
    of_runs = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        if "arguments" in request:
            answer: int | None = os.fork()
            if not answer:
                _become(request, of_runs)
                _run_and_end(program.run)
        else:
            wait = 0 if request.get("wait") else os.WNOHANG
            ended, status = os.waitpid(request["ended"], wait)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        print(json.dumps(answer), flush=True)


def _become(request: dict[str, Any], on_interrupt: Any) -> None:
    """Gives this process what one that is started for the run would have."""
    signal.signal(signal.SIGINT, on_interrupt)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [sys.argv[1].rpartition(".")[2], *request["arguments"]]


def _run_and_end(run: Callable[[], Any]) -> NoReturn:
    """Runs the program and ends this process as it asks to.

    Without Python's own end: there a fork that was interrupted in a step has been seen
    to wait for ever, for threads of TensorFlow.
    """
    code: Any = 0
    try:
        run()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve()
