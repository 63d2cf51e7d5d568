"""Finds runs in the runs folder, by config or all of them."""

import pathlib

from hyperml_tf.training.configuration import Configuration, config_hash
from hyperml_tf.training.run_folder import Run


def locate(
    runs_dir: str | pathlib.Path,
    config: Configuration,
    fingerprint: str,
    seed: int,
    origin: Run | None = None,
) -> Run:
    """The run of a configuration on data of this fingerprint.

    Args:
        runs_dir: the folder of all runs.
        config: resolved.
        fingerprint: of the data.
        seed: of the run.
        origin: the run whose weights it starts from, if it does.
    """
    folder = pathlib.Path(runs_dir) / config.dataset / config.model
    digest = config_hash(config, fingerprint, origin.name if origin else "")
    return Run(folder.absolute() / digest / f"seed-{seed}")


def finished(runs_dir: str | pathlib.Path) -> list[Run]:
    """All finished runs, ordered by path."""
    found = pathlib.Path(runs_dir).absolute().glob("*/*/*/seed-*/metrics.json")
    return sorted((Run(path.parent) for path in found), key=lambda run: run.folder)
