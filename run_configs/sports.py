"""Amazon Sports and Outdoors.

python -m hyperml_tf.train --config=run_configs/sports.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2; HyperTS of Table 3.
PAPER = {
    "mf_bpr": (0.26130, 0.38553),
    "mlp": (0.24431, 0.37015),
    "ncf": (0.20268, 0.30232),
    "cml": (0.19211, 0.30197),
    "lrml": (0.22938, 0.33667),
    "hyperml": (0.34576, 0.48262),
    "hyperts": (0.31896, 0.45272),
}

TRAINING = {"epochs": 2000, "patience": 3}  # until validation stops improving

# Chosen on validation, seed 0, each the best of 12 (LRML 14) by successive halving
# (`searches.csv`), at d 64, batch 512 and Adam; HyperTS has HyperML's. + likewise
# of 20 (CML 27, HyperML 28), at d 64 or 128, with the hardest of up to 10 negatives.
_HYPERBOLIC = {
    "learning_rate": 3e-4,
    "distortion_weight": 0.25,
    "margin": 0.1,
    "dropout": 0.2,
}
# Not searched here: what MLP's search on Games chose, with NCF's three layers.
_POINTWISE = {
    "epochs": 300,
    "eval_every": 5,
    "patience": 10,  # validations: theirs rise slowly
    "learning_rate": 0.003,
    "dropout": 0.5,
    "l2": 0.01,
}
# Reference rows beyond the paper: each the best by validation nDCG@10 in the full
# catalogue, of 5 settings (ItemKNN: shrinkage 10, 50, 100, 100 neighbours or all) and 2
# (iALS: alpha 30, 100). EASE's is that of Games: its matrices of 18k items are slow to
# invert.
_FULL = {"select_by": "full_ndcg10"}
CHOSEN = {
    "itemknn": _FULL | {"shrinkage": 50.0},
    "ease": _FULL | {"l2": 100.0},
    "ials": _FULL | {"dim": 256, "l2": 100.0, "alpha": 100.0},
    "mlp": _POINTWISE,
    "ncf": _POINTWISE,
    "lrml": {
        "learning_rate": 3e-4,
        "margin": 0.1,
        "dropout": 0.2,
        "patience": 5,  # its validation falls for 100 epochs before it rises
    },
    "hyperml": _HYPERBOLIC,
    "hyperts": _HYPERBOLIC,
    "cml": {"learning_rate": 0.01, "dropout": 0.2},
    "cml_warp": {"learning_rate": 3e-4, "dropout": 0.2},
    "mf_bpr": {"l2": 0.03, "learning_rate": 0.003},
    "hyperbolic_mf": {"origin_weight": 0.02, "dim": 128, "learning_rate": 0.002},
    "mf_bpr+": {"l2": 0.02, "dim": 128},
    "cml+": {
        "learning_rate": 0.001,
        "dim": 128,
        "dropout": 0.4,
        "norm_penalty": 0.1,
        "negatives": 5,
        "negative_choice": "hardest",
    },
    "hyperml+": {
        "dim": 128,
        "c": 2.0,
        "learning_rate": 0.001,
        "margin": 0.5,
        "distortion_weight": 0.1,
        "dropout": 0.4,
        "negatives": 5,
        "negative_choice": "hardest",
    },
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "sports", PAPER, TRAINING, CHOSEN)
