"""MovieLens 100K, the demo; not in the paper.

python -m hyperml_tf.train --config=run_configs/ml100k.py[:MODEL]
"""

from hyperml_tf.training import configuration as defaults

TRAINING = {"epochs": 60, "eval_every": 10}  # validation is flat by then

# Of a few tries by hand on validation; the data are dense.
_DENSE = ("hyperml", "hyperts", "cml", "cml_warp", "lrml", "gmf", "mlp", "ncf")
CHOSEN = {model: {"dropout": 0.0, "learning_rate": 5e-4} for model in _DENSE}
CHOSEN["mf_bpr"] = {"l2": 0.001}


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, "ml100k", None, TRAINING, CHOSEN)
