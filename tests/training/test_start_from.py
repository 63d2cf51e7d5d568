"""Runs that start from a finished one: rows by raw id, an identity of their own."""

import dataclasses

import numpy as np
import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import tables
from hyperml_tf.reproduction.reporting.sources import gather
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory, finished, launch, origin, runs, trainer
from tests.training.conftest import settings, train_run

# Where each user and item of `newer` stood in `tree`, as arranged there.
USERS, ITEMS = np.r_[-1, 39:-1:-1, -1], np.r_[1:160, -1, 0]


@pytest.fixture
def newer(tree):
    """`tree` in another order, with two new users and a new item."""
    place = np.empty(160, np.int32)
    place[ITEMS[ITEMS >= 0]] = np.flatnonzero(ITEMS >= 0)
    train, valid, test, negatives = [], [], [], []
    for user in USERS:
        whose = user if user >= 0 else 3
        train.append(place[tree.train_item[tree.train_user == whose]].tolist())
        valid.append(place[tree.valid_item[whose]])
        test.append(place[tree.test_item[whose]])
        negatives.append(place[tree.valid_negatives[whose]])
    train[0].append(159)
    return dataclasses.replace(
        tree,
        train_user=np.repeat(np.arange(42), [len(t) for t in train]).astype(np.int32),
        train_item=np.concatenate(train).astype(np.int32),
        valid_item=np.array(valid),
        test_item=np.array(test),
        valid_negatives=np.stack(negatives),
        test_negatives=np.stack(negatives),
        user_ids=[
            f"u{user}" if user >= 0 else f"new{at}" for at, user in enumerate(USERS)
        ],
        item_ids=[f"i{item}" if item >= 0 else "fresh" for item in ITEMS],
        fingerprint="newer",
    )


MODELS = ["hyperml", "hyperts", "cml", "mf_bpr", "lrml", "mlp", "ncf", "mf_softmax"]


def begun(config, run, data, tmp_path):
    """The untrained model, before and after what it starts from is carried over."""
    first = factory.build_model(config, data, trainer.seeds(1)[0])
    started = factory.build_model(config, data, trainer.seeds(1)[0])
    origin.find(str(run.folder), tmp_path).carry_over(started, data)
    return first, started


@pytest.mark.parametrize("model", MODELS)
def test_known_rows_are_carried_over_and_new_ones_are_not(model, tree, newer, tmp_path):
    config = settings(model=model, epochs=2)
    _, run = train_run(config, tree, tmp_path)
    old = finished.restored(config, tree, run)
    first, started = begun(config, run, newer, tmp_path)
    tables = 0
    for side, rows in (("users", USERS), ("items", ITEMS)):
        known = rows >= 0
        for before, fresh, after in zip(
            *(m.row_tables()[side] for m in (old, first, started)), strict=True
        ):
            before, fresh, after = (v.numpy() for v in (before, fresh, after))
            np.testing.assert_array_equal(after[known], before[rows[known]])
            np.testing.assert_array_equal(after[~known], fresh[~known])
            tables += before.size
    other = sum(v.numpy().size for v in old.trainable_variables) - tables
    for before, after in zip(
        old._weights_beside_tables(), started._weights_beside_tables(), strict=True
    ):
        np.testing.assert_array_equal(after, before)
        other -= before.numpy().size
    assert other == 0  # nothing is left out


def test_a_known_user_scores_as_before_the_first_step(tree, newer, tmp_path):
    config = settings(model="cml", item_bias=True, epochs=4)
    _, run = train_run(config, tree, tmp_path)
    _, started = begun(config, run, newer, tmp_path)
    before = finished.restored(config, tree, run).score_all(np.arange(40)).numpy()
    after = started.score_all(np.arange(42)).numpy()
    users, items = np.flatnonzero(USERS >= 0), np.flatnonzero(ITEMS >= 0)
    np.testing.assert_allclose(
        after[np.ix_(users, items)],
        before[np.ix_(USERS[users], ITEMS[items])],
        rtol=1e-12,
    )


def launched(config, data, tmp_path, source, **options):
    execution = trainer.Execution(**options)
    before = origin.find(str(source.folder), tmp_path)
    metrics = launch.launch(config, data, tmp_path, 0, execution, before)
    return metrics, runs.locate(tmp_path, config, data.fingerprint, 0, before.run)


def test_it_learns_in_fewer_epochs_and_has_a_folder_of_its_own(tree, newer, tmp_path):
    config = settings(model="cml", epochs=60, eval_every=60, dropout=0.0)
    _, source = train_run(config, tree, tmp_path)
    short = settings(model="cml", epochs=1, eval_every=1, dropout=0.0)
    cold, cold_run = train_run(short, newer, tmp_path)
    warm, run = launched(short, newer, tmp_path, source)
    assert run.folder != cold_run.folder and run.done
    assert run.config["variant"] == f"start_from={source.name}"
    assert warm["valid"]["ndcg10"] > 1.5 * cold["valid"]["ndcg10"]
    assert not launch.like(run).departures
    other = settings(model="cml", epochs=61, eval_every=60, dropout=0.0)
    _, another = train_run(other, tree, tmp_path)
    assert launched(short, newer, tmp_path, another)[1] != run


def test_an_interrupted_one_ends_as_the_uninterrupted_one(tree, newer, tmp_path):
    _, source = train_run(settings(), tree, tmp_path / "old")
    whole, _ = launched(settings(), newer, tmp_path / "a", source)
    left, _ = launched(settings(), newer, tmp_path / "b", source, stop_epoch=3)
    assert left is None
    again, _ = launched(settings(), newer, tmp_path / "b", source)
    assert again["test_full"] == whole["test_full"]


def test_the_hashes_of_other_runs_do_not_move():
    config = settings()
    assert configs.config_hash(config, "f") == configs.config_hash(config, "f", "")
    assert configs.config_hash(config, "f") != configs.config_hash(config, "f", "o")


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"dim": 4}, "--config.dim=8"),
        ({"c": 2.0}, r"--config\.c=1\.0"),
        ({"item_bias": True}, "--config.item_bias=False"),
        ({"model": "cml"}, "is a run of hyperml"),
    ],
)
def test_weights_of_no_use_are_refused(changes, said, tree, newer, tmp_path):
    _, source = train_run(settings(epochs=1), tree, tmp_path)
    with pytest.raises(InputError, match=said):
        launched(settings(**changes), newer, tmp_path, source)
    assert len(runs.finished(tmp_path)) == 1


def test_a_fitted_model_starts_from_nothing(tree, newer, tmp_path):
    config = configs.resolve(configs.for_model("ease", "memory"))
    _, source = train_run(config, tree, tmp_path)
    with pytest.raises(InputError, match="one pass"):
        source.write_ids(users=tree.user_ids, items=tree.item_ids)
        launched(config, newer, tmp_path, source)


def test_what_knows_the_held_out_items_is_no_start_for_a_test(tree, newer, tmp_path):
    _, source = train_run(settings(epochs=1), tree.unsplit(), tmp_path)
    with pytest.raises(InputError, match="give --all_data"):
        launched(settings(), newer, tmp_path, source)
    metrics, _ = launched(settings(), newer.unsplit(), tmp_path, source)
    assert metrics["epochs"] == 6


def test_another_shop_is_refused(tree, newer, tmp_path):
    _, source = train_run(settings(epochs=1), tree, tmp_path)
    strangers = dataclasses.replace(newer, user_ids=[f"x{u}" for u in range(42)])
    with pytest.raises(InputError, match="none of the users"):
        launched(settings(), strangers, tmp_path, source)


def test_a_run_without_ids_needs_its_data(tree, tmp_path):
    _, source = train_run(settings(epochs=1), tree, tmp_path)
    (source.folder / "users.txt").unlink()
    with pytest.raises(InputError, match="no prepared dataset"):
        origin.find(str(source.folder), tmp_path / "nowhere")


def test_reports_do_not_take_it_for_the_committed_settings(tree, newer, tmp_path):
    _, source = train_run(settings(), tree, tmp_path)
    _, cold_run = train_run(settings(), newer, tmp_path)
    _, run = launched(settings(), newer, tmp_path, source)
    sources = gather(tmp_path, tmp_path / "data")
    row = sources.results.row("memory", "hyperml")
    assert row.config_hash in (source.config_hash, cold_run.config_hash)
    (labelled,) = record.collect([run]).rows["variant"]
    assert labelled == f"start_from={source.name}"
    assert tables.of_results(sources.results, sources.significance)
