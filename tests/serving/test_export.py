"""An export answers, in a process with TensorFlow alone, as NumPy says it must."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.serving import saved_model
from tests.serving import oracle
from tests.serving.conftest import ITEMS, USERS

RELOAD = pathlib.Path(__file__).with_name("reload.py")
EVERY_USER = [f"u{user}é" for user in range(USERS)]
K = 7
SOON = ("hyperml", "lrml", "biased_hyperbolic_mf")
LATER = (
    *("hyperts", "cml", "mf_bpr", "gmf", "mlp", "ncf", "popularity", "hyperbolic_mf"),
    *("biased", "biased_cml", "biased_mf_bpr"),
    *("itemknn", "ease", "ials", "mf_softmax", "hyperml_softmax"),
)
KEYS = [*SOON, *(pytest.param(key, marks=pytest.mark.slow) for key in LATER)]
# float32 arithmetic in the scores of models without points; float64 elsewhere.
NETWORKS = ("gmf", "mlp", "ncf")
TOLERANCE = dict.fromkeys(("lrml", "ease", *NETWORKS), 1e-5)
PRODUCTS = ("mf_bpr", "mf_softmax", "ials")
# Without an index, and so without `similar_items`.
SCORED = ("lrml", "popularity", "itemknn", "ease", *NETWORKS)


def recommend(users, k=K, exclude_seen=True):
    return "recommend", {"user_ids": users, "k": k, "exclude_seen": exclude_seen}


def reload(folder, requests, tmp_path):
    """Answers to requests from a process that imports tensorflow alone."""
    asked, answered = tmp_path / "requests.json", tmp_path / "answers.npz"
    asked.write_text(json.dumps(requests))
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    subprocess.run(
        [sys.executable, RELOAD, folder, asked, answered],
        check=True,
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=tmp_path,
    )
    answers = [{} for _ in requests]
    for name, value in np.load(answered).items():
        number, output = name.split(" ")
        answers[int(number)][output] = value
    return answers


def rows(item_ids):
    return np.array([[int(i[1:]) if i else -1 for i in row] for row in item_ids])


def best(scores, known, k):
    """Rows and scores of the k best that are not known, [U, k]; -1 and NaN."""
    found, values = np.full((len(scores), k), -1), np.full((len(scores), k), np.nan)
    for user, (mine, seen) in enumerate(zip(scores, known, strict=True)):
        order = [i for i in np.argsort(-mine, kind="stable") if i not in seen][:k]
        found[user, : len(order)] = order
        values[user, : len(order)] = mine[order]
    return found, values


@pytest.fixture(scope="module", params=KEYS)
def answered(request, models, interactions, known, tmp_path_factory):
    """One export, asked everything at once: its key, scores, known, the answers."""
    folder = tmp_path_factory.mktemp("export")
    model = models[request.param]
    saved_model.export(
        model, interactions, folder / "model", record={"model": request.param}
    )
    requests = {
        "seen out": recommend(EVERY_USER),
        "seen in": recommend(EVERY_USER, exclude_seen=False),
        "default": ("serving_default", recommend(EVERY_USER)[1]),
        "one": recommend(EVERY_USER[2:3], k=1),
        "none": recommend([]),
        "all": recommend(EVERY_USER, k=10**6),
        "unknown": recommend(["nobody", *EVERY_USER[:3], ""], k=3),
        "no k": recommend(EVERY_USER, k=0),
        "pairs": ("score", {"user_ids": [*EVERY_USER, "x"],
                            "item_ids": [f"i{i}" for i in range(USERS + 1)]}),
        "bad item": ("score", {"user_ids": EVERY_USER[:2], "item_ids": ["i1", "i?"]}),
        "bad pairs": ("score", {"user_ids": EVERY_USER[:2], "item_ids": ["i1"]}),
    }  # fmt: skip
    if request.param not in SCORED:
        requests["similar"] = (
            "similar_items",
            {"item_ids": ["i0", "i?", "i299"], "k": 4},
        )
    answers = reload(folder / "model", list(requests.values()), folder)
    scores = oracle.scores(model, request.param)
    return request.param, scores, known, dict(zip(requests, answers, strict=True))


def assert_best(answer, scores, known, k, tolerance=1e-9):
    """Ties aside: rows may differ only where scores agree."""
    found, values = best(scores, known, k)
    np.testing.assert_allclose(answer["scores"], values, rtol=tolerance, atol=1e-12)
    mine = rows(answer["item_ids"].astype(str))
    np.testing.assert_array_equal(mine < 0, found < 0)
    looked_up = np.take_along_axis(scores, np.maximum(mine, 0), axis=1)
    looked_up = np.where(mine < 0, np.nan, looked_up)
    np.testing.assert_allclose(looked_up, values, rtol=tolerance, atol=1e-12)


def test_recommendations_are_the_best_that_the_user_never_touched(answered):
    key, scores, known, answers = answered
    assert_best(answers["seen out"], scores, known, K, TOLERANCE.get(key, 1e-9))
    for output, value in answers["seen out"].items():
        np.testing.assert_array_equal(value, answers["default"][output])


def test_seen_items_come_back_on_request(answered):
    key, scores, _, answers = answered
    nothing = [set()] * USERS
    assert_best(answers["seen in"], scores, nothing, K, TOLERANCE.get(key, 1e-9))


def test_distances_are_those_of_the_model(answered):
    key, _, _, answers = answered
    if key in (*PRODUCTS, *SCORED, *oracle.WITH_OFFSETS):
        assert "distances" not in answers["seen in"]
        return
    score, distance = (answers["seen in"][name] for name in ("scores", "distances"))
    expected = np.sqrt(-score) if key == "cml" else -score
    np.testing.assert_allclose(distance, expected, rtol=1e-12)


def test_k_and_the_batch_are_free_at_call_time(answered):
    _, _, known, answers = answered
    np.testing.assert_array_equal(
        answers["one"]["item_ids"], answers["seen out"]["item_ids"][2:3, :1]
    )
    assert answers["none"]["item_ids"].shape == (0, K)
    assert answers["all"]["item_ids"].shape == (USERS, ITEMS)
    left = np.sum(answers["all"]["item_ids"] != b"", axis=1)
    np.testing.assert_array_equal(left, [ITEMS - len(mine) for mine in known])


def test_unknown_users_are_flagged_and_get_the_popularity_order(answered, interactions):
    _, _, _, answers = answered
    answer = answers["unknown"]
    assert answer["known_users"].tolist() == [False, True, True, True, False]
    counts = np.bincount(interactions.train_item, minlength=ITEMS)
    popular = [f"i{i}".encode() for i in np.argsort(-counts, kind="stable")[:3]]
    for row in (0, 4):
        assert answer["item_ids"][row].tolist() == popular
        assert np.all(np.isnan(answer["scores"][row]))
    np.testing.assert_array_equal(
        answer["item_ids"][1:4], answers["seen out"]["item_ids"][:3, :3]
    )


def test_pairs_are_scored_and_unknown_items_refused_by_name(answered):
    key, scores, _, answers = answered
    answer = answers["pairs"]
    expected = np.append(scores[np.arange(USERS), np.arange(USERS)], np.nan)
    tolerance = TOLERANCE.get(key, 1e-9)
    np.testing.assert_allclose(answer["scores"], expected, rtol=tolerance)
    assert answer["known_users"].tolist() == [True] * USERS + [False]
    assert "item_ids not in the catalogue" in str(answers["bad item"]["error"])
    assert "i?" in str(answers["bad item"]["error"])
    assert "one length" in str(answers["bad pairs"]["error"])
    assert "k must be >= 1" in str(answers["no k"]["error"])


def test_similar_items_are_the_nearest_without_the_item_itself(answered, models):
    key, _, _, answers = answered
    if "similar" not in answers:
        assert key in SCORED
        return
    model, answer = models[key], answers["similar"]
    items = model.item_table.table.numpy().astype(np.float64)
    if key == "hyperts":
        items = oracle.exp0(items, model.c)
    if key.endswith("softmax"):
        items = oracle.on_sphere(items, model.radius)
    if key in oracle.WITH_OFFSETS:  # what a user at the item's place would get
        scores = oracle.scores_with_offsets(model, key, items, items)
    elif key in PRODUCTS:
        scores = items @ items.T
    elif key == "cml":
        scores = -((oracle.ball_distance(items, items, 0.0) / 2) ** 2)
    else:
        scores = -oracle.ball_distance(items, items, model.c)
    assert answer["known_items"].tolist() == [True, False, True]
    assert answer["item_ids"][1].tolist() == [b""] * 4
    known = {name: value[[0, 2]] for name, value in answer.items()}
    assert_best(known, scores[[0, 299]], [{0}, {299}], 4)


def test_the_record_says_what_was_exported(models, interactions, tmp_path):
    record = saved_model.export(
        models["popularity"], interactions, tmp_path / "out", record={"seed": 3}
    )
    assert json.loads((tmp_path / "out" / "export.json").read_text()) == record
    assert record["seed"] == 3 and record["users"] == USERS
    assert record["index"].startswith("none")
    assert record["signatures"] == [
        *("recommend", "recommend_filtered", "recommend_for_items"),
        *("score", "serving_default"),
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_former_export_is_replaced_and_nothing_else(models, interactions, tmp_path):
    for seed in (1, 2):
        saved_model.export(
            models["popularity"], interactions, tmp_path / "out", record={"seed": seed}
        )
    assert json.loads((tmp_path / "out" / "export.json").read_text())["seed"] == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not an export"):
        saved_model.export(models["popularity"], interactions, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_a_failed_export_leaves_the_former_one(models, interactions, tmp_path):
    saved_model.export(
        models["popularity"], interactions, tmp_path / "out", record={"seed": 1}
    )
    with pytest.raises(TypeError):
        saved_model.export(
            models["popularity"],
            interactions,
            tmp_path / "out",
            record={"seed": object()},
        )
    assert json.loads((tmp_path / "out" / "export.json").read_text())["seed"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_models_without_an_index_refuse_one(models, interactions, tmp_path):
    with pytest.raises(InputError, match="neither distances nor products"):
        saved_model.export(models["lrml"], interactions, tmp_path / "out", "scann")
