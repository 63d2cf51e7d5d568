r"""A table of one's own, prepared as --dataset=NAME.

python -m hyperml_tf.train --config=run_configs/own_table.py[:MODEL] \
    --config.dataset=NAME
"""

from hyperml_tf.training import configuration as defaults

# How long a model takes on a table that nobody has seen yet is not known: training
# ends when five validations in a row were no better than the best before them.
TRAINING = {"eval_every": 10, "patience": 5}


def get_config(model="hyperml"):
    """The defaults of `model`; `config.dataset` is left for the flag to set."""
    return defaults.for_model(model, training=TRAINING)
