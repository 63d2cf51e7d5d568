"""What the ten datasets cost, by hand."""

import types

import pandas as pd
import pytest

from hyperml_tf.reproduction import config_files
from hyperml_tf.reproduction.reporting import cost_frame
from hyperml_tf.training.configuration import Name


def group(*seconds):
    return types.SimpleNamespace(rows=pd.DataFrame({"seconds": seconds}))


def test_recorded_runs_and_dry_runs_add_up():
    recorded = types.SimpleNamespace(
        main={
            ("games", Name("hyperml")): group(300, 420),
            ("games", Name("hyperml", True)): group(720),
            ("games", Name("popularity")): group(0),
            ("clothing", Name("popularity")): group(0),  # nothing is trained
            ("mine", Name("hyperml")): group(1e6),  # not of the paper
        }
    )
    lines = [
        {"dataset": "yelp", "model": "cml", "seconds_per_epoch": 2.0,
         "seconds_once": 30.0, "peak_rss_mb": 700},
        {"dataset": "yelp", "model": "ease", "seconds_per_epoch": 0.0,
         "seconds_once": 90.0, "peak_rss_mb": 900},
    ]  # fmt: skip
    frame = cost_frame.of_datasets(recorded, lines).set_index("where")
    assert list(frame.index) == ["Yelp", "Games", "Together"]
    games, yelp = frame.loc["Games"], frame.loc["Yelp"]
    assert (games["kind"], games["runs"]) == ("recorded", 11)
    assert games["hours"] == pytest.approx(5 * (360 + 720) / 3600)
    assert (games["slowest"], games["slowest_hours"]) == ("HyperML +", 1.0)
    epochs = config_files.load("yelp", "cml").epochs
    assert yelp["hours"] == pytest.approx((5 * (2 * epochs + 30) + 90) / 3600)
    assert (yelp["kind"], yelp["runs"], yelp["peak_mb"]) == ("dry run", 6, 900)
    together = frame.loc["Together"]
    assert together["hours"] == pytest.approx(games["hours"] + yelp["hours"])
    assert (together["runs"], together["two"]) == (17, together["hours"] / 2)
    assert together["sixteen"] == together["hours"] / 16
