"""How far long work is, how fast it goes, and when it will end, in plain lines."""

import time
from collections.abc import Sequence

from absl import logging


class Progress:
    """Logs the progress of work whose parts are counted: epochs, runs.

    Args:
        done: parts that were done before this process took the work up.
        seconds_between_lines: after which a line `is_due` without an occasion.
    """

    def __init__(self, done: int = 0, seconds_between_lines: float = 10.0):
        self._done_before, self._seconds_between_lines = done, seconds_between_lines
        self._began = self._last_line = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the work was taken up."""
        return time.monotonic() - self._began

    @property
    def is_due(self) -> bool:
        """Whether the last line was a while ago."""
        return time.monotonic() - self._last_line > self._seconds_between_lines

    def rate(self, done: int) -> float:
        """Parts a second, when `done` parts are done."""
        return (done - self._done_before) / self.seconds

    def log(self, words: Sequence[str], seconds_left: float | None) -> None:
        """Logs one line, with the time left at its end; None: not known yet."""
        self._last_line = time.monotonic()
        left = "not known yet" if seconds_left is None else duration(seconds_left)
        logging.info("%s", "  ".join([*words, f"ETA {left}"]))


def duration(seconds: float) -> str:
    """Seconds in words: "42 s", "7 min 05 s", "3 h 20 min"."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
