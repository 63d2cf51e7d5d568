"""Writes tables, figures and report.html, from recorded runs only.

python -m hyperml_tf.report --runs_dir=runs --output=report
python -m hyperml_tf.report --record=run_configs/results.csv   updates the record too
python -m hyperml_tf.report --docs          writes README.md, RESULTS.md and docs/ only
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
_DOCS = flags.DEFINE_bool(
    "docs", False, "README.md, RESULTS.md and docs/ are written, and nothing else."
)
_EMBEDDINGS = flags.DEFINE_bool(
    "embeddings",
    True,
    "Models are restored for the disks, the explorer, coverage and novelty.",
)
_DATA_DIR, _RUNS_DIR = command_line.define_folders()


def main() -> None:
    """Reads what was recorded and writes what was asked for."""
    from hyperml_tf.reproduction import config_files
    from hyperml_tf.reproduction.reporting import compose

    compose.report(
        runs_dir=pathlib.Path(_RUNS_DIR.value),
        data_dir=pathlib.Path(_DATA_DIR.value),
        output=None if _DOCS.value else _path(_OUTPUT.value),
        record_path=_path(_RECORD.value),
        docs=config_files.FOLDER.parent if _DOCS.value else None,
        embeddings=_EMBEDDINGS.value,
    )


def _path(name: str | None) -> pathlib.Path | None:
    return pathlib.Path(name) if name else None


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
