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

# Reference rows beyond the paper: each the best by validation nDCG@10 in the full
# catalogue, of 5 settings (ItemKNN: shrinkage 10, 50, 100, 100 neighbours or all), 2
# (EASE: 100, 250) and 2 (iALS: alpha 30, 100).
_FULL = {"select_by": "full_ndcg10"}
CHOSEN = {
    "itemknn": _FULL | {"shrinkage": 100.0},
    "ease": _FULL | {"l2": 100.0},
    "ials": _FULL | {"dim": 256, "l2": 100.0, "alpha": 30.0},
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "cellphones", PAPER, chosen=CHOSEN)
