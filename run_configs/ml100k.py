"""MovieLens 100K, the demo; not in the paper.

python -m hyperml_tf.train --config=run_configs/ml100k.py[:MODEL]
"""

from hyperml_tf.experiments import config as defaults


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    return defaults.for_model(model, dataset="ml100k")
