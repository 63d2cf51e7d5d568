"""Yelp (2018 challenge).

python -m hyperml_tf.train --config=run_configs/yelp.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.56443, 0.77926),
    "mlp": (0.52777, 0.75784),
    "ncf": (0.53078, 0.72757),
    "cml": (0.54996, 0.77122),
    "lrml": (0.54719, 0.76764),
    "hyperml": (0.59543, 0.81392),
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "yelp", PAPER)
