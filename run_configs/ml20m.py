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

# Nothing was searched here, where the files cannot be had. Runs last until validation
# stops improving, and those of slow models as long as on Movie1M, the nearest in size.
TRAINING = {"epochs": 100, "eval_every": 5, "patience": 3}
_POINTWISE = {"epochs": 20, "eval_every": 2, "dropout": 0.0}
_SOFTMAX = {"epochs": 12, "eval_every": 3, "select_by": "full_ndcg10"}
CHOSEN = {
    "mf_softmax": _SOFTMAX,
    "hyperml_softmax": _SOFTMAX,
    "mlp": _POINTWISE,
    "ncf": _POINTWISE,
    "lrml": {"learning_rate": 3e-4, "margin": 0.1, "epochs": 60, "eval_every": 5},
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "ml20m", PAPER, TRAINING, CHOSEN)
