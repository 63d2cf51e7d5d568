"""Amazon Automotive.

python -m hyperml_tf.train --config=run_configs/automotive.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.20433, 0.31707),
    "mlp": (0.16789, 0.27685),
    "ncf": (0.17340, 0.28441),
    "cml": (0.17556, 0.27985),
    "lrml": (0.16492, 0.26124),
    "hyperml": (0.24736, 0.37324),
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "automotive", PAPER)
