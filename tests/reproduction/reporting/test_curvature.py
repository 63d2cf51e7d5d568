"""What curvature gains beside δ, by hand."""

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from hyperml_tf.reproduction import hyperbolicity
from hyperml_tf.reproduction.reporting import curvature, groups, pictures
from tests.reproduction.reporting.test_groups import rows

KNOWN = pd.DataFrame(
    [["games", 0.6, 0.1, 1.0], ["ml1m", 0.7, 0.1, 0.9]], columns=curvature.COLUMNS
)


def recorded():
    table = rows(
        ("hyperml", "a", 0, 0.30), ("hyperml", "a", 1, 0.34), ("cml", "b", 0, 0.25),
        ("hyperbolic_mf", "c", 0, 0.40), ("hyperbolic_mf", "c", 1, 0.40),
        (
            "hyperbolic_mf", "d", 0, 0.37,
            {"config": {"c": 0.0}, "variant": "c=0.0"},
        ),
    )  # fmt: skip
    return groups.results(table, lambda *_: None, lambda *_: {})


def test_gains_are_differences_of_means_to_the_twin():
    games, other = curvature.gains(recorded(), KNOWN).to_dict("records")
    assert games["ndcg10_hyperml"] == pytest.approx(0.32 - 0.25)
    # Student's t for one degree of freedom is 12.71, and the std .02 √2.
    assert games["ndcg10_hyperml_wide"] == pytest.approx(12.7062 * 0.02, rel=1e-4)
    assert games["ndcg10_hyperbolic_mf"] == pytest.approx(0.03)
    assert "ndcg10_hyperml_softmax" not in games  # no softmax model was run
    assert (games["delta"], pd.isna(other["ndcg10_hyperml"])) == (0.6, True)


def test_the_picture_has_a_mark_for_each_gain():
    frame = curvature.gains(recorded(), KNOWN)
    theme = pictures.THEMES["light"]
    drawing = curvature.draw(frame, {"ndcg10": "sampled"} | pictures.RANKINGS, theme)
    marks = {c.get_label(): c.lines[0] for c in drawing.axes[0].containers}
    gains = marks["HyperML − CML"].get_ydata()
    assert gains[0] == pytest.approx(7.0)
    labels = [label.get_text() for label in drawing.axes[0].get_xticklabels()]
    assert labels == ["Games\n0.60", "Movie1M\n0.70"]
    plt.close(drawing)


def test_delta_is_measured_once_and_for_the_papers_datasets(monkeypatch, tmp_path):
    loaded = []
    monkeypatch.setattr(curvature.prepared, "load", lambda *a: loaded.append(a[0]))
    found = hyperbolicity.Hyperbolicity(0.123456, 0.2, 0.5)
    monkeypatch.setattr(hyperbolicity, "of_items", lambda data: found)
    both = curvature.measured(KNOWN, ["mine", "games", "sports"], tmp_path)
    assert loaded == ["sports"]
    assert list(both["dataset"]) == ["ml1m", "sports", "games"]
    assert both["delta"][1] == 0.1235
