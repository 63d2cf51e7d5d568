"""Trains one run to its end, or on from where it was interrupted."""

import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import logging

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.data.triplets import BATCHES_PER_CHUNK, TripletSampler
from hyperml_tf.errors import RunError
from hyperml_tf.evaluation import protocol
from hyperml_tf.files import replacing
from hyperml_tf.kernels import fused
from hyperml_tf.models.base import Recommender
from hyperml_tf.training import cluster, environment, factory, parameter_server
from hyperml_tf.training.callbacks import Record, StopOnNonFinite
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.strategy import Distribution
from hyperml_tf.training.tensorboard import Board, write_projector

# Steps that Keras runs in one graph call. Long enough to hide its overhead, short
# enough that Ctrl-C is answered within seconds on the largest dataset.
_STEPS_PER_EXECUTION = 2000


def use_machine(threads: int, kernel: str) -> None:
    """Sets what TensorFlow may use, before its first operation.

    Of a GPU's memory that is what a run needs, as several may share one.

    Args:
        threads: 0: one per core.
        kernel: one of `kernels.CHOICES`; "fused", which steps on the CPU, leaves all
            GPUs alone.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if kernel == "fused":
        tf.config.set_visible_devices([], "GPU")
    for gpu in tf.config.get_visible_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def use_op_determinism() -> None:
    """Holds TensorFlow to deterministic kernels, before its first operation.

    On a CPU a run's bits repeat without it; on a GPU the gradients of lookups are sums
    in an order of their own each time.
    """
    tf.config.experimental.enable_op_determinism()


def train(
    config,
    interactions: Interactions,
    run: Run,
    parts: Sequence[Recommender] = (),
    wait: bool = False,
    stop_epoch: int | None = None,
    kernel: str = "auto",
    distribution: Distribution | None = None,
) -> dict | None:
    """Runs `config` in `run`'s folder and returns what `metrics.json` then holds.

    A finished run is returned as it is. An interrupted one goes on from its last
    checkpoint and ends with the numbers of an uninterrupted one (on CPU).

    Args:
        config: resolved config.
        interactions: the prepared dataset.
        run: the run's folder; its seed is the root of all randomness.
        parts: trained models that this one starts from (NCF's GMF and MLP).
        wait: wait for another process that works on this run.
        stop_epoch: leave the run, unfinished, after this epoch; a later call goes on.
        kernel: what does the steps, one of `kernels.CHOICES`.
        distribution: of `strategy.connect`; None: this process alone.

    Returns:
        What `metrics.json` holds; None if `stop_epoch` left the run unfinished, and
        in processes that are not the chief.

    Raises:
        RunBusy: another process works on this run.
        NonFiniteLoss: training diverged.
        ProcessLost: another process of a distributed run is gone.
        RunError: the device has too little memory.
    """
    distribution = distribution or Distribution()
    with (
        distribution.own(run) as own,
        cluster.naming_losses(distribution.watch),
        _naming_want_of_memory(),
    ):
        metrics = _train(
            config, interactions, own, parts, wait, stop_epoch, kernel, distribution
        )
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


def _train(
    config, interactions, run, parts, wait, stop_epoch, kernel, distribution
) -> dict | None:
    if distribution.chief_says(run.done):
        logging.info("%s is finished already", run.folder)
        return run.metrics if run.done else None
    with run.lock(wait):
        if run.done:  # by the process we waited for
            return run.metrics
        run.write_json("config.json", config.to_dict())
        described = environment.describe()
        described["data_fingerprint"] = interactions.fingerprint
        model_seed, sampler_seed = seeds(run.seed)
        with distribution.scope():
            model = factory.build_model(config, interactions, model_seed)
        if parts:
            model.start_from(*parts)
        record = None
        with contextlib.closing(Board(run, config)) as board:
            if model.trainable_variables:
                sampling = sampler_seed, stop_epoch, kernel
                record = _fit(
                    *(model, config, interactions, board, described),
                    *(*sampling, distribution),
                )
                distribution.end_of_steps()
                if int(record.epoch) < config.epochs and not record.exhausted:
                    return None
            if not distribution.is_chief:
                return None
            if record:
                record.restore_best()
            else:
                run.write_json("environment.json", described)
            return _finish(model, interactions, board, record)


def seeds(root: int) -> tuple[int, int]:
    """Seeds of the model (initialisation, dropout) and of the sampler."""
    streams = np.random.SeedSequence(root).spawn(2)
    model, sampler = (int(s.generate_state(1, np.uint64)[0] >> 1) for s in streams)
    return model, sampler


def _fit(
    model: Recommender,
    config,
    interactions,
    board,
    described,
    sampler_seed,
    stop_epoch,
    kernel,
    distribution: Distribution,
) -> Record:
    negatives = config.get("negatives", 1)
    if distribution.strategy:
        kernel = "tensorflow"
    compiled = fused.compiled(kernel)
    by_popularity = config.get("negative_sampler") == "popularity"
    sampler = TripletSampler(
        interactions, sampler_seed, negatives, compiled, by_popularity
    )
    steps = sampler.steps_per_epoch(config.batch_size)
    run = board.run
    triplets = config.batch_size
    if config.get("negative_choice") == "each":
        triplets *= negatives
    last_epoch = min(stop_epoch or config.epochs, config.epochs)
    record = Record(
        *(run, interactions, board, config.eval_every, config.epochs, config.patience),
        last_epoch=last_epoch,
        distribution=distribution,
    )
    with distribution.scope():
        optimizer = factory.build_optimizer(config, steps)
        used, calls = compile_model(model, optimizer, steps, triplets, kernel)
        if distribution.strategy:
            # TensorFlow wants a collective's shape to stay the same within one graph
            # call, and an epoch's last batch is smaller.
            model.steps_per_execution = 1
            # `fit` would sum every step's running means over all processes.
            model.distribute_reduction_method = "first"
    first_epoch = record.restore(model)
    described |= {"kernel": used}
    described |= {"strategy": distribution.name, "replicas": distribution.replicas}
    _write_environment(run, described, distribution.is_chief and first_epoch > 0)
    if first_epoch < last_epoch and not record.exhausted:
        callbacks = [StopOnNonFinite(), record]
        epochs = range(first_epoch, last_epoch)
        if distribution.name == "parameter_server":
            parameter_server.fit(
                *(model, distribution.strategy, sampler, config.batch_size),
                *(epochs, callbacks),
            )
        else:
            stream = config.batch_size, first_epoch
            model.fit(
                distribution.batches(sampler, *stream)
                if distribution.strategy
                else sampler.dataset(*stream, used == "fused"),
                initial_epoch=first_epoch,
                epochs=last_epoch,
                steps_per_epoch=calls,
                callbacks=callbacks,
                verbose=0,
            )
    return record


def _write_environment(run: Run, described: dict, resumed: bool) -> None:
    """What this process is, and, if others, those that did the epochs before."""
    earlier = []
    if resumed:
        before = run.environment
        earlier = before.pop("earlier", [])
        if before != described and before not in earlier:
            earlier.append(before)
    told = {"earlier": earlier} if earlier else {}
    run.write_json("environment.json", described | told)


def compile_model(
    model: Recommender,
    optimizer: keras.optimizers.Optimizer,
    steps: int,
    triplets: int,
    kernel: str,
) -> tuple[str, int]:
    """Compiles `model` for `fit`.

    Args:
        model: the model.
        optimizer: its optimizer.
        steps: of an epoch.
        triplets: of a step.
        kernel: one of `kernels.CHOICES`.

    Returns:
        The kernel that it has, and the batches that `fit` takes in an epoch: of whole
        chunks if fused, see `TripletSampler.dataset`.
    """
    used = fused.use(model, optimizer, triplets, kernel)
    steps_per_call = BATCHES_PER_CHUNK if used == "fused" else 1
    calls = -(-steps // steps_per_call)
    model.compile(
        optimizer=optimizer,
        steps_per_execution=min(calls, _STEPS_PER_EXECUTION // steps_per_call),
    )
    return used, calls


def _finish(model, interactions, board, record) -> dict:
    """Scores the test items once, with the weights of the best epoch."""
    begin, run = time.monotonic(), board.run
    test = protocol.sampled(model, interactions, "test")
    test_full = protocol.full(model, interactions, "test")
    metrics: dict[str, Any] = {
        "best_epoch": int(record.best_epoch) if record else 0,
        "epochs": int(record.epoch) if record else 0,
        "seconds": float(record.seconds) if record else 0.0,
        "evaluation_seconds": time.monotonic() - begin,
        "valid": protocol.sampled(model, interactions, "valid").summary(),
        "test": test.summary(),
        "test_full": test_full.summary(),
    }
    write_projector(run, interactions, model)
    board.write_selected(metrics)
    _save_array(run, "test_ranks.npy", test.ranks)
    _save_array(run, "test_full_ranks.npy", test_full.ranks)
    run.write_json("metrics.json", metrics)
    logging.info(
        "%s: test nDCG@10 %.4f HR@10 %.4f (best epoch %d)",
        run.folder,
        metrics["test"].get("ndcg10", float("nan")),
        metrics["test"].get("hr10", float("nan")),
        metrics["best_epoch"],
    )
    return metrics


def _save_array(run: Run, name: str, array: np.ndarray) -> None:
    content = io.BytesIO()  # straight into a file, a full disk has no name
    np.save(content, array.astype(np.float32), allow_pickle=False)
    with replacing(run.folder / name) as file:
        file.write(content.getvalue())
