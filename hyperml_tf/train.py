"""Trains one model on one dataset with one seed.

python -m hyperml_tf.train --config=run_configs/games.py:cml --config.margin=0.2
python -m hyperml_tf.train --like=runs/games/cml/0123456789ab/seed-0    on all data
"""

from absl import flags, logging
from ml_collections import config_flags

from hyperml_tf import command_line, runtime, training

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "FILE[:MODEL] holds the settings; --config.FIELD=… changes one. With it, --help "
    "lists the model's fields.",
)
_ALL_DATA = flags.DEFINE_bool(
    "all_data",
    False,
    "Nothing is held out, so nothing is validated: the last epoch is the model.",
)
_LIKE = flags.DEFINE_string(
    "like",
    None,
    "The settings, seed and best epoch of the finished run in this folder take the "
    "place of --config, on all data.",
)
_START_FROM = flags.DEFINE_string(
    "start_from",
    None,
    "Users and items that the finished run in this folder knows start where it ended.",
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "All randomness starts from this number.", lower_bound=0
)
_THREADS = flags.DEFINE_integer(
    "threads", 0, "TensorFlow uses this many threads; 0 means one per core.", 0
)
_STOP_EPOCH = flags.DEFINE_integer(
    "stop_epoch", None, "The run is left after this epoch; a later call goes on.", 1
)
_WAIT = flags.DEFINE_bool(
    "wait", False, "If another process has the run, this one waits for it."
)
_KERNEL = command_line.define_kernel()
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    training.STRATEGIES,
    "The run is spread by this strategy; the last two read TF_CONFIG.",
)
_DEVICES = flags.DEFINE_integer(
    "devices",
    0,
    "The mirrored strategy uses this many; 0 means all GPUs, or the CPU.",
    0,
)
_CLUSTER_TIMEOUT = flags.DEFINE_float(
    "cluster_timeout",
    60,
    "The run ends when a process has been silent for this many seconds.",
    1,
)
_OP_DETERMINISM = command_line.define_op_determinism()
_DATA_DIR, _RUNS_DIR = command_line.define_folders()


def main() -> None:
    """Trains, or goes on where an earlier call was interrupted."""
    from hyperml_tf.data import prepared
    from hyperml_tf.training import (
        configuration,
        finished,
        launch,
        origin,
        strategy,
        trainer,
    )

    if (_CONFIG.value is None) == (_LIKE.value is None):
        raise configuration.ConfigError(
            "--config=run_configs/DATASET.py[:MODEL] is missing (or --like=RUN)"
            if _CONFIG.value is None
            else "give one of --config=FILE and --like=RUN, which has settings"
        )
    like = None if _LIKE.value is None else finished.find(_LIKE.value, "--like")
    runtime.use_machine(_THREADS.value, _KERNEL.value)
    if _OP_DETERMINISM.value:
        runtime.use_op_determinism()
    resolved = launch.like(like) if like else configuration.resolve(_CONFIG.value)
    seed = like.seed if like and not _SEED.present else _SEED.value
    starts = _START_FROM.value is not None
    strategy.check(_STRATEGY.value, _KERNEL.value, resolved, _DEVICES.value, starts)
    if _STRATEGY.value in ("multi_worker", "parameter_server"):
        command_line.join_cluster()
    distribution = strategy.connect(
        _STRATEGY.value, _CLUSTER_TIMEOUT.value, command_line.abort, _DEVICES.value
    )
    if distribution is None:  # this process served another
        return
    data = prepared.load(resolved.dataset, _DATA_DIR.value)
    if _ALL_DATA.value or like:
        data = data.unsplit()
    if data.users_with_few_negatives:
        logging.warning(
            "%d of %d held-out users have fewer than %d negatives (%d items): metrics "
            "among negatives say little of them",
            data.users_with_few_negatives,
            (data.test_item >= 0).sum(),
            data.test_negatives.shape[1],
            data.num_items,
        )
    execution = trainer.Execution(
        kernel=_KERNEL.value,
        stop_epoch=_STOP_EPOCH.value,
        wait=_WAIT.value,
        distribution=distribution,
    )
    before = origin.find(_START_FROM.value, _DATA_DIR.value) if starts else None
    launch.launch(resolved, data, _RUNS_DIR.value, seed, execution, before)


def preload() -> None:
    """Imports all that training needs, so that forks of this process have it."""
    from hyperml_tf.data import prepared  # noqa: F401
    from hyperml_tf.training import configuration, launch, strategy, trainer  # noqa: F401


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
