"""Amazon Toys and Games.

python -m hyperml_tf.train --config=run_configs/games.py[:MODEL]
"""

from hyperml_tf.experiments import config as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.22156, 0.34877),
    "mlp": (0.21074, 0.32251),
    "ncf": (0.20959, 0.30871),
    "cml": (0.21579, 0.32524),
    "lrml": (0.20747, 0.31695),
    "hyperml": (0.23164, 0.35995),
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    config = defaults.for_model(model, dataset="games", paper=PAPER.get(model))
    if model == "popularity":
        return config
    config.epochs, config.patience = 600, 3  # until validation stops improving
    if model == "mf_bpr":
        config.l2 = 0.03  # of .01, .03, .05: best validation nDCG@10, seed 0
    # hyperml: the defaults were the best of 12 by successive halving, seed 0.
    # cml: the best of (rate, dropout) = (.001, .5), (.001, .2), (.01, .5), seed 0.
    return config
