"""New users, by their items: what an export answers, and the files they come in."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hyperml_tf as hml
from hyperml_tf.errors import InputError
from hyperml_tf.serving import saved_model
from hyperml_tf.serving.exported import Exported, read_histories
from tests.serving.conftest import ITEMS
from tests.serving.oracle import ball_distance, on_sphere
from tests.serving.test_export import best, reload, rows

K = 6
HISTORIES = [["i5", "i7", "i9", "i5"], ["i250"], ["?", "i3", "", "what"], ["?"], []]
ROWS = [[5, 7, 9], [250], [3]]
SOON = ["hyperml", "ease"]
LATER = [
    *("cml", "mf_bpr", "biased", "biased_mf_bpr", "popularity", "itemknn", "ials"),
    *("hyperml_softmax", "hyperbolic_mf"),
]
KEYS = [*SOON, *(pytest.param(key, marks=pytest.mark.slow) for key in LATER)]


@pytest.fixture(scope="module", params=KEYS)
def answered(request, models, interactions, tmp_path_factory):
    """The scores that the live model gives, and answers from TensorFlow alone."""
    folder = tmp_path_factory.mktemp("histories")
    model = models[request.param]
    saved_model.export(model, interactions, folder / "model")
    wide = max(map(len, HISTORIES))
    padded = [[*history, *[""] * (wide - len(history))] for history in HISTORIES]
    request = {"item_ids": padded, "k": K, "exclude_seen": True}
    name = "recommend_for_items"
    answers = reload(
        folder / "model",
        [
            (name, request),
            (name, request | {"exclude_seen": False}),
            (name, request | {"item_ids": [row[:1] for row in padded], "k": 10**6}),
        ],
        folder,
    )
    histories = np.full((len(ROWS), 3), ITEMS, np.int32)
    for row, items in zip(histories, ROWS, strict=True):
        row[: len(items)] = items
    return model.score_histories(histories).numpy(), answers


@pytest.mark.parametrize("answer, seen", [(0, ROWS), (1, [[]] * 3)])
def test_the_best_items_but_for_the_history_come_first(answered, answer, seen):
    scores, answers = answered
    found = rows(answers[answer]["item_ids"][:3].astype(str))
    _, values = best(scores, seen, K)
    # Ties aside: rows may differ only where scores agree.
    shown = np.take_along_axis(scores, found, axis=1)
    np.testing.assert_allclose(shown, values, rtol=1e-5, atol=1e-12)
    assert not any(set(mine) & set(out) for mine, out in zip(found, seen, strict=True))
    assert (np.diff(answers[answer]["scores"][:3], axis=1) <= 0).all()


def test_unknown_items_are_counted_and_do_not_matter(answered):
    _, (answer, *_) = answered
    assert answer["unknown_items"].tolist() == [0, 0, 2, 1, 0]
    assert answer["known_users"].tolist() == [True, True, True, False, False]


def test_a_history_without_a_known_item_gets_the_popularity_order(
    answered, interactions
):
    _, (answer, *_) = answered
    counts = np.bincount(interactions.train_item, minlength=ITEMS)
    popular = [f"i{i}".encode() for i in np.argsort(-counts, kind="stable")[:K]]
    assert answer["item_ids"][3:].tolist() == [popular] * 2
    assert np.isnan(answer["scores"][3:]).all()


def test_k_and_the_width_are_free_at_call_time(answered):
    _, (*_, answer) = answered
    left = np.sum(answer["item_ids"] != b"", axis=1)
    assert left.tolist() == [ITEMS - 1, ITEMS - 1, ITEMS, ITEMS, ITEMS]


@pytest.fixture(scope="module")
def folder(models, interactions, tmp_path_factory):
    output = tmp_path_factory.mktemp("export") / "hyperml"
    record = saved_model.export(models["hyperml"], interactions, output)
    assert record["new_users"] == models["hyperml"].folds_in_by
    return output


def test_python_takes_a_dictionary_or_a_frame(folder):
    exported = Exported(folder)
    given = {"ann": ["i5", "i7"], 2: ["i250"]}
    table = hml.recommend(exported, histories=given, k=3)
    assert table["user"].tolist() == ["ann"] * 3 + ["2"] * 3
    assert table["rank"].tolist() == [1, 2, 3] * 2 and table["score"].notna().all()
    assert not {"i5", "i7"} & set(table["item"][:3])
    frame = pd.DataFrame({"user": ["ann", 2, "ann"], "item": ["i7", "i250", "i5"]})
    frame["user"] = frame["user"].astype(str)
    pd.testing.assert_frame_equal(hml.recommend(exported, histories=frame, k=3), table)
    for wrong in ({}, {"users": ["u1"], "histories": given}):
        with pytest.raises(InputError, match="give one of"):
            hml.recommend(exported, **wrong)
    with pytest.raises(InputError, match="must be a dictionary"):
        hml.recommend(exported, histories=["i5"])


def test_tables_say_by_how_many_items_a_user_is_known(folder):
    histories = {"ann": ["i5"], "bob": ["i5", "?"], "new": ["?"]}
    heads = [t.split("\n")[0] for t in Exported(folder).tables(histories, 2)]
    assert heads[0].endswith("seen items left out; known by 1 item")
    assert heads[1].endswith(
        "; known by 1 of 2 items, the others are not in the catalogue"
    )
    assert "new is unknown to" in heads[2] and "most popular" in heads[2]


def test_distances_are_from_where_the_user_was_placed(folder, models):
    (answer,) = Exported(folder).answers({"ann": ["i5"]}, 4)
    model = models["hyperml"]
    items, users = (t.table.numpy() for t in (model.item_table, model.user_table))
    # The middle of one item is the item; it is as far out as users are.
    radius = np.median(np.linalg.norm(users.astype(np.float64), axis=1))
    distances = ball_distance(
        on_sphere(items[5:6].astype(np.float64), radius), items, 1.0
    )
    nearest = [f"i{item}" for item in np.argsort(distances[0]) if item != 5]
    assert answer.items["item"].tolist() == nearest[:4]
    expected = np.sort(np.delete(distances[0], 5))[:4]
    np.testing.assert_allclose(answer.items["distance"], expected, rtol=1e-9)


def test_a_model_that_cannot_says_so_in_one_line(models, interactions, tmp_path):
    saved_model.export(models["lrml"], interactions, tmp_path / "lrml")
    with pytest.raises(InputError, match=r"LRML on tiny .*needs users in training"):
        hml.recommend(tmp_path / "lrml", histories={"ann": ["i5"]})


def test_files_of_histories(tmp_path):
    text = "who,what\n7,i1\nann,i2\n7,i3\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text.encode()))
    table = {"who": ["7", "ann", "7"], "what": ["i1", "i2", "i3"]}
    pq.write_table(pa.table(table), tmp_path / "c.parquet")
    for name in ("a.csv", "b.csv.gz", "c.parquet"):
        found = read_histories(str(tmp_path / name), "who", "what")
        assert found == {"7": ["i1", "i3"], "ann": ["i2"]}
    with pytest.raises(InputError, match="no column 'user'"):
        read_histories(str(tmp_path / "a.csv"), "user", "what")
    (tmp_path / "basket.txt").write_text("i2\r\n\r\ni4\n")
    assert read_histories(str(tmp_path / "basket.txt"), "user", "item") == {
        "basket": ["i2", "i4"]
    }
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match="--history"):
        read_histories(str(tmp_path / "empty.txt"), "user", "item")


def test_whole_numbers_are_ids_as_prepare_has_them(tmp_path):
    pq.write_table(
        pa.table({"user": [1, 1], "item": [3.0, 4.0]}), tmp_path / "a.parquet"
    )
    found = read_histories(str(tmp_path / "a.parquet"), "user", "item")
    assert found == {"1": ["3", "4"]}
