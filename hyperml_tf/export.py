r"""Writes a finished run's best epoch as a SavedModel for TensorFlow alone.

python -m hyperml_tf.export --run=runs/games/hyperml/0123456789ab/seed-0 \
    --output=export/games
"""

from absl import flags, logging

from hyperml_tf import command_line, runtime
from hyperml_tf.errors import InputError

_RUN = flags.DEFINE_string("run", None, "The finished run in this folder is exported.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "This folder is written; it may replace an export."
)
_INDEX = flags.DEFINE_enum(
    "index", "exact", ["exact", "scann"], "The export retrieves by this index."
)
_DATA_DIR, _ = command_line.define_folders()


def main() -> None:
    """Exports, and says what."""
    if not _OUTPUT.value:
        raise InputError("--output=FOLDER is missing, e.g. --output=export/games")
    from hyperml_tf.serving import saved_model
    from hyperml_tf.training import finished

    runtime.log_warnings_only()
    config, data, run = finished.open_run(_RUN.value, _DATA_DIR.value)
    origin = {
        "config": config.to_dict(),
        "config_hash": run.config_hash,
        "data_fingerprint": data.fingerprint,
        "dataset": config.dataset,
        "model": config.model,
        "run": str(run.folder),
        "seed": run.seed,
    }
    model = finished.restored(config, data, run)
    record = saved_model.export(model, data, _OUTPUT.value, _INDEX.value, origin)
    logging.info(
        "%s: %s on %s, %d users, %d items, index: %s",
        _OUTPUT.value,
        *(record[key] for key in ("model", "dataset", "users", "items", "index")),
    )
    trained, held_out = record["training_interactions"], record["held_out_interactions"]
    logging.info(
        "trained on %s interactions; %s",
        f"{trained:,}" if held_out else f"all {trained:,}",
        f"{held_out:,} are held out: hyperml_tf.train --like={_RUN.value} takes all"
        if held_out
        else "none was held out",
    )


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
