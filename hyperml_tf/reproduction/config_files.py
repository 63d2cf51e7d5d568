"""The committed configurations: `run_configs/<dataset>.py`, by dataset and model."""

import importlib.util
import pathlib
import types

import ml_collections

from hyperml_tf.reproduction import FOLDER, base_of
from hyperml_tf.training.configuration import ConfigError, Name, parse_name

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


def load(dataset: str, name: str | Name) -> ml_collections.ConfigDict:
    """The committed config of a model on a dataset, not yet resolved.

    Args:
        dataset: key; one without a file of its own has the defaults.
        name: a model, or its settings beyond the paper, in text `hyperml+`.

    Raises:
        ConfigError: the file cannot be loaded, or does not know the model.
    """
    config = _module(dataset).get_config(str(name))
    config.dataset = dataset
    return config


def beyond(dataset: str) -> list[Name]:
    """A dataset's settings with options beyond the paper."""
    names = map(parse_name, getattr(_module(dataset), "CHOSEN", {}))
    return [name for name in names if name.beyond]


def _module(dataset: str) -> types.ModuleType:
    path = path_of(dataset)
    spec = importlib.util.spec_from_file_location(f"run_configs.{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise ConfigError(f"no config file {path}; is this a whole checkout?")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
