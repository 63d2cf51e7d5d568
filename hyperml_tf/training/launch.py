"""Trains a run, after the runs that it starts from."""

import pathlib

import ml_collections

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import finished, runs, trainer
from hyperml_tf.training.strategy import Distribution


def launch(
    config: ml_collections.FrozenConfigDict,
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


def part_configs(
    config: ml_collections.FrozenConfigDict,
) -> list[ml_collections.FrozenConfigDict]:
    """Configs of NCF's two parts: the fields they share with it, trained by Adam."""
    if not config.get("pretrained", False):
        return []
    parts = []
    for model in ("gmf", "mlp"):
        part = configs.for_model(model, config.dataset)
        labels = ("model", "optimizer", "variant", "paper")
        part.update({k: config[k] for k in part if k in config and k not in labels})
        parts.append(configs.resolve(part))
    return parts
