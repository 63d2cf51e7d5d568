r"""A table of one's own, prepared as --dataset=NAME.

python -m hyperml_tf.train --config=run_configs/own_table.py[:MODEL] \
    --config.dataset=NAME
"""

from hyperml_tf.training import configuration as defaults


def get_config(model="hyperml"):
    """The defaults of `model`; `config.dataset` is left for the flag to set."""
    return defaults.for_model(model)
