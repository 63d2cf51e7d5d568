"""What happens at the end of an epoch, by callbacks that each do one thing.

They share the epoch's `logs`, as Keras's own do: what `Validation` adds there, the ones
after it see. A run needs them in the order in which they stand here; `SaveLast` comes
after all that a resumed run must find done.
"""

import csv
import io
import time
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.evaluation import protocol
from hyperml_tf.files import write_atomically
from hyperml_tf.geometry.spaces import space_of
from hyperml_tf.models.base import Recommender
from hyperml_tf.models.table_model import TableRecommender
from hyperml_tf.progress import Progress
from hyperml_tf.training.checkpoints import Checkpoints, Epochs, Standing
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.strategy import Distribution
from hyperml_tf.training.tensorboard import Board, rows_of

# A checkpoint is written at least so often, at epoch ends.
_CHECKPOINT_SECONDS = 120.0
_HISTORY_SECONDS = 2.0
# A projected row's float32 norm is off the limit by a few roundings.
_RIM_ROUNDING = 1e-6

#: How a model is ranked in validation; what it is called by, before the metric's name.
SAMPLED = {"valid/": protocol.sampled}
#: In the full catalogue too, which costs more.
BOTH = SAMPLED | {"valid/full_": protocol.full}


class Clock(keras.callbacks.Callback):
    """Counts the run's epochs and seconds."""

    def __init__(self, standing: Standing):
        super().__init__()
        self.standing = standing

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._began = time.monotonic() - float(self.standing.seconds)

    def on_epoch_end(self, epoch, logs=None):
        """Counts the epoch."""
        self.standing.epoch.assign(epoch + 1)
        self.standing.seconds.assign(time.monotonic() - self._began)


class Validation(keras.callbacks.Callback):
    """Scores the validation items and adds the metrics to the epoch's `logs`.

    Args:
        epochs: which of them validate.
        interactions: the prepared dataset.
        rankings: what stands before a metric's name -> how items are ranked for it.
    """

    def __init__(
        self,
        epochs: Epochs,
        interactions: Interactions,
        rankings: Mapping[str, Callable[..., protocol.Ranking]],
    ):
        super().__init__()
        self.epochs, self.interactions, self.rankings = epochs, interactions, rankings

    def on_epoch_end(self, epoch, logs=None):
        """Validates, if it is time."""
        if not self.epochs.validates(epoch + 1):
            return
        for prefix, rank in self.rankings.items():
            summary = rank(self.model, self.interactions, "valid").summary()
            logs.update({f"{prefix}{k}": v for k, v in summary.items() if k != "users"})
        logs.update(ball_statistics(self.model))


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the epoch that is best by one of the validation metrics.

    Args:
        checkpoints: of the run.
        select_by: the metric in `logs`.
    """

    def __init__(self, checkpoints: Checkpoints, select_by: str = "valid/ndcg10"):
        super().__init__()
        self.checkpoints, self.select_by = checkpoints, select_by

    def on_epoch_end(self, epoch, logs=None):
        """Keeps the weights, if they are better; of equal epochs the first counts."""
        standing = self.checkpoints.standing
        if not standing.epochs.validates(epoch + 1):
            return
        score = logs.get(self.select_by, 0.0)  # absent where no user has an item
        if score > float(standing.best_score):
            standing.best_score.assign(score)
            standing.best_epoch.assign(epoch + 1)
            self.checkpoints.save_best()


class History(keras.callbacks.Callback):
    """Writes `history.csv`, one row an epoch.

    Args:
        run: where; rows after the epoch of `standing` are dropped.
        standing: of the run, as its last checkpoint has it.
    """

    def __init__(self, run: Run, standing: Standing):
        super().__init__()
        self.run, self.standing = run, standing
        self._rows = run.history()[: int(standing.epoch)]
        self._written = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Adds a row, and writes it before long."""
        seconds = round(float(self.standing.seconds), 3)
        row = {"epoch": epoch + 1, "seconds": seconds} | logs
        self._rows.append({key: str(value) for key, value in row.items()})
        if time.monotonic() - self._written > _HISTORY_SECONDS:
            self.write()

    def write(self) -> None:
        """Writes all rows."""
        fields = list(dict.fromkeys(key for row in self._rows for key in row))
        text = io.StringIO()
        table = csv.DictWriter(text, fields, lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        write_atomically(self.run.folder / "history.csv", text.getvalue())
        self._written = time.monotonic()


class TensorBoard(keras.callbacks.Callback):
    """Shows the epoch in TensorBoard."""

    def __init__(self, board: Board):
        super().__init__()
        self.board = board

    def on_epoch_end(self, epoch, logs=None):
        """Writes what `logs` holds, and pictures where the epoch was validated."""
        self.board.write_epoch(epoch + 1, logs, self.model)


class SaveLast(keras.callbacks.Callback):
    """Writes the checkpoint that a resumed run goes on from.

    At every validation, at the last epoch of this process, and every two minutes.

    Args:
        checkpoints: of the run.
        history: written before, so that no epoch of a checkpoint is missing there.
        distribution: of the run.
    """

    def __init__(
        self, checkpoints: Checkpoints, history: History, distribution: Distribution
    ):
        super().__init__()
        self.checkpoints, self.history = checkpoints, history
        self.distribution = distribution
        self._saved = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Saves the epoch, if it is time."""
        done, epochs = epoch + 1, self.checkpoints.standing.epochs
        overdue = time.monotonic() - self._saved > _CHECKPOINT_SECONDS
        # Workers save together, as reading Keras's metrics is a sum over all of them.
        if (
            epochs.validates(done)
            or done == epochs.stop
            or self.distribution.chief_says(overdue)
        ):
            self.history.write()
            self.checkpoints.save_last()
            self._saved = time.monotonic()


class Patience(keras.callbacks.Callback):
    """Ends training when validation has not improved for too long."""

    def __init__(self, standing: Standing):
        super().__init__()
        self.standing = standing

    def on_epoch_end(self, epoch, logs=None):
        """Tells Keras to stop, if patience is exhausted."""
        if self.standing.is_exhausted:
            self.model.stop_training = True


class ProgressLines(keras.callbacks.Callback):
    """Logs how far the run is, after every validation and from time to time.

    Args:
        run: named in each line.
        standing: of the run.
    """

    def __init__(self, run: Run, standing: Standing):
        super().__init__()
        self.standing = standing
        self._name = f"{run.dataset}/{run.model} seed {run.seed}:"

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._progress = Progress(done=int(self.standing.epoch))

    def on_epoch_end(self, epoch, logs=None):
        """Logs a line, if it is time."""
        done, last = epoch + 1, self.standing.epochs.last
        if not (self.standing.epochs.validates(done) or self._progress.is_due):
            return
        words = [self._name, f"epoch {done}/{last}", f"loss {logs['loss/total']:.4f}"]
        if "valid/ndcg10" in logs:
            scores = logs["valid/ndcg10"], logs["valid/hr10"]
            words.append("valid nDCG@10 {:.4f} HR@10 {:.4f}".format(*scores))
        rate = self._progress.rate(done)
        words.append(f"{rate:.2f} epochs/s")
        self._progress.log(words, (last - done) / rate)


def ball_statistics(model: Recommender) -> dict[str, float]:
    """Largest norm in units of the ball's radius, and the share of rows at the border.

    At the border are rows that the last projection pulled back. Empty for models
    whose tables are not declared to lie in a ball.
    """
    norms, rims = [], []
    for side in ("users", "items") if isinstance(model, TableRecommender) else ():
        table = model.user_table if side == "users" else model.item_table
        space = space_of(table.table)
        if not space.inverse_radius:
            return {}
        norm = np.linalg.norm(rows_of(model, side), axis=-1)
        norms.append(space.inverse_radius * norm)
        rims.append(norms[-1] >= space.rim(tf.float32) - _RIM_ROUNDING)
    if not norms:
        return {}
    return {
        "ball/max_norm": float(np.concatenate(norms).max()),
        "ball/fraction_projected": float(np.concatenate(rims).mean()),
    }
