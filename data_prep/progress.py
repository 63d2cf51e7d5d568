"""Progress of long work in bytes: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from absl import logging
from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts bytes towards a total that may be unknown; a context manager."""

    def __init__(self, label: str, total: int | None, start: int = 0):
        self._label, self._total, self._done = label, total, start
        self._first, self._began = start, time.monotonic()
        self._spoke = self._began
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                desc=label,
                total=total,
                initial=start,
                unit="B",
                unit_scale=True,
                leave=False,
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def move_to(self, done: int) -> None:
        """Reports that `done` bytes of the total are behind us."""
        step, self._done = done - self._done, done
        if self._bar is not None:
            self._bar.update(step)
            return
        now = time.monotonic()
        if now - self._spoke >= _SECONDS_BETWEEN_LINES:
            self._spoke = now
            logging.info("%s", self._line(now - self._began))

    def _line(self, seconds: float) -> str:
        rate = (self._done - self._first) / seconds
        line = f"{self._label}: {self._done / 1e6:,.0f} MB"
        if not self._total:
            return f"{line}, {rate / 1e6:,.1f} MB/s"
        left = (self._total - self._done) / max(rate, 1.0)
        return (
            f"{line} of {self._total / 1e6:,.0f} MB "
            f"({self._done / self._total:.0%}), {rate / 1e6:,.1f} MB/s, "
            f"ETA {left:,.0f} s"
        )
