"""What `run_configs/` says of a model on a dataset: settings and the paper's numbers.

The one module of the tables that needs TensorFlow: the configs check themselves
against the registry of models.
"""

import functools
from collections.abc import Mapping
from typing import Any

from hyperml_tf.reproduction import config_files
from hyperml_tf.training import configuration as configs
from hyperml_tf.training.configuration import Name


@functools.cache
def settings(dataset: str, name: str | Name) -> Mapping[str, Any] | None:
    """The resolved committed settings; None where no file has them."""
    try:
        return configs.resolve(config_files.load(dataset, name)).identity
    except configs.ConfigError:
        return None


@functools.cache
def published(dataset: str, name: str | Name) -> Mapping[str, float]:
    """nDCG@10 and HR@10 that the paper prints, as fractions; empty without."""
    try:
        return dict(config_files.load(dataset, name).paper)
    except (configs.ConfigError, AttributeError):
        return {}
