"""Trains one run to its end, or on from where it was interrupted."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import logging

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.errors import RunError
from hyperml_tf.kernels import choosing
from hyperml_tf.models.base import Recommender
from hyperml_tf.training import (
    callbacks,
    cluster,
    environment,
    factory,
    parameter_server,
    scoring,
)
from hyperml_tf.training.checkpoints import Checkpoints, Epochs, Standing
from hyperml_tf.training.divergence import StopOnNonFinite
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.stepping import batches, compile_model, triplets_of_step
from hyperml_tf.training.strategy import Distribution
from hyperml_tf.training.tensorboard import Board


@dataclasses.dataclass(frozen=True)
class Execution:
    """How a process does a run; what the run is does not depend on it.

    Attributes:
        kernel: what does the steps, one of `kernels.CHOICES`.
        stop_epoch: leave the run, unfinished, after this epoch; a later call goes on.
        wait: wait for another process that works on the run.
        distribution: what the run is spread over, see `strategy.connect`.
    """

    kernel: str = "auto"
    stop_epoch: int | None = None
    wait: bool = False
    distribution: Distribution = dataclasses.field(default_factory=Distribution)


def train(
    config,
    interactions: Interactions,
    run: Run,
    execution: Execution | None = None,
    start: Callable[[Recommender], None] | None = None,
) -> dict | None:
    """Runs `config` in `run`'s folder and returns what `metrics.json` then holds.

    A finished run is returned as it is. An interrupted one goes on from its last
    checkpoint and ends with the numbers of an uninterrupted one (on CPU).

    Args:
        config: resolved config.
        interactions: the prepared dataset.
        run: the run's folder; its seed is the root of all randomness.
        execution: how to do it; None: by the defaults.
        start: gives the model its first weights; None: the initialisers do.

    Returns:
        What `metrics.json` holds; None if `stop_epoch` left the run unfinished, and
        in processes that are not the chief.

    Raises:
        RunBusy: another process works on this run.
        NonFiniteLoss: training diverged.
        ProcessLost: another process of a distributed run is gone.
        RunError: the device has too little memory.
    """
    execution = execution or Execution()
    distribution = execution.distribution
    with (
        distribution.own(run) as own,
        cluster.naming_losses(distribution.watch),
        _naming_want_of_memory(),
    ):
        metrics = Training(config, interactions, own, execution).complete(start)
        distribution.leave()
        return metrics


@contextlib.contextmanager
def _naming_want_of_memory() -> Iterator[None]:
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        reason = error.message.splitlines()[0]
        raise RunError(
            f"out of memory ({reason}); lower --jobs or config.batch_size; the same "
            "command goes on from the last checkpoint"
        ) from None


class Training:
    """A run in training: what it is made of, and how far it is.

    Args:
        config: resolved config.
        interactions: the prepared dataset.
        run: the run's folder, or in a process that is not the chief one of its own.
        execution: how this process does the run.
    """

    def __init__(self, config, interactions: Interactions, run: Run, execution):
        self.config, self.interactions, self.run = config, interactions, run
        self.distribution: Distribution = execution.distribution
        # A strategy's replicas share each step, which a kernel does alone.
        self.kernel = "tensorflow" if self.distribution.strategy else execution.kernel
        self.wait = execution.wait
        validated = interactions.num_held_out > 0
        self.epochs = Epochs(
            last=config.epochs,
            # Without a validation the last epoch is the best, and the only one kept.
            eval_every=config.get("eval_every", 1) if validated else config.epochs,
            patience=config.get("patience", 0) if validated else 0,
            stop=min(execution.stop_epoch or config.epochs, config.epochs),
        )
        self.standing = Standing(self.epochs)

    def complete(
        self, start: Callable[[Recommender], None] | None = None
    ) -> dict | None:
        """Does what is left of the run; arguments and result as of `train`."""
        if self.distribution.chief_says(self.run.done):
            logging.info("%s is finished already", self.run.folder)
            return self.run.metrics if self.run.done else None
        with self.run.lock(self.wait):
            if self.run.done:  # by the process we waited for
                return self.run.metrics
            self.run.write_json("config.json", self.config.to_dict())
            self._build_model(start)
            with contextlib.closing(Board(self.run, self.config)) as board:
                if self.config.definition.trains:
                    self._fit(board)
                    if not self.standing.is_over:
                        return None
                elif self.distribution.is_chief:
                    self._describe_environment()
                if not self.distribution.is_chief:
                    return None
                return scoring.score(
                    self.run, self.model, self.interactions, self.standing, board
                )

    def _build_model(self, start: Callable[[Recommender], None] | None) -> None:
        self.model_seed, self.sampler_seed = seeds(self.run.seed)
        begin = time.monotonic()
        with self.distribution.scope():
            self.model = factory.build_model(
                self.config, self.interactions, self.model_seed
            )
        if start:
            start(self.model)
        if not self.config.definition.trains:  # by `adapt`, as it is built
            self.standing.seconds.assign(time.monotonic() - begin)

    def _fit(self, board: Board) -> None:
        """Does the steps that are left, and restores the best weights at the end."""
        sampler = self._sampler()
        used, calls = self._compile(sampler)
        checkpoints = Checkpoints(
            self.run, self.model, self.standing, self.distribution
        )
        checkpoints.restore_last()
        self._describe_environment(kernel=used)
        epochs = range(int(self.standing.epoch), self.epochs.stop)
        if epochs and not self.standing.is_exhausted:
            each_epoch = self._callbacks(board, checkpoints)
            if self.distribution.name == "parameter_server":
                parameter_server.fit(
                    self.model,
                    self.distribution.strategy,
                    sampler,
                    self.config.batch_size,
                    epochs,
                    each_epoch,
                )
            else:
                self.model.fit(
                    self._batches(sampler, epochs.start, used),
                    initial_epoch=epochs.start,
                    epochs=epochs.stop,
                    steps_per_epoch=calls,
                    callbacks=each_epoch,
                    verbose=0,
                )
        self.distribution.end_of_steps()
        if self.standing.is_over and self.distribution.is_chief:
            checkpoints.restore_best()

    def _sampler(self) -> TripletSampler:
        return TripletSampler(
            self.interactions,
            self.sampler_seed,
            self.config.get("negatives", 1),
            compiled=choosing.compiled(self.kernel),
            by_popularity=self.config.get("negative_sampler") == "popularity",
        )

    def _batches(self, sampler: TripletSampler, first_epoch: int, kernel: str):
        """What `fit` takes: the stream of batches from `first_epoch` on."""
        batch_size = self.config.batch_size
        if self.distribution.strategy:
            return self.distribution.batches(sampler, batch_size, first_epoch)
        return batches(self.model, sampler, batch_size, first_epoch, kernel)

    def _compile(self, sampler: TripletSampler) -> tuple[str, int]:
        """Compiles the model; returns what `stepping.compile_model` does."""
        steps = sampler.steps_per_epoch(self.config.batch_size)
        triplets = triplets_of_step(self.config)
        with self.distribution.scope():
            optimizer = factory.build_optimizer(self.config, self.model, steps)
            compiled = compile_model(
                self.model, optimizer, steps, triplets, self.kernel
            )
            if self.distribution.strategy:
                # TensorFlow wants a collective's shape to stay the same within one
                # graph call, and an epoch's last batch is smaller.
                self.model.steps_per_execution = 1
                # `fit` would sum every step's running means over all processes.
                self.model.distribute_reduction_method = "first"
        return compiled

    def _callbacks(
        self, board: Board, checkpoints: Checkpoints
    ) -> list[keras.callbacks.Callback]:
        history = callbacks.History(self.run, self.standing)
        select_by = self.config.get("select_by", "ndcg10")
        rankings = callbacks.SAMPLED if select_by == "ndcg10" else callbacks.BOTH
        if not self.interactions.num_held_out:
            rankings = {}
        return [
            StopOnNonFinite(),
            callbacks.Clock(self.standing),
            callbacks.Validation(self.epochs, self.interactions, rankings),
            callbacks.KeepBest(checkpoints, f"valid/{select_by}"),
            history,
            callbacks.TensorBoard(board),
            callbacks.SaveLast(checkpoints, history, self.distribution),
            callbacks.Patience(self.standing),
            callbacks.ProgressLines(self.run, self.standing),
        ]

    def _describe_environment(self, **known: str) -> None:
        """Writes what this process is, and what those before were if others."""
        described = environment.describe() | known
        described["data_fingerprint"] = self.interactions.fingerprint
        if not self.interactions.num_held_out:
            described["all_data"] = True
        if self.config.definition.trains:
            described["strategy"] = self.distribution.name
            described["replicas"] = self.distribution.replicas
        earlier = []
        if self.distribution.is_chief and int(self.standing.epoch) > 0:
            before = self.run.environment
            earlier = before.pop("earlier", [])
            if before != described and before not in earlier:
                earlier.append(before)
        if earlier:
            described["earlier"] = earlier
        self.run.write_json("environment.json", described)


def seeds(root: int) -> tuple[int, int]:
    """Seeds of the model (initialisation, dropout) and of the sampler."""
    streams = np.random.SeedSequence(root).spawn(2)
    model, sampler = (int(s.generate_state(1, np.uint64)[0] >> 1) for s in streams)
    return model, sampler
