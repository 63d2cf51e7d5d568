"""What cannot be right is refused in one line, and never answered with numbers."""

import numpy as np
import pandas as pd
import pytest

import hyperml_tf as hml
from hyperml_tf.errors import InputError


def dataset(users=20, items=30):
    row = np.arange(users * 6)
    frame = pd.DataFrame({"user": row // 6, "item": row * 7 % items, "time": row})
    return hml.Interactions.from_dataframe(frame, time="time")


@pytest.fixture(scope="module")
def data():
    return dataset()


@pytest.fixture(scope="module")
def model(data):
    return hml.HyperML(data.num_users, data.num_items, dim=4)


@pytest.fixture(scope="module")
def exported(model, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("misuse") / "export"
    hml.export(model, data, folder)
    return folder


def test_a_dataset_of_other_sizes_is_refused(model, tmp_path):
    other = dataset(users=25)
    with pytest.raises(InputError, match="has 25 users and 30 items, and the model"):
        hml.evaluate(model, other)
    with pytest.raises(InputError, match="made for 20 users"):
        hml.export(model, other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_finite_is_refused(data, tmp_path):
    broken = hml.MFBPR(data.num_users, data.num_items, dim=4)
    broken.user_table.table.assign(np.full((data.num_users, 4), np.nan))
    for refuse in (
        lambda: hml.evaluate(broken, data),
        lambda: hml.export(broken, data, tmp_path / "out"),
    ):
        with pytest.raises(InputError, match="values that are not finite"):
            refuse()


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": -5},
        {"batch_size": 1.5},
        {"negatives": 0},
        {"negatives": 10**6},
        {"negatives": 2.5},
        {"seed": -1},
    ],
)
def test_triplets_of_impossible_numbers_are_refused(data, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be a whole number in"):
        data.triplets(**wrong)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"c": -1.0}, r"HyperML: c = -1.0 is out of range; it must be in \[0, "),
        ({"c": float("nan")}, "c = nan is out of range"),
        ({"margin": -1.0}, "margin = -1.0 is out of range"),
        ({"distortion_weight": -1.0}, "distortion_weight = -1.0 is out of range"),
        ({"loss": "mse"}, "loss = 'mse' is not known; one of: hinge, softplus"),
        ({"negative_choice": "easiest"}, "one of: each, hardest"),
        ({"dropout": 1.0}, "dropout = 1.0 is out of range"),
        ({"dim": 0}, "dim = 0 is out of range"),
        ({"dim": 2.5}, "dim must be a whole number >= 1"),
    ],
)
def test_a_model_of_impossible_settings_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        hml.HyperML(5, 5, **{"dim": 4} | arguments)


@pytest.mark.parametrize(
    "unused", [{"loss": "mse"}, {"metrics": ["auc"]}, {"loss_weights": [1.0]}]
)
def test_a_loss_or_metric_that_would_not_be_used_is_refused(data, unused):
    model = hml.HyperML(data.num_users, data.num_items, dim=4)
    (name,) = unused
    with pytest.raises(ValueError, match=f"leave {name} out of compile"):
        model.compile(**unused)


def test_batches_that_are_no_triplets_are_refused(data):
    model = hml.HyperML(data.num_users, data.num_items, dim=4)
    model.compile()
    index = np.arange(10)
    for method in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"which Interactions.triplets\(\) gives"):
            method(index, index, verbose=0)


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (-1, 5)])
def test_a_model_without_users_or_items_is_refused(sizes):
    with pytest.raises(ValueError, match="rows must be a whole number >= 1"):
        hml.HyperML(*sizes, dim=4)


def test_ids_are_asked_for_as_they_were_given(exported):
    for ids in (["1", "2"], [1, 2], [1.0, 2.0], [b"1", b"2"], np.array([1, 2])):
        answer = hml.recommend(exported, ids, k=np.int64(2))
        assert answer["user"].tolist() == ["1", "1", "2", "2"]
        assert answer["score"].notna().all()


@pytest.mark.parametrize("users", ["1", b"1", pd.DataFrame({"user": [1]})])
def test_users_that_are_no_list_are_refused(exported, users):
    with pytest.raises(InputError, match="must be a list of raw ids"):
        hml.recommend(exported, users)


def test_missing_ids_and_impossible_k_are_refused(exported):
    for missing in (None, float("nan")):
        with pytest.raises(InputError, match="id is missing"):
            hml.recommend(exported, ["1", missing])
    for k in (0, -1, 2**31, 2.5, True):
        with pytest.raises(InputError, match="k must be a whole number"):
            hml.recommend(exported, ["1"], k=k)


def test_an_index_that_does_not_exist_is_named(model, data, tmp_path):
    with pytest.raises(InputError, match="'faiss' is not known; one of: exact, scann"):
        hml.export(model, data, tmp_path / "out", index="faiss")


def test_times_in_the_index_or_in_twins_or_late_are_not_passed_over():
    row = np.arange(4000)
    frame = pd.DataFrame({"user": row % 50, "item": row % 77})
    days = pd.date_range("2020-01-01", periods=4000, freq="h")
    late = pd.Series(days).where(row > 1500)
    for changed, words in (
        (frame.set_index(days), "the frame's index has times"),
        (frame.assign(x=late), "column 'x' may be the time"),
        (frame.assign(x=days.to_period("D")), "column 'x' may be the time"),
        (
            pd.concat([frame, pd.DataFrame({"at": days, "by": days})], axis=1).rename(
                columns={"by": "at"}
            ),
            "column 'at' may be the time",
        ),
    ):
        with pytest.raises(InputError, match=words):
            hml.Interactions.from_dataframe(changed)
    with pytest.raises(InputError, match="takes a pandas DataFrame, got list"):
        hml.Interactions.from_dataframe([1, 2])
