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


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "cellphones", PAPER)
