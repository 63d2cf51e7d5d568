"""Writes tables, figures and report.html, from recorded runs only.

python -m hyperml_tf.report --runs_dir=runs --output=report
python -m hyperml_tf.report --record=run_configs/results.csv   updates the record too
python -m hyperml_tf.report --readme=README.md --results_md=RESULTS.md
"""

import pathlib

from absl import flags

from hyperml_tf import command_line

_OUTPUT = flags.DEFINE_string(
    "output", "report", "The report is written to this folder; '' writes none."
)
_RECORD = flags.DEFINE_string(
    "record", None, "Finished runs are added to this record, and it is reported too."
)
_RESULTS_MD = flags.DEFINE_string(
    "results_md", None, "This document is written from the record."
)
_README = flags.DEFINE_string(
    "readme", None, "The table in this file is rewritten from the record."
)
_EMBEDDINGS = flags.DEFINE_bool(
    "embeddings",
    True,
    "Models are restored for Figs 2, 3 and 5 and the explorer.",
)
_DATA_DIR, _RUNS_DIR = command_line.define_folders()


def main() -> None:
    """Reads what was recorded and writes what was asked for."""
    from hyperml_tf.reproduction.reporting import compose

    compose.report(
        runs_dir=pathlib.Path(_RUNS_DIR.value),
        data_dir=pathlib.Path(_DATA_DIR.value),
        output=_path(_OUTPUT.value),
        record_path=_path(_RECORD.value),
        results_md=_path(_RESULTS_MD.value),
        readme=_path(_README.value),
        embeddings=_EMBEDDINGS.value,
    )


def _path(name: str | None) -> pathlib.Path | None:
    return pathlib.Path(name) if name else None


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
