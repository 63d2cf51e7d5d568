"""How far a run is, and the two checkpoints that keep it: the last and the best."""

import dataclasses

import tensorflow as tf
from absl import logging

from hyperml_tf.models.base import Recommender
from hyperml_tf.training import storage
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.strategy import Distribution

_REMEDY = "remove it, and the run begins again"


@dataclasses.dataclass(frozen=True)
class Epochs:
    """The epochs of a run: which there are, and what happens after them.

    Attributes:
        last: the last epoch of the run.
        eval_every: epochs between validations; the last epoch always validates.
        patience: validations without a better one after which the run ends; 0: none.
        stop: the epoch after which this process leaves the run; `last`, or before.
    """

    last: int
    eval_every: int
    patience: int
    stop: int

    def validates(self, epoch: int) -> bool:
        """Whether the run is validated after this epoch."""
        return epoch % self.eval_every == 0 or epoch == self.last


class Standing:
    """How far a run is; its variables lie in the last checkpoint, beside the model's.

    Attributes:
        epochs: those of the run.
        epoch: epochs done.
        seconds: wall seconds that they took, of all processes that did them.
        best_epoch: the epoch with the best validation score; 0 before the first.
        best_score: that score.
    """

    def __init__(self, epochs: Epochs):
        self.epochs = epochs
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self.best_epoch = tf.Variable(0, dtype=tf.int64)
        self.best_score = tf.Variable(-1.0, dtype=tf.float64)

    @property
    def is_over(self) -> bool:
        """Whether the run has had its last epoch, or its patience is exhausted."""
        return int(self.epoch) >= self.epochs.last or self.is_exhausted

    @property
    def is_exhausted(self) -> bool:
        """Whether there have been `patience` validations since the best."""
        since_best = int(self.epoch) - int(self.best_epoch)
        return 0 < self.epochs.patience * self.epochs.eval_every <= since_best


class Checkpoints:
    """Writes and restores the checkpoints of a run.

    Args:
        run: where they lie.
        model: compiled; its optimizer's slots are made here.
        standing: of the run; `restore_last` sets it.
        distribution: of the run.
    """

    def __init__(
        self,
        run: Run,
        model: Recommender,
        standing: Standing,
        distribution: Distribution,
    ):
        with distribution.scope():
            model.optimizer.build(model.trainable_variables)
        self._run, self.standing, self._distribution = run, standing, distribution
        self._folder = run.folder / "checkpoints"
        self._options = distribution.checkpoint_options
        self._best = tf.train.Checkpoint(model=model)
        self._last = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            epoch=standing.epoch,
            best_epoch=standing.best_epoch,
            best_ndcg=standing.best_score,
            seconds=standing.seconds,
        )
        self._manager = tf.train.CheckpointManager(
            self._last, str(self._folder), max_to_keep=1, checkpoint_name="last"
        )
        _ = self._last.save_counter  # made here by every worker, not by a restore

    def restore_last(self) -> None:
        """Puts model, optimizer and standing where the last checkpoint left them.

        Raises:
            InputError: the checkpoint is damaged, or another model's.
        """
        latest = self._manager.latest_checkpoint
        if latest:
            with storage.reading(self._folder, _REMEDY):
                status = self._last.restore(latest, self._options)
                status.assert_existing_objects_matched()
            epoch = int(self.standing.epoch)
            logging.info("resuming %s at epoch %d", self._run.folder, epoch)
        self._distribution.take_from_chief(self._last)

    def save_last(self) -> None:
        """Replaces the last checkpoint; raises InputError if it cannot be written."""
        with storage.writing(self._run.folder):
            self._manager.save(options=self._options)

    def save_best(self) -> None:
        """Replaces the best checkpoint; raises InputError if it cannot be written."""
        with storage.writing(self._run.folder):
            self._best.write(str(self._folder / "best"), self._options)

    def restore_best(self) -> None:
        """Puts the weights of the best validation epoch into the model.

        Raises:
            InputError: the checkpoint is damaged, or another model's.
        """
        with storage.reading(self._folder, _REMEDY):
            status = self._best.read(str(self._folder / "best"), self._options)
            status.assert_existing_objects_matched().expect_partial()
