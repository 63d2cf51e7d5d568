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

TRAINING = {}

# Dense data: dropout 0.5 lowers validation nDCG@10.
_DENSE = ("hyperml", "hyperts", "cml", "cml_warp", "lrml", "gmf", "mlp", "ncf")
CHOSEN = {model: {"dropout": 0.0} for model in _DENSE} | {"mf_bpr": {"l2": 0.001}}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "ml1m", PAPER, TRAINING, CHOSEN)
