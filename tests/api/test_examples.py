"""Every program of examples/ runs, and learns something."""

import runpy
import sys

import numpy as np
import pandas as pd
import pytest

import hyperml_tf as hml
from tests.conftest import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.fixture
def clicks(tmp_path, rng):
    """A CSV of 60 users in three groups, who click on the items of their group."""
    users, items, group = 60, 45, 15
    rows = []
    for user in range(users):
        own = group * (user % 3) + rng.permutation(group)[:12]
        rows += [(f"u{user}", f"i{item}", time) for time, item in enumerate(own)]
    path = tmp_path / "clicks.csv"
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame.sample(frac=1, random_state=1).to_csv(path, index=False)
    assert frame["item"].nunique() == items
    return path


def run(name, clicks, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, str(clicks)])
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")


def test_there_is_a_test_for_every_example():
    assert EXAMPLES == ["own_model", "ten_lines", "two_tower"]


def test_ten_lines_train_evaluate_export_and_recommend(
    clicks, monkeypatch, tmp_path, capsys
):
    done = run("ten_lines", clicks, monkeypatch, tmp_path)
    untrained = hml.HyperML(done["data"].num_users, done["data"].num_items)
    before = hml.evaluate(untrained, done["data"])["ndcg10"]
    assert hml.evaluate(done["model"], done["data"])["ndcg10"] > before
    answer = hml.recommend(str(tmp_path / "export/mine"), ["u0", "nobody"], k=3)
    assert list(answer.columns) == ["user", "rank", "item", "score"]
    assert answer["user"].tolist() == ["u0"] * 3 + ["nobody"] * 3
    assert answer["rank"].tolist() == [1, 2, 3] * 2
    assert np.isnan(answer["score"][3:]).all() and (answer["score"][:3] <= 0).all()
    assert "u0" in capsys.readouterr().out


def test_a_model_of_ones_own_stays_in_the_ball_and_learns(
    clicks, monkeypatch, tmp_path, capsys
):
    run("own_model", clicks, monkeypatch, tmp_path)
    accuracy = float(capsys.readouterr().out.split()[-1])
    assert accuracy > 0.75  # a coin gives .5


def test_a_two_tower_model_learns_by_hyperbolic_scores(
    clicks, monkeypatch, tmp_path, capsys
):
    run("two_tower", clicks, monkeypatch, tmp_path)
    words = capsys.readouterr().out.replace(",", "").split()
    first, last = float(words[5]), float(words[-1])
    assert last < first - 0.5
