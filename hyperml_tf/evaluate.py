"""Scores a finished run's best epoch again, on the test items.

python -m hyperml_tf.evaluate --run=runs/games/hyperml/0123456789ab/seed-0 --full
"""

import json

from absl import flags

from hyperml_tf import command_line
from hyperml_tf.errors import InputError

_RUN = flags.DEFINE_string("run", None, "The finished run in this folder is scored.")
_FULL = flags.DEFINE_bool("full", False, "Items are ranked in the full catalogue.")
_SPLIT = flags.DEFINE_enum(
    "split", "test", ["test", "valid"], "The held-out items of this split are ranked."
)
_DATA_DIR, _ = command_line.define_folders()


def main() -> None:
    """Prints the metrics as JSON."""
    from hyperml_tf.evaluation import protocol
    from hyperml_tf.training import finished, scoring

    config, data, run = finished.open_run(_RUN.value, _DATA_DIR.value)
    if not data.num_held_out:
        raise InputError(
            f"{_RUN.value} was trained on all data, so nothing is held out to score it "
            "on; score the run whose settings it has"
        )
    model = finished.restored(config, data, run)
    if _FULL.value:
        found = scoring.in_catalogue(model, data, _SPLIT.value)[1]
    else:
        found = protocol.sampled(model, data, _SPLIT.value).summary()
    print(json.dumps(found, indent=1))


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
