"""Filters and splits of a table of one's own, through the command and into training."""

import json

import numpy as np
import pandas as pd
import pytest

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.evaluation import protocol
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory

FLAGS = ("--dataset=mine", "--time_column=time")


@pytest.fixture
def prepare(command, tmp_path):
    """Prepares a frame with flags; what the command did, and the dataset."""

    def run(frame: pd.DataFrame, *flags: str):
        path = tmp_path / "table.csv"
        frame.to_csv(path, index=False)
        result = command(*FLAGS, f"--table={path}", *flags)
        folder = tmp_path / "data/mine"
        return result, Interactions.load(folder) if result.code == 0 else None

    return run


def pairs(data, users, items):
    return [
        (data.user_ids[u], data.item_ids[i]) for u, i in zip(users, items, strict=True)
    ]


def shop(users=30, items=12, each=6):
    rng = np.random.default_rng(4)
    clicks = np.concatenate([rng.permutation(items)[:each] for _ in range(users)])
    return pd.DataFrame(
        {
            "user": [f"u{u:02d}" for u in np.repeat(np.arange(users), each)],
            "item": [f"i{i}" for i in clicks],
            "time": rng.permutation(users * each),
            "name": "lamp",
        }
    )


def test_low_ratings_go_and_then_users_and_items_with_too_few(prepare):
    frame = pd.DataFrame(
        [
            *(("a", "x", 1, 5), ("a", "y", 2, 4), ("a", "z", 3, 4), ("a", "w", 4, 1)),
            *(("b", "x", 1, 4), ("b", "y", 2, 5), ("b", "z", 3, 4.5)),
            *(("c", "x", 1, 5), ("c", "y", 2, 3), ("c", "z", 3, None)),
            *(("d", "v", 1, 5), ("d", "x", 2, 5)),
        ],
        columns=["user", "item", "time", "stars"],
    )
    flags = "--rating_column=stars", "--min_rating=4", "--min_user=2", "--min_item=2"
    result, data = prepare(frame, *flags)
    assert result.code == 0, result.err
    assert "3 rated below 4" in result.out
    # c has one left, then item v of d has one user, then d has one item.
    assert list(data.user_ids) == ["a", "b"] and list(data.item_ids) == ["x", "y", "z"]
    assert "3 of users with fewer than 2 items or items with fewer than 2" in result.out
    again, _ = prepare(frame, *flags)
    assert "up to date" in again.out
    other, data = prepare(frame, *flags[:2], "--min_user=2")
    assert "up to date" not in other.out and list(data.user_ids) == ["a", "b", "d"]


@pytest.mark.parametrize(("keep", "test_item"), [("first", "z"), ("last", "x")])
def test_a_repeated_pair_counts_when_it_was_first_or_last(prepare, keep, test_item):
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "z", 3), ("a", "x", 4), ("b", "x", 1)]
    frame = pd.DataFrame(rows, columns=["user", "item", "time"])
    _, data = prepare(frame, f"--keep={keep}")
    assert data.item_ids[data.test_item[0]] == test_item


def test_rows_of_the_same_time_can_be_in_a_random_order(prepare):
    """Amazon's times are days, within which its files are in order of items' ids."""
    frame = shop().sort_values(["user", "item"], ignore_index=True)
    frame["time"] //= 60  # some rows of a user share their time
    _, in_file_order = prepare(frame)
    result, data = prepare(frame, "--ties=random")
    assert result.code == 0, result.err
    _, other = prepare(frame, "--ties=random", "--seed=1")
    _, again = prepare(frame, "--ties=random", "--seed=0")
    assert again.fingerprint == data.fingerprint
    last = frame.groupby("user")["time"].max()
    clock = frame.set_index(["user", "item"])["time"]
    tests = []
    for split in (in_file_order, data, other):
        held_out = pairs(split, *split.held_out("test"))
        assert held_out and all(clock[pair] == last[pair[0]] for pair in held_out)
        tests.append(set(held_out))
    assert tests[0] != tests[1] != tests[2]

    result, _ = prepare(frame, "--ties=random", "--time_column=none")
    assert result.code == 2 and "--ties=random needs times" in result.err


def test_a_split_by_time_goes_through_to_metrics_of_sets(prepare):
    frame = shop()
    result, data = prepare(frame, "--split=time:0.2")
    assert "split time:0.2: held out" in result.out
    clock = frame.set_index(["user", "item"])["time"]
    times = {
        part: [clock[pair] for pair in pairs(data, *data.held_out(part))]
        for part in ("valid", "test")
    }
    train = [clock[pair] for pair in pairs(data, data.train_user, data.train_item)]
    assert max(train) < min(times["valid"]) <= max(times["valid"]) < min(times["test"])
    assert len(data.test_more_user) and max(times["test"]) == len(frame) - 1
    every = pairs(data, data.unsplit().train_user, data.unsplit().train_item)
    assert sorted(every) == sorted(map(tuple, frame[["user", "item"]].to_numpy()))

    model = factory.build_model(
        configs.resolve(configs.for_model("itemknn", "mine")), data, 0
    )
    found = protocol.evaluate(model, data, full=True)
    assert found["users"] == len(set(data.held_out("test")[0]))
    assert 0 <= found["recall10"] <= found["hr10"] <= 1


def test_a_split_by_user_ranks_by_items_alone_or_refuses(prepare):
    frame = shop()
    result, data = prepare(frame, "--split=user:0.2")
    assert "held out 6 for validation and 6 for the test" in result.out
    away = set(np.unique(data.history_user))
    assert len(away) == 12 and not away & set(np.unique(data.train_user))
    for key in ("itemknn", "popularity"):
        config = configs.resolve(configs.for_model(key, "mine"))
        model = factory.build_model(config, data, 0)
        assert protocol.evaluate(model, data)["users"] == 6
        assert protocol.evaluate(model, data, full=True)["users"] == 6
    with pytest.raises(InputError, match="MLP needs a user in training"):
        factory.build_model(configs.resolve(configs.for_model("mlp", "mine")), data, 0)
    every = pairs(data, data.unsplit().train_user, data.unsplit().train_item)
    assert sorted(every) == sorted(map(tuple, frame[["user", "item"]].to_numpy()))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--split=time:0"], "--split=time:0 must be leave_one_out"),
        (["--split=time:0.5"], "a share above 0 and of at most 0.4"),
        (["--split=random"], "must be leave_one_out, time:SHARE or user:SHARE"),
        (["--split=time:0.2", "--time_column=none"], "needs times, and there are none"),
        (["--min_rating=4"], "no column 'rating'"),
        (["--min_rating=4", "--rating_column=name"], "does not hold numbers only"),
        (["--rating_column=item"], "--rating_column goes with --min_rating=X"),
        (["--min_user=-1"], "--min_user and --min_item are 0 or more"),
        (["--min_user=99"], "at least 2 of each are needed"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(prepare, flags, words):
    result, data = prepare(shop(), *flags)
    assert (result.code, data) == (2, None)
    (line,) = result.err.strip().splitlines()
    assert words in line


def test_a_split_that_leaves_nothing_to_validate_is_refused(prepare):
    frame = shop()
    frame["time"] = frame["time"].clip(upper=120)  # a third is on the last day
    result, _ = prepare(frame, "--split=time:0.1")
    assert result.code == 2
    assert "nothing is left for the validation of --split" in result.err


def test_the_papers_datasets_keep_the_papers_rules(command):
    result = command("--dataset=ml1m", "--min_user=5")
    assert result.code == 2 and "the paper's datasets have the paper's rules" in (
        result.err
    )


def test_without_these_flags_a_folder_holds_what_it_always_held(prepare, tmp_path):
    prepare(shop())
    stats = json.loads((tmp_path / "data/mine/stats.json").read_text())
    assert stats["rules"] is None and len(stats["arrays"]) == 6
