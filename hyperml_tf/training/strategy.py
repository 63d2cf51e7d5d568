"""Spreads one run over devices or processes: `--strategy` of `hyperml_tf.train`.

- `mirrored`: the devices of this machine, each with all tables and a part of every
  batch; gradients are summed before one update, which all of them make alike.
- `multi_worker`: the same over processes, each a worker of `TF_CONFIG`.
- `parameter_server`: tables lie in parts on the `ps` processes; workers step on whole
  batches, each at its own pace; the chief hands out the work and keeps the run.

One process, the chief, has the run's folder. Kernels do not apply.
"""

import contextlib
import dataclasses
import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras
from absl import logging

from hyperml_tf import runtime
from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.errors import InputError
from hyperml_tf.training import cluster
from hyperml_tf.training.run_folder import Run

# A table smaller than this is not worth a second request a lookup (TensorFlow's rule).
_SMALLEST_PART_BYTES = 256 << 10


@dataclasses.dataclass(frozen=True)
class Distribution:
    """What a run is spread over, as seen by one of its processes.

    Attributes:
        name: one of `training.STRATEGIES`.
        strategy: TensorFlow's; None for "none".
        is_chief: whether this process has the run's folder.
        watch: on the other processes, if there are any.
    """

    name: str = "none"
    strategy: tf.distribute.Strategy | None = None
    is_chief: bool = True
    watch: cluster.Watch | None = None

    def scope(self) -> contextlib.AbstractContextManager:
        """Where the model, its optimizer and the slots are made."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    @property
    def replicas(self) -> int:
        """Parts of a batch that are done at a time."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    @property
    def checkpoint_options(self) -> tf.train.CheckpointOptions | None:
        """The chief reads and writes the tables of the parameter servers too."""
        if self.name != "parameter_server":
            return None
        return tf.train.CheckpointOptions(experimental_io_device="/job:chief/task:0")

    @contextlib.contextmanager
    def own(self, run: Run) -> Iterator[Run]:
        """`run` for the chief, a temporary folder for the others.

        All of them validate, decide and checkpoint alike; one keeps what comes of it.
        """
        if self.is_chief:
            yield run
            return
        with tempfile.TemporaryDirectory() as folder:
            yield Run(pathlib.Path(folder, *run.folder.parts[-4:]))

    def chief_says(self, answer: bool) -> bool:
        """The chief's answer, for every worker; all of them must ask."""
        if self.name != "multi_worker":
            return answer
        (chiefs,) = self._from_chief(tf.constant(int(answer)))
        return bool(chiefs)

    def take_from_chief(self, checkpoint: tf.train.Checkpoint) -> None:
        """Gives every worker what a checkpoint of the chief would hold."""
        if self.name != "multi_worker":
            return
        # Without Keras's metrics, which are sums over all workers: reading one talks
        # to the others, and they are reset at each epoch.
        variables = [
            part
            for part in tf.train.TrackableView(checkpoint).descendants()
            if isinstance(part, tf.Variable)
            and part.synchronization != tf.VariableSynchronization.ON_READ
        ]
        values = self._from_chief(*(variable.read_value() for variable in variables))
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def batches(
        self, sampler: TripletSampler, batch_size: int, first_epoch: int
    ) -> keras.utils.experimental.DatasetCreator:
        """What `fit` takes: the parts that this process has of each batch."""

        def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
            here = self.replicas // context.num_input_pipelines
            first = context.input_pipeline_id * here
            mine = range(first, first + here)
            return sampler.shares(batch_size, first_epoch, mine, self.replicas)

        return keras.utils.experimental.DatasetCreator(parts)

    def end_of_steps(self) -> None:
        """The workers need each other no more; parameter servers are still read."""
        if self.watch and self.name == "multi_worker":
            self.watch.stop()

    def leave(self) -> None:
        """Ends work with the other processes.

        Workers of the last step may still be reading from the chief, so it stays
        until they have gone.
        """
        if self.watch:
            self.watch.stop()
            if self.is_chief and self.name == "multi_worker":
                self.watch.outlast()

    @functools.cached_property
    def _from_chief(self) -> Callable[..., list[tf.Tensor]]:
        """A function of tensors, one from each worker, that returns the chief's."""
        strategy: Any = self.strategy

        def send(*mine):
            context = tf.distribute.get_replica_context()
            first = self.is_chief and context.replica_id_in_sync_group == 0
            sent = [tf.where(first, value, tf.zeros_like(value)) for value in mine]
            # One by one: together they would have to be of one type.
            total = tf.distribute.ReduceOp.SUM
            return [context.all_reduce(total, value) for value in sent]

        run = tf.function(lambda *mine: strategy.run(send, args=mine))
        return lambda *mine: [
            strategy.experimental_local_results(value)[0] for value in run(*mine)
        ]


def check(
    name: str, kernel: str, config, devices: int = 0, starts: bool = False
) -> None:
    """Refuses what a strategy cannot do, before any process waits for another.

    Args:
        name: one of `training.STRATEGIES`.
        kernel: one of `kernels.CHOICES`.
        config: resolved config.
        devices: see `connect`.
        starts: whether the run starts from another's weights.

    Raises:
        InputError: with the remedy.
    """
    if devices and name != "mirrored":
        raise InputError("--devices is for --strategy=mirrored")
    if name == "none":
        return
    if kernel in ("fused", "xla"):
        raise InputError(
            f"--kernel={kernel} steps in one process, on one device; --strategy={name} "
            "needs --kernel=tensorflow (or auto), or leave --strategy out"
        )
    if starts:
        raise InputError(
            f"--start_from carries rows over in one process, and --strategy={name} has "
            "them in several places; leave one of the two out"
        )
    if config.get("pretrained", False):
        raise InputError(
            f"--strategy={name} trains one model, and {config.model} starts from two; "
            "set config.pretrained = False, or leave --strategy out"
        )


def connect(
    name: str, timeout: float, lost: Callable[[str], None], devices: int = 0
) -> Distribution | None:
    """Joins the other processes, or the devices of this one.

    Call it before TensorFlow's first operation.

    Args:
        name: one of `training.STRATEGIES`.
        timeout: seconds for which another process may not answer.
        lost: ends this process, saying what it is given, when another is missing.
        devices: of "mirrored": how many; 0: all GPUs, or the CPU as one. Without a
            GPU, the CPU is seen as so many.

    Returns:
        What to train with; None if this process served a chief that has ended.

    Raises:
        InputError: `TF_CONFIG` or `devices` is not what the strategy needs.
        ProcessLost: another process did not come.
    """
    if name == "none":
        return Distribution()
    logging.info("kernel: tensorflow, as the others step in one process alone")
    runtime.log_warnings_only()
    if name == "mirrored":
        return Distribution(name, tf.distribute.MirroredStrategy(_devices(devices)))
    runtime.fail_without_peer()
    if name == "multi_worker":
        found = cluster.from_environment(name, ("worker",))
        others = found.others("chief", "worker")
        with _joined(found, others, timeout):
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        watch = cluster.Watch(others, timeout, lost)
        watch.start()
        return Distribution(name, strategy, found.is_chief, watch)
    found = cluster.from_environment(name, ("chief", "worker", "ps"))
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if not found.is_chief:
        _serve(found, resolver, timeout)
        return None
    others = found.others("worker", "ps")
    partitioner = tf.distribute.experimental.partitioners.MinSizePartitioner(
        _SMALLEST_PART_BYTES, max_shards=len(found.jobs["ps"])
    )
    with _joined(found, others, timeout):
        strategy = tf.distribute.ParameterServerStrategy(resolver, partitioner)
    watch = cluster.Watch(others, timeout, lost)
    watch.start()
    return Distribution(name, strategy, True, watch)


@contextlib.contextmanager
def _joined(
    found: cluster.Cluster, others: Mapping[str, str], timeout: float
) -> Iterator[None]:
    """Where to make a strategy: the others are there, and it ends in time."""
    cluster.meet(found, others, timeout)
    with cluster.bounded(timeout):
        yield


def _serve(found: cluster.Cluster, resolver, timeout: float) -> None:
    logging.info("serving as %s %d", found.job, found.index)
    server = tf.distribute.Server(
        resolver.cluster_spec(), found.job, found.index, protocol="grpc"
    )
    cluster.wait_for_end(found.jobs["chief"][0], timeout)
    del server


def _devices(count: int) -> list[str]:
    gpus = tf.config.get_visible_devices("GPU")
    kind = "GPU" if gpus else "CPU"
    if not gpus and count > 1:
        runtime.split_cpu(count)
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if count > len(found):
        raise InputError(f"--devices={count}, but there are {len(found)} of {kind}")
    return found[: count or len(found)]
