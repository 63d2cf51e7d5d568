"""A small dataset with something to learn, and runs on it."""

import numpy as np
import pytest

from hyperml_tf.training import configuration as configs
from hyperml_tf.training import runs, trainer


@pytest.fixture
def tree(make_interactions, rng):
    """Forty users who like one of four branches of 160 items."""
    train_items, valid, test = [], [], []
    for user in range(40):
        branch = np.arange(user % 4, 160, 4)
        liked = rng.choice(branch, size=10, replace=False)
        train_items.append(sorted(liked[:8].tolist()))
        valid.append(liked[8])
        test.append(liked[9])
    negatives = np.stack(
        [
            rng.choice(
                np.setdiff1d(np.arange(160), [*train_items[u], valid[u], test[u]]),
                size=100,
                replace=False,
            )
            for u in range(40)
        ]
    )
    return make_interactions(train_items, 160, valid, test, negatives)


def settings(**changes):
    """A small resolved config with these fields changed."""
    config = configs.for_model(changes.pop("model", "hyperml"), dataset="memory")
    config.epochs, config.eval_every, config.batch_size, config.dim = 6, 2, 64, 8
    config.learning_rate = 0.01
    config.update(changes)
    return configs.resolve(config)


def train_run(config, data, runs_dir, seed=0, **options):
    """Its metrics, and the run."""
    run = runs.locate(runs_dir, config, data.fingerprint, seed)
    return trainer.train(config, data, run, trainer.Execution(**options)), run


def numbers(metrics):
    """What must be equal wherever bits are: all but the clocks."""
    return {key: metrics[key] for key in ("best_epoch", "valid", "test", "test_full")}
