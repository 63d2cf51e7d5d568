"""MovieLens 100K, the demo; not in the paper.

python -m hyperml_tf.train --config=run_configs/ml100k.py[:MODEL]
"""

from hyperml_tf.experiments import config as defaults


def get_config(model="hyperml"):
    """Settings of `model` on this dataset."""
    config = defaults.for_model(model, dataset="ml100k")
    if model == "popularity":
        return config
    config.epochs = 60  # validation is flat by then
    config.eval_every = 10
    if model == "mf_bpr":
        config.l2 = 0.001  # a few tries on validation
    else:
        config.dropout = 0.0  # likewise; dense data
        config.learning_rate = 5e-4  # likewise
    return config
