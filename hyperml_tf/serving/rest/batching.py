"""Requests that wait together become one call of the model.

One thread calls the model, which uses all cores by itself. While it does, others wait;
then it takes all who wait. Requests to the same signature with the same k and flags
are joined, answered at once, and the answer is cut again. No request waits for others
to come.
"""

import queue
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import numpy as np

from hyperml_tf.serving.rest.json_tensors import Refusal
from hyperml_tf.serving.rest.versions import Version

Tensors = dict[str, np.ndarray]


class _Call:
    """A request, and the answer to come.

    Attributes:
        rows: the length that all its lists have; 0 where they have none in common.
        key: equal for calls that may be joined.
    """

    def __init__(self, version: Version, signature: str, tensors: Tensors):
        self.version, self.signature, self.tensors = version, signature, tensors
        self.answer: Future[Tensors] = Future()
        lists = [array for array in tensors.values() if array.ndim]
        flags = [(n, array.item()) for n, array in tensors.items() if not array.ndim]
        alike = {array.shape for array in lists} == {(len(lists[0]),)}
        self.rows = len(lists[0]) if alike else 0
        alone = None if self.rows else id(self)
        self.key = id(version), signature, alone, tuple(sorted(flags))


class Batcher:
    """Calls models, joining what waits.

    Args:
        max_rows: users or items of a joined call.
        max_waiting: requests; more are refused.
    """

    def __init__(self, max_rows: int, max_waiting: int):
        self._max_rows = max_rows
        self._waiting: queue.Queue[_Call | None] = queue.Queue(max_waiting)
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(
        self, version: Version, signature: str, tensors: Tensors
    ) -> Future[Tensors]:
        """The answer to come, arrays by name; it may be what `Version.call` raises.

        Raises:
            Refusal: too many wait.
        """
        call = _Call(version, signature, tensors)
        try:
            self._waiting.put_nowait(call)
        except queue.Full:
            raise Refusal(503, "too many requests wait; ask again later") from None
        return call.answer

    def close(self) -> None:
        """Ends when all that was submitted is answered."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            taken = [self._waiting.get()]
            while not self._waiting.empty():
                taken.append(self._waiting.get())
            # Nobody waits any longer for those that are cancelled.
            for group in self._groups(
                [call for call in taken if call and _begun(call.answer)]
            ):
                _answer(group)
            if None in taken:
                return

    def _groups(self, calls: list[_Call]) -> Iterator[list[_Call]]:
        """Calls to be joined, which have `max_rows` at most."""
        by_key: dict[tuple, list[_Call]] = {}
        for call in calls:
            group = by_key.setdefault(call.key, [])
            if group and sum(c.rows for c in group) + call.rows > self._max_rows:
                yield by_key.pop(call.key)
                group = by_key.setdefault(call.key, [])
            group.append(call)
        yield from by_key.values()


def _begun(answer: Future) -> bool:
    """Whether somebody waits for the answer, who now can no longer cancel it."""
    return answer.set_running_or_notify_cancel()


def _answer(calls: list[_Call]) -> None:
    """Answers calls by one; if that fails, each by its own, for the fault is one's."""
    first = calls[0]
    try:
        answer = first.version.call(first.signature, _joined(calls))
    except Exception as error:
        if len(calls) == 1:
            first.answer.set_exception(error)
        else:
            for call in calls:
                _answer([call])
        return
    start = 0
    for call in calls:
        call.answer.set_result(_rows_of(answer, start, call.rows))
        start += call.rows


def _joined(calls: list[_Call]) -> Mapping[str, np.ndarray]:
    if len(calls) == 1:
        return calls[0].tensors
    return {
        name: np.concatenate([call.tensors[name] for call in calls])
        if array.ndim
        else array
        for name, array in calls[0].tensors.items()
    }


def _rows_of(answer: Tensors, start: int, count: int) -> Tensors:
    """A part of the answer; all of it for a call that has no rows, which was alone."""
    if not count:
        return answer
    return {name: array[start : start + count] for name, array in answer.items()}
