"""What happens between epochs: validation, checkpoints, the record, TensorBoard."""

import csv
import io
import math
import time

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import logging

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import RunError
from hyperml_tf.evaluation import protocol
from hyperml_tf.files import write_atomically
from hyperml_tf.geometry import poincare
from hyperml_tf.geometry.row_space import PoincareBall, row_space
from hyperml_tf.models.base import Recommender, TableRecommender
from hyperml_tf.training import storage
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.strategy import Distribution
from hyperml_tf.training.tensorboard import Board, rows_of

_PROGRESS_SECONDS = 10.0
# A checkpoint is written at least so often, at epoch ends.
_CHECKPOINT_SECONDS = 120.0
_HISTORY_SECONDS = 2.0
# A projected row's float32 norm is off the limit by a few roundings.
_RIM_ROUNDING = 1e-6


class NonFiniteLoss(RunError):
    """Training left the numbers that can be computed with."""


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops the run by name as soon as an epoch's loss or weights are not finite.

    The weights too, since the last step can spoil them after the last loss.
    """

    def on_epoch_end(self, epoch, logs=None):
        """Raises NonFiniteLoss with the step, the offending term, the largest norm."""
        bad = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        weights = _named_weights(self.model)
        for name, values in weights.items():
            if not tf.reduce_all(tf.math.is_finite(values)):
                bad.append(name)
        if not bad:
            return
        norms = ", ".join(f"{n} {_largest_norm(w):.3g}" for n, w in weights.items())
        raise NonFiniteLoss(
            f"training stopped being finite at step {int(self.model.finite_steps)} "
            f"(epoch {epoch + 1}): {', '.join(sorted(bad))}; largest norms still "
            f"finite: {norms}. Lower config.learning_rate."
        )


class Record(keras.callbacks.Callback):
    """Validates, keeps the best weights, checkpoints, writes history and TensorBoard.

    Everything that a resumed run needs lies in one checkpoint: weights, slots, the
    epoch, the best validation score so far.

    Args:
        run: where to write.
        interactions: for validation.
        board: TensorBoard's files.
        eval_every: epochs between validations; the last epoch always validates.
        epochs: the last epoch.
        patience: validations without a better one after which training stops; 0:
            never.
        last_epoch: where this process leaves the run; None: at its end.
        distribution: of the run.
    """

    def __init__(
        self,
        run: Run,
        interactions: Interactions,
        board: Board,
        eval_every: int,
        epochs: int,
        patience: int = 0,
        last_epoch: int | None = None,
        distribution: Distribution | None = None,
    ):
        super().__init__()
        self.run, self.interactions, self.board = run, interactions, board
        self.eval_every, self.epochs = eval_every, epochs
        self.patience, self.last_epoch = patience, last_epoch or epochs
        self.distribution = distribution or Distribution()
        self.options = self.distribution.checkpoint_options
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.best_epoch = tf.Variable(0, dtype=tf.int64)
        self.best_ndcg = tf.Variable(-1.0, dtype=tf.float64)
        self.seconds = tf.Variable(0.0, dtype=tf.float64)

    def restore(self, model: Recommender) -> int:
        """Restores the last checkpoint, if there is one; returns its epoch."""
        with self.distribution.scope():
            model.optimizer.build(model.trainable_variables)
        folder = self.run.folder / "checkpoints"
        self._best = tf.train.Checkpoint(model=model)
        last = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            epoch=self.epoch,
            best_epoch=self.best_epoch,
            best_ndcg=self.best_ndcg,
            seconds=self.seconds,
        )
        self._last = tf.train.CheckpointManager(
            last, str(folder), max_to_keep=1, checkpoint_name="last"
        )
        _ = last.save_counter  # made here by every worker, not by a restore
        if self._last.latest_checkpoint:
            with storage.reading(folder, "remove it, and the run begins again"):
                status = last.restore(self._last.latest_checkpoint, self.options)
                status.assert_existing_objects_matched()
            logging.info("resuming %s at epoch %d", self.run.folder, int(self.epoch))
        self.distribution.take_from_chief(last)
        self._rows = self.run.history()[: int(self.epoch)]
        return int(self.epoch)

    @property
    def exhausted(self) -> bool:
        """Whether there have been `patience` validations since the best."""
        since_best = int(self.epoch) - int(self.best_epoch)
        return 0 < self.patience * self.eval_every <= since_best

    def restore_best(self) -> None:
        """Puts the weights of the best validation epoch into the model."""
        folder = self.run.folder / "checkpoints"
        with storage.reading(folder, "remove it, and the run begins again"):
            status = self._best.read(str(folder / "best"), self.options)
            status.assert_existing_objects_matched().expect_partial()

    def on_train_begin(self, logs=None):
        """Starts the clocks."""
        self._started = self._saved = self._spoken = self._written = time.monotonic()
        self._first_epoch = int(self.epoch)
        self._seconds_before = float(self.seconds)

    def on_epoch_end(self, epoch, logs=None):
        """Records one epoch."""
        done = epoch + 1
        now = time.monotonic()
        self.epoch.assign(done)
        self.seconds.assign(self._seconds_before + now - self._started)
        row = {"epoch": done, "seconds": round(float(self.seconds), 3)} | logs
        validates = done % self.eval_every == 0 or done == self.epochs
        if validates:
            row |= self._validate(done)
        self._rows.append({key: str(value) for key, value in row.items()})
        # Workers save together, as reading Keras's metrics is a sum over all of them.
        overdue = now - self._saved > _CHECKPOINT_SECONDS
        saves = validates or done == self.last_epoch
        saves = saves or self.distribution.chief_says(overdue)
        if saves or now - self._written > _HISTORY_SECONDS:
            self._write_history()
            self._written = now
        self.board.write_epoch(row, self.model)
        if saves:
            with storage.writing(self.run.folder):
                self._last.save(options=self.options)
            self._saved = now
        if self.exhausted:
            self.model.stop_training = True
        if validates or now - self._spoken > _PROGRESS_SECONDS:
            self._say(row, now)

    def _validate(self, epoch: int) -> dict[str, float]:
        scores = protocol.sampled(self.model, self.interactions, "valid").summary()
        row = {f"valid/{k}": v for k, v in scores.items() if k != "users"}
        row |= ball_statistics(self.model)
        if scores.get("ndcg10", 0.0) > float(self.best_ndcg):
            self.best_ndcg.assign(scores.get("ndcg10", 0.0))
            self.best_epoch.assign(epoch)
            with storage.writing(self.run.folder):
                best = str(self.run.folder / "checkpoints" / "best")
                self._best.write(best, self.options)
        return row

    def _write_history(self):
        fields = list(dict.fromkeys(key for row in self._rows for key in row))
        text = io.StringIO()
        table = csv.DictWriter(text, fields, lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        write_atomically(self.run.folder / "history.csv", text.getvalue())

    def _say(self, row: dict, now: float):
        done, elapsed = row["epoch"], now - self._started
        rate = (done - self._first_epoch) / elapsed
        words = [f"{self.run.dataset}/{self.run.model} seed {self.run.seed}:"]
        words += [f"epoch {done}/{self.epochs}", f"loss {row['loss/total']:.4f}"]
        if "valid/ndcg10" in row:
            words.append(
                f"valid nDCG@10 {row['valid/ndcg10']:.4f} HR@10 {row['valid/hr10']:.4f}"
            )
        words += [f"{rate:.2f} epochs/s", f"ETA {(self.epochs - done) / rate:.0f} s"]
        logging.info("%s", "  ".join(words))
        self._spoken = now


def _named_weights(model: Recommender) -> dict[str, tf.Variable]:
    layer_of = {w.ref(): la.name for la in model.layers for w in la.trainable_weights}
    return {
        f"{layer_of.get(w.ref(), model.name)}/{w.name.removesuffix(':0')}": w
        for w in model.trainable_variables
    }


def _largest_norm(weights: tf.Variable) -> float:
    rows = np.atleast_2d(weights.numpy()).astype(np.float64)
    norms = np.linalg.norm(rows, axis=-1)
    return norms[np.isfinite(norms)].max(initial=0.0)


def ball_statistics(model: Recommender) -> dict[str, float]:
    """Largest norm in units of the ball's radius, and the share of rows at the rim.

    "At the rim" is where the last projection left a row. Empty for models whose
    tables are not declared to lie in a ball.
    """
    norms, rims = [], []
    for side in ("users", "items") if isinstance(model, TableRecommender) else ():
        table = model.user_table if side == "users" else model.item_table
        space = row_space(table.table)
        if space is None:
            return {}
        scale, margin = 1.0, 0.0
        if isinstance(space, PoincareBall):
            scale, margin = space.c**0.5, poincare.BALL_MARGIN[tf.float32]
        norms.append(scale * np.linalg.norm(rows_of(model, side), axis=-1))
        rims.append(norms[-1] >= 1 - margin - _RIM_ROUNDING)
    if not norms:
        return {}
    return {
        "ball/max_norm": float(np.concatenate(norms).max()),
        "ball/fraction_projected": float(np.concatenate(rims).mean()),
    }
