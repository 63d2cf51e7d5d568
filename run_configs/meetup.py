"""Meetup, NYC.

python -m hyperml_tf.train --config=run_configs/meetup.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2; HyperTS of Table 3.
PAPER = {
    "mf_bpr": (0.48359, 0.62468),
    "mlp": (0.43310, 0.55616),
    "ncf": (0.52334, 0.62210),
    "cml": (0.51453, 0.60589),
    "lrml": (0.50208, 0.61347),
    "hyperml": (0.54633, 0.67304),
    "hyperts": (0.54612, 0.67277),
}

TRAINING = {"epochs": 2000, "patience": 3}  # until validation stops improving

# Chosen on validation, seed 0, each the best of 12 by successive halving to epoch 300
# (`searches.csv`), at d 64, batch 512 and Adam; HyperTS has HyperML's. + likewise
# of 18 to 33, at d 64 or 128, with the hardest of up to 10 negatives.
_HYPERBOLIC = {
    "learning_rate": 3e-4,
    "distortion_weight": 0.25,
    "margin": 0.1,
    "dropout": 0.2,
}
# Not searched here: what MLP's search on Games chose, with NCF's three layers.
_POINTWISE = {
    "epochs": 300,  # at 40 both still rise
    "eval_every": 5,
    "learning_rate": 0.003,
    "dropout": 0.5,
    "l2": 0.01,
}
# Reference rows beyond the paper: each the best by validation nDCG@10 in the full
# catalogue, of 4 settings (ItemKNN: shrinkage 10, 50, 100 neighbours or all) and 4 or 6
# (iALS: d 128, 256, l2 10, 30, alpha 10 to 100, the largest of which is the best).
# EASE's is that of Games: its matrices of 17k items are slow to invert.
_FULL = {"select_by": "full_ndcg10"}
# Not searched here: d, rate, temperatures and radius are those of Games.
_SOFTMAX = _FULL | {
    "dim": 128,
    "learning_rate": 0.003,
    "epochs": 90,
    "eval_every": 15,
    "patience": 3,
}
CHOSEN = {
    "itemknn": _FULL | {"shrinkage": 10.0},
    "ease": _FULL | {"l2": 100.0},
    "ials": _FULL | {"dim": 256, "l2": 30.0, "alpha": 100.0},
    "mf_softmax": _SOFTMAX | {"temperature": 0.2},
    "hyperml_softmax": _SOFTMAX | {"radius": 0.7, "temperature": 1.2},
    "mlp": _POINTWISE,
    "ncf": _POINTWISE,
    "lrml": {
        "learning_rate": 3e-4,
        "margin": 0.2,
        "dropout": 0.0,
        "epochs": 300,
        "eval_every": 10,
    },
    "hyperml": _HYPERBOLIC,
    "hyperts": _HYPERBOLIC,
    "cml": {"learning_rate": 0.003},
    "cml_warp": {"learning_rate": 3e-4, "dropout": 0.2},
    "mf_bpr": {"l2": 0.01, "learning_rate": 0.003},
    "mf_bpr+": {
        "dim": 128,
        "negatives": 3,
        "negative_choice": "hardest",
    },
    "hyperml+": {
        "dim": 128,
        "distortion_weight": 0.4,
        "margin": 0.5,
        "dropout": 0.4,
        "negatives": 10,
        "negative_choice": "hardest",
    },
    "cml+": {
        "learning_rate": 0.001,
        "dim": 128,
        "dropout": 0.3,
        "norm_penalty": 0.1,
        "negatives": 5,
        "negative_choice": "hardest",
    },
    "hyperbolic_mf": {
        "origin_weight": 0.01,
        "c": 0.5,
        "dim": 128,
        "learning_rate": 0.003,
        "negatives": 5,
        "negative_choice": "hardest",
    },
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "meetup", PAPER, TRAINING, CHOSEN)
