"""Opens finished runs again: config, data, and the model as selected."""

import pathlib
import re

import tensorflow as tf

from hyperml_tf.data import prepared
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.models.base import Recommender
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory, storage
from hyperml_tf.training.configuration import Configuration
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.trainer import seeds


def find(folder: str | None, flag: str = "--run") -> Run:
    """The run in a folder.

    Args:
        folder: as a flag names it.
        flag: which.

    Raises:
        InputError: not the folder of a finished run.
    """
    if not folder:
        raise InputError(f"{flag}=FOLDER is missing, e.g. runs/games/hyperml/…/seed-0")
    run = Run(pathlib.Path(folder).absolute())
    if not run.done:
        raise InputError(
            f"{folder} is not a finished run: it has no metrics.json; finish it with "
            "hyperml_tf.train, or name another"
        )
    if not re.fullmatch(r"seed-\d+", run.folder.name):
        raise InputError(f"{folder} must be named as the run was: seed-0, seed-1, …")
    return run


def open_run(
    folder: str | None, data_dir: str
) -> tuple[Configuration, Interactions, Run]:
    """Config, data and run of a finished run's folder.

    Raises:
        InputError: not the folder of a finished run, or its dataset is not prepared
            as it was.
    """
    run = find(folder)
    config = configs.recorded(run.config)
    data = prepared.load(config.dataset, data_dir)
    if run.on_all_data:
        data = data.unsplit()
    trained_on = run.environment.get("data_fingerprint", "")
    if data.fingerprint != trained_on:
        raise InputError(
            f"{pathlib.Path(data_dir, data.name)} is not what {folder} was trained on "
            f"(fingerprint {data.fingerprint[:12]}, not {trained_on[:12]}); prepare "
            "it again from the files and with the seed of that run"
        )
    return config, data, run


def restored(config, interactions: Interactions, run: Run) -> Recommender:
    """The model of a finished run with the weights of its best epoch."""
    model = factory.build_model(config, interactions, seeds(run.seed)[0])
    if config.definition.trains:
        read_best(model, run)
    return model


def read_best(model: Recommender, run: Run) -> None:
    """Gives a model of the run's sizes the weights of the run's best epoch.

    Raises:
        InputError: the checkpoint is damaged, or another model's.
    """
    folder = run.folder / "checkpoints"
    with storage.reading(folder, f"remove {run.folder} and train it again"):
        status = tf.train.Checkpoint(model=model).read(str(folder / "best"))
        # The optimizer's part is not wanted.
        status.assert_existing_objects_matched().expect_partial()
