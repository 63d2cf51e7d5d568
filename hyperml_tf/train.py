"""Trains one model on one dataset with one seed.

python -m hyperml_tf.train --config=run_configs/games.py:cml --config.margin=0.2
"""

from absl import flags
from ml_collections import config_flags

from hyperml_tf import command_line, training

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "FILE[:MODEL] of run_configs/; --config.FIELD=… changes a field. With it, "
    "--help lists the model's fields.",
)
_SEED = flags.DEFINE_integer("seed", 0, "Root of all randomness.", lower_bound=0)
_THREADS = flags.DEFINE_integer("threads", 0, "TensorFlow's; 0: one a core.", 0)
_STOP_EPOCH = flags.DEFINE_integer(
    "stop_epoch", None, "Leave the run after this epoch; a later call goes on.", 1
)
_WAIT = flags.DEFINE_bool(
    "wait", False, "Where another process works on the run: wait for it."
)
_KERNEL = command_line.define_kernel()
_STRATEGY = flags.DEFINE_enum(
    *("strategy", "none", training.STRATEGIES),
    "What the run is spread over; the processes of the last two have a TF_CONFIG.",
)
_DEVICES = flags.DEFINE_integer(
    "devices", 0, "Of mirrored; 0: all GPUs, or the CPU as one.", 0
)
_CLUSTER_TIMEOUT = flags.DEFINE_float(
    "cluster_timeout", 60, "Seconds that another process may not answer.", 1
)
_OP_DETERMINISM = command_line.define_op_determinism()
_DATA_DIR, _RUNS_DIR = command_line.define_folders()


def main() -> None:
    """Trains, or goes on where an earlier call was interrupted."""
    from hyperml_tf.data import interactions
    from hyperml_tf.training import configuration, launch, strategy, trainer

    if _CONFIG.value is None:
        raise configuration.ConfigError(
            "--config=run_configs/DATASET.py[:MODEL] is missing"
        )
    trainer.use_machine(_THREADS.value, _KERNEL.value)
    if _OP_DETERMINISM.value:
        trainer.use_op_determinism()
    resolved = configuration.resolve(_CONFIG.value)
    strategy.check(_STRATEGY.value, _KERNEL.value, resolved, _DEVICES.value)
    if _STRATEGY.value in ("multi_worker", "parameter_server"):
        command_line.join_cluster()
    distribution = strategy.connect(
        _STRATEGY.value, _CLUSTER_TIMEOUT.value, command_line.abort, _DEVICES.value
    )
    if distribution is None:  # this process served another
        return
    data = interactions.load(resolved.dataset, _DATA_DIR.value)
    launch.launch(
        *(resolved, data, _RUNS_DIR.value, _SEED.value),
        stop_epoch=_STOP_EPOCH.value,
        kernel=_KERNEL.value,
        wait=_WAIT.value,
        distribution=distribution,
    )


if __name__ == "__main__":
    command_line.run(main, __doc__)
