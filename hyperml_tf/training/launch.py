"""Trains a run, after the runs that it starts from."""

import pathlib

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import finished, runs, trainer
from hyperml_tf.training.configuration import Configuration
from hyperml_tf.training.strategy import Distribution


def launch(
    config: Configuration,
    data: Interactions,
    runs_dir: str | pathlib.Path,
    seed: int,
    stop_epoch: int | None = None,
    kernel: str = "auto",
    wait: bool = False,
    distribution: Distribution | None = None,
) -> dict | None:
    """Trains `config`, pre-training its parts first where it has any.

    A part is a run of its own in the same runs folder: trained if it is not there,
    waited for if another process trains it, and shared with whoever needs it.

    Returns:
        The run's metrics; None if `stop_epoch` left it unfinished.
    """
    run = runs.locate(runs_dir, config, data.fingerprint, seed)
    parts = []
    for part in part_configs(config) if not run.done else ():
        part_run = runs.locate(runs_dir, part, data.fingerprint, seed)
        trainer.train(part, data, part_run, wait=True, kernel=kernel)
        parts.append(finished.restored(part, data, part_run))
    return trainer.train(
        *(config, data, run, parts, wait, stop_epoch, kernel), distribution=distribution
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
