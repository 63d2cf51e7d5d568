"""How far a schedule is, and when it will end."""

from collections.abc import Sequence

from absl import logging

from hyperml_tf.progress import Progress, duration
from hyperml_tf.reproduction.schedule import Task

_SECONDS_BETWEEN_LINES = 15.0
#: Overhead of a run beyond its epochs, for estimates: imports, tracing, scoring.
SECONDS_PER_RUN = 12.0


class ScheduleProgress:
    """What is done of a schedule, and when it will end.

    The estimate weighs the epochs left by the seconds per epoch seen so far, of the
    same dataset and model where there are any.
    """

    def __init__(self, tasks: Sequence[Task], jobs: int):
        self.tasks, self.jobs = list(tasks), jobs
        self._progress = Progress(seconds_between_lines=_SECONDS_BETWEEN_LINES)

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
        if not left:
            return 0.0
        if not pace:
            return None
        mean = {k: sum(s for s, _ in v) / sum(e for _, e in v) for k, v in pace.items()}
        typical = sum(mean.values()) / len(mean)
        work = sum(epochs * mean.get(kind, typical) for kind, epochs in left)
        return (work + SECONDS_PER_RUN * len(left)) / self.jobs

    def log_finished(self, task: Task) -> None:
        """Logs what a run that ended well has reached, and the progress."""
        if task.run.done:
            test = task.run.metrics["test"]
            logging.info(
                "%s: test nDCG@10 %.2f %%  HR@10 %.2f %%",
                task.name,
                100 * test.get("ndcg10", float("nan")),
                100 * test.get("hr10", float("nan")),
            )
        self._log()

    def log_if_due(self) -> None:
        """Logs the progress, if that was last done a while ago."""
        if self._progress.is_due:
            self._log()

    def _log(self) -> None:
        done = sum(task.done for task in self.tasks)
        words = [
            f"{done}/{len(self.tasks)} runs",
            f"{duration(self._progress.seconds)} so far",
        ]
        self._progress.log(words, self.seconds_left())
