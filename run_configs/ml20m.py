"""MovieLens 20M.

python -m hyperml_tf.train --config=run_configs/ml20m.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.63462, 0.82206),
    "mlp": (0.62500, 0.84380),
    "ncf": (0.59485, 0.81859),
    "cml": (0.62664, 0.85571),
    "lrml": (0.63775, 0.81327),
    "hyperml": (0.64042, 0.87363),
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "ml20m", PAPER)
