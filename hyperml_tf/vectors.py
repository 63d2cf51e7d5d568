r"""Writes the vectors of a finished run's users and items, for other engines.

python -m hyperml_tf.vectors --run=runs/games/hyperml/0123456789ab/seed-0 \
    --output=vectors/games --form=lifted
"""

import pathlib

from absl import flags, logging

from hyperml_tf import command_line, runtime
from hyperml_tf.errors import InputError

_RUN = flags.DEFINE_string("run", None, "The vectors are those of this finished run.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "users.parquet and items.parquet are written into this folder."
)
_FORM = flags.DEFINE_enum(
    "form",
    "ball",
    ("ball", "tangent", "lifted"),
    "These are points of the ball, tangent vectors at its centre, or lifted vectors, "
    "whose inner products order as the model does; scores that are no inner products, "
    "as of Hyperbolic MF, have no lifted vectors but a column of offsets.",
)
_DATA_DIR, _ = command_line.define_folders()


def main() -> None:
    """Writes both files, and says what they hold."""
    if not _OUTPUT.value:
        raise InputError("--output=FOLDER is missing, e.g. --output=vectors/games")
    from hyperml_tf.serving import vector_files
    from hyperml_tf.training import finished

    runtime.log_warnings_only()
    config, data, run = finished.open_run(_RUN.value, _DATA_DIR.value)
    model = finished.restored(config, data, run)
    output = pathlib.Path(_OUTPUT.value)
    described = vector_files.write(model, data, output, _FORM.value)
    logging.info(
        "%s: %d users and %d items of %s on %s, %d coordinates, form: %s",
        *(output, data.num_users, data.num_items, described["model"]),
        *(config.dataset, described["dim"], _FORM.value),
    )


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
