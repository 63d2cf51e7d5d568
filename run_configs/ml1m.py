"""MovieLens 1M.

python -m hyperml_tf.train --config=run_configs/ml1m.py[:MODEL]
"""

from hyperml_tf.experiments import config as defaults

# nDCG@10, HR@10 of Table 2.
PAPER = {
    "mf_bpr": (0.55173, 0.74057),
    "mlp": (0.54851, 0.73812),
    "ncf": (0.55503, 0.74127),
    "cml": (0.55737, 0.74528),
    "lrml": (0.54057, 0.73358),
    "hyperml": (0.56197, 0.75629),
}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    config = defaults.for_model(model, dataset="ml1m", paper=PAPER.get(model))
    if model == "mf_bpr":
        config.l2 = 0.001  # best validation nDCG@10 of a few tries by hand
    if "dropout" in config and model != "mf_bpr":
        config.dropout = 0.0  # dense data: 0.5 lowers validation nDCG@10
    return config
