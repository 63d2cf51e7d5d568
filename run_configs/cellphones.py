"""Amazon Cell Phones and Accessories.

python -m hyperml_tf.train --config=run_configs/cellphones.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2; HyperTS of Table 3.
PAPER = {
    "mf_bpr": (0.26483, 0.37434),
    "mlp": (0.25732, 0.37677),
    "ncf": (0.22496, 0.32697),
    "cml": (0.19320, 0.29746),
    "lrml": (0.20177, 0.30999),
    "hyperml": (0.29325, 0.42921),
    "hyperts": (0.29933, 0.43532),
}

# Until validation stops improving; that of HyperML still rises at 1,200.
TRAINING = {"epochs": 1200, "patience": 3}

# Chosen on validation, seed 0, by successive halving to epoch 300 (`searches.csv`):
# MF-BPR and CML each the best of 12, LRML of 6, CML (WARP) of 7, at d 64, batch 512 and
# Adam. HyperML's are the defaults: the best of the search of 12, and a second, fall
# behind them by epoch 1,200. HyperTS has them too. + and Hyperbolic MF likewise of 6,
# at d 128, with the hardest of up to 10 negatives.
_BEYOND = {"dim": 128, "negatives": 5, "negative_choice": "hardest"}
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
# catalogue, of 5 settings (ItemKNN: shrinkage 10, 50, 100, 100 neighbours or all), 2
# (EASE: 100, 250) and 2 (iALS: alpha 30, 100).
_FULL = {"select_by": "full_ndcg10"}
# Not searched here: d, rate, temperatures and radius are those of Games.
_SOFTMAX = _FULL | {
    "dim": 128,
    "learning_rate": 0.003,
    "epochs": 45,
    "eval_every": 15,
}
_HISTORY = {"dim": 256, "history": 1.0, "learning_rate_decay": 0.94}
CHOSEN = {
    "itemknn": _FULL | {"shrinkage": 100.0},
    "ease": _FULL | {"l2": 100.0},
    "ials": _FULL | {"dim": 256, "l2": 100.0, "alpha": 30.0},
    "mlp": _POINTWISE,
    "ncf": _POINTWISE,
    "mf_bpr": {"l2": 0.03, "learning_rate": 0.003},
    "cml": {"learning_rate": 0.01, "dropout": 0.2},
    "lrml": {
        "learning_rate": 3e-4,
        "margin": 0.2,
        "dropout": 0.0,
        "epochs": 300,
        "eval_every": 25,
    },
    "cml_warp": {
        "learning_rate": 3e-4,
        "dropout": 0.2,
        "epochs": 300,
        "eval_every": 5,
        "patience": 10,
    },
    "hyperml+": _BEYOND
    | {
        "c": 2.0,
        "learning_rate": 0.001,
        "distortion_weight": 0.1,
        "margin": 0.5,
        "dropout": 0.5,
    },
    "cml+": _BEYOND | {"learning_rate": 0.001, "dropout": 0.4, "norm_penalty": 0.1},
    "mf_bpr+": {
        "dim": 128,
        "l2": 0.02,
        "negatives": 2,
        "negative_choice": "hardest",
    },
    "hyperbolic_mf": _BEYOND
    | {"negatives": 3, "origin_weight": 0.03, "learning_rate": 0.003},
    "mf_softmax": _SOFTMAX | {"temperature": 0.2},
    "hyperml_softmax": _SOFTMAX | {"radius": 0.7, "temperature": 1.2},
    "mf_softmax+": _SOFTMAX | _HISTORY | {"temperature": 0.13},
    "hyperml_softmax+": _SOFTMAX | _HISTORY | {"temperature": 0.85},
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "cellphones", PAPER, TRAINING, CHOSEN)
