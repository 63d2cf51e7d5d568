"""Run folders written by hand, as training writes them."""

import json

import numpy as np
import pytest

from hyperml_tf.training.run_folder import Run

ENVIRONMENT = {
    "commit": "abc123", "device": "CPU", "kernel": "tensorflow", "python": "3.11.7",
    "versions": {"tensorflow": "2.20.0"},
}  # fmt: skip
HISTORY = """epoch,seconds,loss/total,valid/hr10,valid/ndcg10,ball/max_norm
1,0.5,0.9,,,
2,1.0,0.7,{hr},{ndcg},0.5
"""


def scores(ndcg, hr):
    return {"ndcg10": ndcg, "hr10": hr, "ndcg10_method0": ndcg + 0.01}


@pytest.fixture
def make_run(tmp_path):
    """Writes a finished run under `<tmp_path>/runs` and returns it."""

    def make(
        dataset="games", model="hyperml", config_hash="aaaaaaaaaaaa", seed=0,
        ndcg=0.25, hr=0.40, valid=None, ranks=None, **settings,
    ):  # fmt: skip
        folder = tmp_path / "runs" / dataset / model / config_hash / f"seed-{seed}"
        folder.mkdir(parents=True)
        run = Run(folder)
        config = {"dataset": dataset, "model": model, "variant": "", "epochs": 2}
        run.write_json("config.json", config | settings)
        run.write_json("environment.json", ENVIRONMENT)
        (folder / "history.csv").write_text(HISTORY.format(ndcg=ndcg, hr=hr))
        if ranks is not None:
            np.save(folder / "test_ranks.npy", np.asarray(ranks, np.float32))
        run.write_json(
            "metrics.json",
            {
                "best_epoch": 2, "epochs": 2, "seconds": 60.0,
                "valid": scores(valid or ndcg, hr),
                "test": scores(ndcg, hr),
                "test_full": scores(ndcg / 10, hr / 10),
            },
        )  # fmt: skip
        return run

    return make


@pytest.fixture
def write_stats(tmp_path):
    """Writes `<tmp_path>/data/<dataset>/stats.json` and returns the data folder."""

    def write(dataset, **stats):
        folder = tmp_path / "data" / dataset
        folder.mkdir(parents=True)
        (folder / "stats.json").write_text(json.dumps(stats))
        return tmp_path / "data"

    return write
