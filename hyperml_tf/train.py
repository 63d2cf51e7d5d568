"""Trains one model on one dataset with one seed.

python -m hyperml_tf.train --config=run_configs/games.py:cml --config.margin=0.2
"""

from absl import flags
from ml_collections import config_flags

from hyperml_tf import command_line

FLAGS = flags.FLAGS
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "FILE[:MODEL] of run_configs/; change a field by --config.FIELD=…"
)
_SEED = flags.DEFINE_integer("seed", 0, "Root of all randomness.", lower_bound=0)
_THREADS = flags.DEFINE_integer("threads", 0, "TensorFlow's; 0: one a core.", 0)
_STOP_EPOCH = flags.DEFINE_integer(
    "stop_epoch", None, "Leave the run after this epoch; a later call goes on.", 1
)
_KERNEL = command_line.define_kernel()
_DATA_DIR, _RUNS_DIR = command_line.define_folders()


def main() -> None:
    """Trains, or goes on where an earlier call was interrupted."""
    from hyperml_tf.data import interactions
    from hyperml_tf.experiments import config, launch
    from hyperml_tf.training import train

    if _CONFIG.value is None:
        raise config.ConfigError("--config=run_configs/DATASET.py[:MODEL] is missing")
    train.use_threads(_THREADS.value)
    resolved = config.resolve(_CONFIG.value)
    data = interactions.load(resolved.dataset, _DATA_DIR.value)
    launch.launch(
        *(resolved, data, _RUNS_DIR.value),
        *(_SEED.value, _STOP_EPOCH.value, _KERNEL.value),
    )


if __name__ == "__main__":
    command_line.run(main, __doc__)
