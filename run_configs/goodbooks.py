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

# Nothing was searched here, where the files cannot be had. Runs last until validation
# stops improving, and those of slow models as long as on Movie1M, the nearest in size.
TRAINING = {"epochs": 150, "eval_every": 10, "patience": 3}
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
    return defaults.for_model(model, "goodbooks", PAPER, TRAINING, CHOSEN)
