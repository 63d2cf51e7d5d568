"""The committed configurations: `run_configs/<dataset>.py`, by dataset and model."""

import importlib.util
import pathlib
import types
from collections.abc import Mapping
from typing import Any

import ml_collections

from hyperml_tf.reproduction import FOLDER, base_of
from hyperml_tf.training.configuration import BEYOND, ConfigError

#: The paper's ten, in the order of its tables.
PAPER_DATASETS = (
    "ml20m", "ml1m", "goodbooks", "yelp", "meetup",
    "clothing", "sports", "cellphones", "games", "automotive",
)  # fmt: skip


#: The config file of datasets that have none of their own.
OWN_TABLE = FOLDER / "own_table.py"


def path_of(dataset: str) -> pathlib.Path:
    """The config file of a dataset."""
    path = FOLDER / f"{base_of(dataset)}.py"
    return path if path.exists() else OWN_TABLE


def load(dataset: str, model: str) -> ml_collections.ConfigDict:
    """The committed config of a model on a dataset, not yet resolved.

    Args:
        dataset: key; one without a file of its own has the defaults.
        model: key, or the name of settings beyond the paper, `hyperml+`.

    Raises:
        ConfigError: the file cannot be loaded, or does not know the model.
    """
    config = _module(dataset).get_config(model)
    config.dataset = dataset
    return config


def beyond(dataset: str) -> list[str]:
    """Names of a dataset's settings with options beyond the paper: `hyperml+`."""
    chosen = getattr(_module(dataset), "CHOSEN", {})
    return [name for name in chosen if name.endswith(BEYOND)]


def name_of(config: Mapping[str, Any]) -> str:
    """What a config is loaded by: its model, with a `+` where options go beyond."""
    plus = BEYOND if config["variant"].startswith(BEYOND) else ""
    return config["model"] + plus


def _module(dataset: str) -> types.ModuleType:
    path = path_of(dataset)
    spec = importlib.util.spec_from_file_location(f"run_configs.{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise ConfigError(f"no config file {path}; is this a whole checkout?")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
