"""MovieLens 1M.

python -m hyperml_tf.train --config=run_configs/ml1m.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.55173, 0.74057),
    "mlp": (0.54851, 0.73812),
    "ncf": (0.55503, 0.74127),
    "cml": (0.55737, 0.74528),
    "lrml": (0.54057, 0.73358),
    "hyperml": (0.56197, 0.75629),
}

# Until validation stops improving.
TRAINING = {"epochs": 300, "eval_every": 10, "patience": 5}

# Chosen on validation, seed 0, each the best of 12 by successive halving
# (`searches.csv`), at d 64, batch 512 and Adam: HyperML's without distortion, CML's
# and MF-BPR's the defaults without dropout and L2. HyperTS has HyperML's. + likewise of
# 12 (HyperML and CML 29, MF-BPR 24), by the hardest of n negatives. MLP's are
# the best of 4, to epoch 20; NCF has them too.
_HYPERBOLIC = {
    "learning_rate": 3e-4,
    "distortion_weight": 0.0,
    "margin": 0.2,
    "dropout": 0.2,
}
# By SGD the best of 8 (`searches.csv`), trained on until validation stops improving.
_BY_SGD = _HYPERBOLIC | {"learning_rate": 0.75, "epochs": 600}
_HARDEST = {
    "negative_choice": "hardest",
    "negatives": 5,
    "dim": 128,
    "learning_rate": 0.001,
    "learning_rate_decay": 0.98,
    "epochs": 150,
}
_POINTWISE = {"epochs": 20, "eval_every": 2, "dropout": 0.0}  # they learn in fewer
# Reference rows beyond the paper: each the best by validation nDCG@10 in the full
# catalogue, of 9 settings (ItemKNN: shrinkage 0, 10, 50, 20 or 100 neighbours or all),
# 4 (EASE: 100 to 1,000) and 10 (iALS: d 64, 128, l2 30 to 300, alpha 3 to 30).
_FULL = {"select_by": "full_ndcg10"}
CHOSEN = {
    "itemknn": _FULL | {"shrinkage": 50.0, "neighbours": 20},
    "ease": _FULL | {"l2": 250.0},
    "ials": _FULL | {"dim": 128, "l2": 100.0, "alpha": 10.0},
    "cml": {"dropout": 0.0},
    "cml_warp": {"learning_rate": 3e-4, "dropout": 0.2},
    "lrml": {
        "learning_rate": 3e-4,
        "margin": 0.1,
        "dropout": 0.0,
        "epochs": 60,
        "eval_every": 2,  # best at epoch 8; it falls from then on
    },
    "mlp": _POINTWISE,
    "ncf": _POINTWISE,
    "hyperml": _HYPERBOLIC,
    "hyperml_sgd": _BY_SGD,
    "hyperts": _HYPERBOLIC,
    "mf_bpr": {"l2": 0.0},
    "hyperml+": _HARDEST | {"negatives": 10, "distortion_weight": 0.15, "margin": 0.5},
    "cml+": _HARDEST | {"negatives": 10, "dropout": 0.2, "norm_penalty": 0.03},
    "mf_bpr+": _HARDEST | {"l2": 0.001},
    "hyperbolic_mf": _HARDEST | {"origin_weight": 3e-4, "c": 2.0},
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "ml1m", PAPER, TRAINING, CHOSEN)
