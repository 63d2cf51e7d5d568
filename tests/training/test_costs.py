"""What finished runs took, as the benchmark tells it."""

from hyperml_tf.reproduction import costs
from hyperml_tf.training import configuration as configs
from tests.training.conftest import settings, train_run


def test_each_finished_run_says_what_it_took(tree, tmp_path):
    _, run = train_run(settings(epochs=3), tree, tmp_path)
    fitted = configs.resolve(configs.for_model("itemknn", "memory"))
    train_run(fitted, tree, tmp_path)
    train_run(settings(), tree.unsplit(), tmp_path)  # has no metric
    fitted, trained = sorted(costs.of_runs(tmp_path), key=lambda c: c["epochs"])
    assert (fitted["model"], trained["model"]) == ("itemknn", "hyperml")
    assert fitted["seconds_per_epoch"] == 0 < fitted["seconds_once"]
    assert trained["epochs"] == 3 and trained["dim"] == run.config["dim"]
    assert 3 * trained["seconds_per_epoch"] <= run.metrics["seconds"] + 0.002
    # TensorFlow and what else is in this process.
    assert 100 < trained["peak_rss_mb"] < 20_000
