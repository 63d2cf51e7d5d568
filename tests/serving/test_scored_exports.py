"""Trained models without an index: what their exports answer is the live model's."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.data import prepared
from hyperml_tf.errors import InputError
from hyperml_tf.serving import saved_model
from hyperml_tf.serving.service import known_items
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import finished, launch, runs

pytestmark = pytest.mark.slow

BIASED = "lrml"  # with item biases
TOLERANCE = 1e-5  # float32 logits of order 1, in blocks of other shapes


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("scored")


@pytest.fixture(scope="module")
def data(data_dir):
    return prepared.load("tiny", data_dir)


@pytest.fixture(
    scope="module", params=["lrml", "gmf", "mlp", "ncf", f"{BIASED} with biases"]
)
def trained(request, data, root):
    """A finished run's folder and its model."""
    key, *biases = request.param.split(" ")
    config = configs.for_model(key, "tiny")
    config.epochs, config.eval_every, config.dim = 5, 5, 32
    config.learning_rate = 0.02  # so that scores differ after a few steps
    if biases:
        config.item_bias = True
    config = configs.resolve(config)
    launch.launch(config, data, root / "runs", seed=0)
    run = runs.locate(root / "runs", config, data.fingerprint, 0)
    return run.folder, finished.restored(config, data, run)


@pytest.fixture(scope="module")
def served(trained, data, root):
    """The loaded export and its record."""
    _, model = trained
    record = saved_model.export(model, data, root / "model", record={"dataset": "tiny"})
    return tf.saved_model.load(str(root / "model")), record


def test_pairs_score_as_the_live_model_scores_them(trained, served, data, rng):
    _, model = trained
    users = rng.integers(data.num_users, size=200)
    items = rng.integers(data.num_items, size=200)
    answer = served[0].signatures["score"](
        user_ids=tf.constant([data.user_ids[user] for user in users]),
        item_ids=tf.constant([data.item_ids[item] for item in items]),
    )
    live = model.score(users.astype(np.int32), items.astype(np.int32))
    np.testing.assert_allclose(answer["scores"], live, atol=TOLERANCE)
    assert np.ptp(answer["scores"]) > 100 * TOLERANCE  # trained: not all alike


@pytest.mark.parametrize("users, k, exclude_seen", [(1, 3, True), (60, 500, False)])
def test_lists_are_the_live_models_best(trained, served, data, users, k, exclude_seen):
    _, model = trained
    answer = served[0].signatures["recommend"](
        user_ids=tf.constant(data.user_ids[:users]),
        k=tf.constant(k),
        exclude_seen=tf.constant(exclude_seen),
    )
    every_item = np.tile(np.arange(data.num_items, dtype=np.int32), (users, 1))
    scores = model.score(np.arange(users, dtype=np.int32)[:, None], every_item)
    scores = scores.numpy().astype(np.float64)
    known = known_items(data)
    if exclude_seen:
        for user in range(users):
            seen = known.items[known.splits[user] : known.splits[user + 1]]
            scores[user, seen] = np.nan
    best = -np.sort(-scores, axis=1)[:, :k]  # NaN last
    assert answer["scores"].shape == best.shape
    np.testing.assert_allclose(answer["scores"], best, atol=TOLERANCE)
    row = {item.encode(): row for row, item in enumerate(data.item_ids)}
    named = [[row[item] for item in one] for one in answer["item_ids"].numpy()]
    looked_up = np.take_along_axis(scores, np.array(named), axis=1)
    np.testing.assert_allclose(looked_up, best, atol=TOLERANCE)


def test_who_is_unknown_is_flagged_and_what_is_unknown_refused(served, data):
    ask = served[0].signatures
    answer = ask["recommend"](
        user_ids=tf.constant(["nobody", data.user_ids[0]]),
        k=tf.constant(2),
        exclude_seen=tf.constant(True),
    )
    assert answer["known_users"].numpy().tolist() == [False, True]
    assert np.isnan(answer["scores"].numpy()).tolist() == [[True] * 2, [False] * 2]
    popular = np.argsort(-np.bincount(data.train_item), kind="stable")[:2]
    expected = [data.item_ids[item].encode() for item in popular]
    assert answer["item_ids"].numpy()[0].tolist() == expected
    with pytest.raises(tf.errors.InvalidArgumentError, match="not in the catalogue"):
        ask["score"](
            user_ids=tf.constant(data.user_ids[:1]), item_ids=tf.constant(["i?"])
        )


def test_there_is_no_index_and_nothing_that_needs_one(trained, served, data, root):
    (_, model), (loaded, record) = trained, served
    assert record["index"].startswith("none: ")
    why = "neither distances nor products of vectors"
    assert why in record["index"]
    assert "similar_items" not in loaded.signatures
    with pytest.raises(InputError, match=f"--index=scann: none: .*{why}"):
        saved_model.export(model, data, root / "none", "scann")


@pytest.mark.parametrize("trained", ["ncf"], indirect=True)
def test_the_commands_export_and_recommend(trained, command, data_dir, root):
    folder, _ = trained
    output = root / "by_command"
    done = command(
        *("hyperml_tf.export", f"--run={folder}", f"--output={output}"),
        f"--data_dir={data_dir}",
    )
    assert done.returncode == 0, done.stderr
    assert "index: none: this model's scores are neither distances" in done.stdout
    done = command("hyperml_tf.recommend", f"--model={output}", "--user=u003", "--k=4")
    assert done.returncode == 0, done.stderr
    head, columns, *lines = done.stdout.strip().split("\n")
    assert head == "user u003: NCF on tiny, seen items left out"
    assert columns.split() == ["rank", "item", "score"]
    scores = [float(line.split()[2]) for line in lines]
    assert len(scores) == 4 and scores == sorted(scores, reverse=True)
