"""How far a schedule is, and when it will end."""

import time
from collections.abc import Sequence

from absl import logging

from hyperml_tf.reproduction.schedule import Task

_PROGRESS_SECONDS = 15.0
#: Overhead of a run beyond its epochs, for estimates: imports, tracing, scoring.
SECONDS_PER_RUN = 12.0


class Progress:
    """What is done of a schedule, and when it will end.

    The estimate weighs the epochs left by the seconds per epoch seen so far, of the
    same dataset and model where there are any.
    """

    def __init__(self, tasks: Sequence[Task], jobs: int):
        self.tasks, self.jobs = list(tasks), jobs
        self.begin = self.spoken = time.monotonic()

    def seconds_left(self) -> float | None:
        """Estimated wall seconds to the end; None before the first epochs."""
        pace: dict[tuple[str, str], list[tuple[float, float]]] = {}
        left: list[tuple[tuple[str, str], int]] = []
        for task in self.tasks:
            kind = (task.run.dataset, task.run.model)
            done = task.epochs_done
            if done:
                seconds = float(task.run.history()[-1]["seconds"])
                pace.setdefault(kind, []).append((seconds, done))
            if not task.done:
                left.append((kind, max(task.last_epoch - done, 0)))
        if not pace:
            return None
        mean = {k: sum(s for s, _ in v) / sum(e for _, e in v) for k, v in pace.items()}
        typical = sum(mean.values()) / len(mean)
        work = sum(epochs * mean.get(kind, typical) for kind, epochs in left)
        return (work + SECONDS_PER_RUN * len(left)) / self.jobs

    def say_finished(self, task: Task) -> None:
        """One line for a run that ended well."""
        if task.run.done:
            test = task.run.metrics["test"]
            logging.info(
                "%s: test nDCG@10 %.2f %%  HR@10 %.2f %%",
                task.name,
                100 * test.get("ndcg10", float("nan")),
                100 * test.get("hr10", float("nan")),
            )
        self.say()

    def say_sometimes(self) -> None:
        """A progress line, if the last one was a while ago."""
        if time.monotonic() - self.spoken > _PROGRESS_SECONDS:
            self.say()

    def say(self) -> None:
        """A progress line."""
        self.spoken = time.monotonic()
        done = sum(task.done for task in self.tasks)
        left = self.seconds_left()
        eta = f"ETA {duration(left)}" if left is not None else "ETA not known yet"
        took = duration(self.spoken - self.begin)
        logging.info("%d/%d runs  %s so far  %s", done, len(self.tasks), took, eta)


def duration(seconds: float) -> str:
    """Seconds in words: "42 s", "7 min 05 s", "3 h 20 min"."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
