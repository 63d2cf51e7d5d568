"""`Interactions.from_dataframe`: what `prepare` makes of the same table, in memory."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from hyperml_tf.data import prepared
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.errors import InputError
from tests import synthetic

ARRAYS = [f.name for f in dataclasses.fields(Interactions) if "_" in f.name][:6]


@pytest.fixture
def clicks():
    return pd.DataFrame(
        {
            "who": ["a", "a", "b", "a", "b", "b", "a"],
            "what": [1, 2, 1, 3, 2, 3, 1],
            "event_time": pd.to_datetime(
                [
                    *("2020-01-04", "2020-01-02", "2020-01-01", "2020-01-03"),
                    *("2020-01-02", None, "2020-01-09"),
                ]
            ),
        }
    )


def test_a_frame_gives_what_prepare_gives(data_dir, tmp_path):
    table = synthetic.write_table(tmp_path / "tiny.csv")
    from_folder = prepared.load("tiny", data_dir)
    frame = pd.read_csv(table)
    columns = dict(zip(("user", "item", "time"), frame.columns, strict=False))
    in_memory = Interactions.from_dataframe(frame, **columns)
    for name in ARRAYS:
        np.testing.assert_array_equal(
            getattr(in_memory, name), getattr(from_folder, name)
        )
    assert in_memory.fingerprint == from_folder.fingerprint
    assert in_memory.user_ids == from_folder.user_ids
    assert in_memory.item_ids == from_folder.item_ids


def test_a_folder_can_be_read_with_nothing_held_out(data_dir, tmp_path):
    frame = pd.read_csv(synthetic.write_table(tmp_path / "tiny.csv"))
    expected = Interactions.from_dataframe(frame, time="timestamp", hold_out=False)
    data = Interactions.load(data_dir / "tiny", hold_out=False)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(data, name), getattr(expected, name))
    assert data.fingerprint == expected.fingerprint
    assert data.fingerprint != prepared.load("tiny", data_dir).fingerprint


def test_the_last_in_time_is_held_out_and_undated_rows_are_not(clicks):
    data = Interactions.from_dataframe(clicks, "who", "what", "event_time")
    assert data.user_ids == ["a", "b"] and data.item_ids == ["1", "2", "3"]
    # a: 2, 3, 1 by time, and 1 again, which does not count. b: 3 has no time.
    assert data.valid_item.tolist() == [2, 0] and data.test_item.tolist() == [0, 1]
    assert data.train_user.tolist() == [0, 1] and data.train_item.tolist() == [1, 2]


def test_everything_can_be_kept_for_training(clicks):
    data = Interactions.from_dataframe(
        clicks, "who", "what", "event_time", hold_out=False
    )
    assert (data.valid_item == -1).all() and (data.test_item == -1).all()
    assert data.train_item.tolist() == [1, 2, 0, 2, 0, 1]


def test_a_column_that_may_be_the_time_is_not_passed_over(clicks):
    with pytest.raises(InputError, match=r"'event_time' may be the time; say time="):
        Interactions.from_dataframe(clicks, "who", "what")
    data = Interactions.from_dataframe(clicks, "who", "what", time="none")
    assert data.test_item.tolist() == [2, 2]


def test_titles_are_found_by_raw_id(clicks):
    items = pd.DataFrame({"item": [3, 1, 9], "title": ["three", "one", "nine"]})
    data = Interactions.from_dataframe(clicks, "who", "what", "event_time", items)
    assert data.items["item"].tolist() == ["1", "2", "3"]
    assert data.items["title"].tolist() == ["one", "", "three"]
    assert data.items["genres"].tolist() == ["", "", ""]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="who"), r"no column 'who' among .* with user="),
        (lambda f: f.head(0), "no rows"),
        (lambda f: f.assign(who=[1.5] * 7), "fractions"),
        (lambda f: f.assign(what=[None, *"abcdef"]), "1 ids are missing"),
        (lambda f: f.assign(what=[1, "a", (2,), 3, 4, 5, 6]), r"astype\(str\)"),
        (lambda f: f.assign(event_time=["soon"] * 7), "neither only numbers nor"),
        (lambda f: f.assign(who=range(7)), "nothing can be held out"),
    ],
)
def test_a_frame_that_cannot_be_read_is_refused_in_one_line(clicks, change, words):
    with pytest.raises(InputError, match=words) as caught:
        Interactions.from_dataframe(change(clicks), "who", "what", "event_time")
    assert "\n" not in str(caught.value)


def test_triplets_are_one_pass_an_epoch_and_another_each_epoch(clicks):
    row = np.arange(700)
    frame = pd.DataFrame({"user": row % 50, "item": row // 3 % 90})
    data = Interactions.from_dataframe(frame, hold_out=False)
    batches = data.triplets(batch_size=64, seed=3)
    endless = iter(TripletSampler(data, 3).dataset(64))
    size = batches.cardinality().numpy()
    assert size == -(-len(data.train_user) // 64)
    for _ in range(2):
        for batch in batches:
            for ours, theirs in zip(batch, next(endless), strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_the_rules_of_prepare_hold_for_frames_too():
    pairs = [(u, i) for u in range(8) for i in range(6) if u > 2 or i]
    rows = [(u, i, (7 * u + 11 * i * i) % 29) for u, i in pairs]
    frame = pd.DataFrame(rows, columns=["user", "item", "time"])
    data = Interactions.from_dataframe(frame, time="time", split="time:0.2")
    assert len(data.test_more_user) and data.num_held_out > 8
    data = Interactions.from_dataframe(frame, time="time", split="user:0.2")
    assert len(set(data.history_user)) == 4
    few = Interactions.from_dataframe(frame, time="time", min_user=6)
    assert few.num_users == sum(len(r) == 6 for _, r in frame.groupby("user"))
    for wrong, words in (
        ({"split": "random"}, "^split=random must be leave_one_out"),
        ({"keep": "all"}, "one of: first, last"),
    ):
        with pytest.raises(InputError, match=words):
            Interactions.from_dataframe(frame, time="time", **wrong)
