"""Goodbooks.

python -m hyperml_tf.train --config=run_configs/goodbooks.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.49559, 0.71033),
    "mlp": (0.48597, 0.70226),
    "ncf": (0.50823, 0.72014),
    "cml": (0.49010, 0.72556),
    "lrml": (0.50392, 0.71424),
    "hyperml": (0.51088, 0.74152),
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "goodbooks", PAPER)
