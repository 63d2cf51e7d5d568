"""Amazon Clothing, Shoes and Jewelry.

python -m hyperml_tf.train --config=run_configs/clothing.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

# nDCG@10, HR@10 of Table 2; HyperTS of Table 3.
PAPER = {
    "mf_bpr": (0.13189, 0.20509),
    "mlp": (0.13947, 0.22726),
    "ncf": (0.16809, 0.26470),
    "cml": (0.16623, 0.26371),
    "lrml": (0.16643, 0.26421),
    "hyperml": (0.17150, 0.27899),
    "hyperts": (0.17190, 0.27959),
}

# Reference rows beyond the paper: each the best by validation nDCG@10 in the full
# catalogue, of 2 settings (ItemKNN: shrinkage 50, 100) and 2 (iALS: alpha 30, 100).
# EASE has no row: to invert its 23k x 23k matrix takes too long beside other work.
_FULL = {"select_by": "full_ndcg10"}
CHOSEN = {
    "itemknn": _FULL | {"shrinkage": 100.0},
    "ials": _FULL | {"dim": 256, "l2": 100.0, "alpha": 100.0},
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "clothing", PAPER, chosen=CHOSEN)
