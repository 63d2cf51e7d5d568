"""Amazon Toys and Games.

python -m hyperml_tf.train --config=run_configs/games.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.22156, 0.34877),
    "mlp": (0.21074, 0.32251),
    "ncf": (0.20959, 0.30871),
    "cml": (0.21579, 0.32524),
    "lrml": (0.20747, 0.31695),
    "hyperml": (0.23164, 0.35995),
}

TRAINING = {"epochs": 1200, "patience": 3}  # until validation stops improving

# Chosen on validation, seed 0, each the best of 12 by successive halving
# (`searches.csv`), at d 64, batch 512 and Adam: HyperML's are the defaults, and
# HyperTS has them too. + likewise of 12 to 24, at d 64 or 128, by the hardest of n
# negatives, of which MF-BPR has one.
# MLP's are the best of 6, to epoch 60; NCF has them too, with its three layers. Both
# train longer.
_POINTWISE = {
    "epochs": 300,
    "eval_every": 5,
    "patience": 10,  # validations: theirs rise slowly
    "learning_rate": 0.003,
    "dropout": 0.5,
    "l2": 0.01,
}
# Reference rows beyond the paper: each the best by validation nDCG@10 in the full
# catalogue, of 6 (ItemKNN: shrinkage 10, 50, 100, 100 neighbours or all), 2 (EASE:
# 100, 250) and 6 (iALS) settings.
_FULL = {"select_by": "full_ndcg10"}
# d, temperatures and radius are those of trials by hand, not of a search: cosine at
# .2, -d² on the sphere of radius .7 at 1.2, whose flat twin is the cosine at
# 1.2/(8 x .7²) = .31.
_SOFTMAX = _FULL | {
    "dim": 128,
    "learning_rate": 0.003,
    "epochs": 150,
    "eval_every": 15,
    "patience": 3,
}
# + with the user's items in the user's row: by validation in the full catalogue, at
# seed 0, the best of 6 (HyperML: temperatures .85, 1, 1.2 and 1.6 at radius .7; 1.4 and
# 2 at .85) and of 4 (MF, which has no radius: .13, .16, .2 and .25).
_HISTORY = {
    "dim": 256,
    "history": 1.0,
    "learning_rate_decay": 0.94,
    "epochs": 45,
    "patience": 0,
}
CHOSEN = {
    "itemknn": _FULL | {"shrinkage": 50.0, "neighbours": 100},
    "ease": _FULL | {"l2": 100.0},
    "ials": _FULL | {"dim": 256, "l2": 100.0, "alpha": 100.0},
    "mf_softmax": _SOFTMAX | {"temperature": 0.2},
    "hyperml_softmax": _SOFTMAX | {"radius": 0.7, "temperature": 1.2},
    "mf_softmax+": _HISTORY | {"temperature": 0.13},
    "hyperml_softmax+": _HISTORY | {"temperature": 0.85},
    "mlp": _POINTWISE | {"layers": 4},
    "ncf": _POINTWISE,
    "lrml": {"learning_rate": 3e-4, "margin": 0.1, "dropout": 0.2},
    "cml": {"learning_rate": 0.003},
    "cml_warp": {"learning_rate": 3e-4, "dropout": 0.2},
    "mf_bpr": {"l2": 0.02, "learning_rate": 0.003},
    "hyperml+": {
        "dim": 128,
        "c": 2.0,
        "negatives": 3,
        "negative_choice": "hardest",
    },
    "mf_bpr+": {"dim": 128},
    "cml+": {
        "learning_rate": 0.001,
        "dim": 128,
        "dropout": 0.6,
        "norm_penalty": 0.03,
        "negatives": 3,
        "negative_choice": "hardest",
        "epochs": 2400,  # at 1,200 it still rises
    },
    "hyperbolic_mf": {
        "origin_weight": 0.03,
        "c": 2.0,
        "dim": 128,
        "dropout": 0.2,
        "learning_rate": 0.003,
        "negatives": 3,
        "negative_choice": "hardest",
    },
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "games", PAPER, TRAINING, CHOSEN)
