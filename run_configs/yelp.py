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

# Nothing was searched here, where the files cannot be had. Runs last until validation
# stops improving, and those of slow models as long as on Movie1M, the nearest in size.
TRAINING = {"epochs": 300, "eval_every": 10, "patience": 5}
_POINTWISE = {"epochs": 20, "eval_every": 2, "dropout": 0.0}
_SOFTMAX = {"epochs": 45, "eval_every": 3, "select_by": "full_ndcg10"}
CHOSEN = {
    "mf_softmax": _SOFTMAX,
    "hyperml_softmax": _SOFTMAX,
    "mlp": _POINTWISE,
    "ncf": _POINTWISE,
    "lrml": {"learning_rate": 3e-4, "margin": 0.1, "epochs": 60, "eval_every": 5},
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "yelp", PAPER, TRAINING, CHOSEN)
