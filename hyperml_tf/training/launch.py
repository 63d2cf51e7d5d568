"""Trains a run, after the runs that it starts from; settings like another's."""

import dataclasses
import pathlib

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.models import Recommender
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import finished, runs, trainer
from hyperml_tf.training.configuration import Configuration
from hyperml_tf.training.origin import Origin
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.trainer import Execution


def launch(
    config: Configuration,
    data: Interactions,
    runs_dir: str | pathlib.Path,
    seed: int,
    execution: Execution | None = None,
    origin: Origin | None = None,
) -> dict | None:
    """Trains `config`, pre-training its parts first where it has any.

    A part is a run of its own in the same runs folder: trained if it is not there,
    waited for if another process trains it, and shared with whoever needs it.

    Args:
        config: resolved config.
        data: the prepared dataset.
        runs_dir: the folder of all runs.
        seed: of the run and its parts.
        execution: how to do the run; its parts are never spread or stopped.
        origin: the finished run that it starts from, in the place of parts.

    Returns:
        The run's metrics; None if `execution` left it unfinished.

    Raises:
        InputError: the weights of `origin` are of no use here.
    """
    execution = execution or Execution()
    if origin:
        origin.check(config, data)
        started = {**config.departures, configs.STARTED: origin.run.name}
        config = dataclasses.replace(config, departures=started)
        run = runs.locate(runs_dir, config, data.fingerprint, seed, origin.run)

        def carry_over(model: Recommender) -> None:
            origin.carry_over(model, data)

        return trainer.train(config, data, run, execution, carry_over)
    run = runs.locate(runs_dir, config, data.fingerprint, seed)
    parts: list[Recommender] = []
    for part in part_configs(config) if not run.done else ():
        part_run = runs.locate(runs_dir, part, data.fingerprint, seed)
        alone = Execution(kernel=execution.kernel, wait=True)
        trainer.train(part, data, part_run, alone)
        parts.append(finished.restored(part, data, part_run))

    def join(model: Recommender) -> None:
        model.start_from(*parts)

    return trainer.train(config, data, run, execution, join if parts else None)


def like(run: Run) -> Configuration:
    """The settings of a finished run, with as many epochs as its best one.

    Raises:
        InputError: the model starts from parts, which had best epochs of their own.
    """
    config = configs.completed(configs.recorded(run.config))
    if part_configs(config):
        raise InputError(
            f"--like={run.folder}: {config.model} starts from models that are trained "
            "before it, each with a best epoch of its own; give --all_data with "
            "--config=FILE and --config.epochs=N"
        )
    epochs = int(run.metrics["best_epoch"])
    # What that run started from is not taken over.
    swept = {k: v for k, v in config.departures.items() if k != configs.STARTED}
    return dataclasses.replace(
        config, settings={**config.settings, "epochs": epochs}, departures=swept
    )


def part_configs(config: Configuration) -> list[Configuration]:
    """Configurations of a model's parts: the options they share with it, by Adam."""
    if not config.get("pretrained", True):
        return []
    parts = []
    for definition in config.definition.parts:
        part = configs.for_model(definition.key, config.dataset)
        shared = definition.defaults.keys() & config.settings.keys() - {"optimizer"}
        part.update({name: config.settings[name] for name in shared})
        parts.append(configs.resolve(part))
    return parts
