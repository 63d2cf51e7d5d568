"""Lists of excluded and allowed items: the best of what is left, and nothing else."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import hyperml_tf as hml
from hyperml_tf.errors import InputError
from hyperml_tf.geometry.retrieval import InnerProduct
from hyperml_tf.geometry.spaces import PoincareBall
from hyperml_tf.serving import measure
from hyperml_tf.serving.catalogue import Catalogue
from hyperml_tf.serving.exact import ExactIndex
from hyperml_tf.serving.filters import Filter
from tests.serving import oracle
from tests.serving.conftest import ITEMS, USERS

K = 7
EVERY_USER = [f"u{user}é" for user in range(USERS)]
TOLERANCE = {"lrml": 1e-5}  # float32 scores


@pytest.fixture(scope="module", params=["hyperml", "mf_bpr", "lrml", "popularity"])
def served(request, models, loaded):
    """The signatures of an export, and the scores of its model."""
    scores = oracle.scores(models[request.param], request.param).astype(np.float64)
    return loaded(request.param).signatures, scores, TOLERANCE.get(request.param, 1e-9)


def ask(signatures, users=EVERY_USER, exclude=None, allow=None, k=K, seen_out=True):
    request = {
        "user_ids": tf.constant(users),
        "k": tf.constant(k),
        "exclude_seen": tf.constant(seen_out),
        "exclude_items": tf.constant([[""]] if exclude is None else exclude),
        "allowed_items": tf.constant([[""]] if allow is None else allow),
    }
    answer = signatures["recommend_filtered"](**request)
    return {name: value.numpy() for name, value in answer.items()}


def names(rows):
    return [f"i{row}" for row in rows]


def padded(lists, width):
    return [[*names(rows), *[""] * (width - len(rows))] for rows in lists]


def assert_best(answer, scores, left, k=K, tolerance=1e-9):
    """Each user gets the k best of the items `left` to them, ties aside."""
    for user, mine in enumerate(left):
        mine = np.array(sorted(mine), int)
        best = -np.sort(-scores[user, mine])[:k]
        found = [int(name[1:]) for name in answer["item_ids"][user] if name]
        assert len(found) == len(set(found)) == len(best) and set(found) <= {*mine}
        np.testing.assert_allclose(scores[user, found], best, rtol=tolerance)
        shown = answer["scores"][user]
        np.testing.assert_allclose(shown[: len(best)], best, rtol=tolerance)
        assert np.isnan(shown[len(best) :]).all()


def left_to(known, excluded=None, allowed=None):
    """What users may get, as sets of rows."""
    everything = set(range(ITEMS))
    for user, seen in enumerate(known):
        left = everything - seen
        if excluded is not None:
            left = left - set(excluded[user % len(excluded)])
        if allowed is not None:
            left = left & set(allowed[user % len(allowed)])
        yield left


def test_one_list_of_excluded_items_holds_for_all_users(served, known, rng):
    signatures, scores, tolerance = served
    for count in (5, ITEMS - 20):  # 20 are left: fewer than the proof fetches
        out = [rng.permutation(ITEMS)[:count]]
        answer = ask(signatures, exclude=padded(out, count))
        assert_best(answer, scores, left_to(known, out), tolerance=tolerance)


def test_one_list_of_allowed_items_holds_for_all_users(served, known, rng):
    signatures, scores, tolerance = served
    for count in (3, 30, ITEMS):
        wanted = [rng.permutation(ITEMS)[:count]]
        answer = ask(signatures, allow=padded(wanted, count))
        assert_best(answer, scores, left_to(known, None, wanted), tolerance=tolerance)


def test_each_user_may_have_lists_of_their_own(served, known, rng):
    signatures, scores, tolerance = served
    out = [rng.permutation(ITEMS)[: user * 5] for user in range(USERS)]
    wanted = [rng.permutation(ITEMS)[: 4 * user + 1] for user in range(USERS)]
    answer = ask(signatures, exclude=padded(out, 200), allow=padded(wanted, 160))
    assert_best(answer, scores, left_to(known, out, wanted), tolerance=tolerance)


def test_k_answers_come_while_k_are_allowed(served, rng):
    signatures, scores, _ = served
    worst = np.argsort(scores[5])[:K]
    answer = ask(signatures, EVERY_USER[5:6], allow=[names(worst)], seen_out=False)
    assert {*answer["item_ids"][0]} == {name.encode() for name in names(worst)}


@pytest.mark.parametrize("empty", [[[""]], [["", ""]] * USERS, np.empty((0, 0), str),
                                   np.empty((0, 3), str), np.empty((1, 0), str),
                                   np.empty((USERS, 0), str)])  # fmt: skip
def test_no_list_is_no_filter(empty, served):
    signatures, _, _ = served
    expected = signatures["recommend"](
        user_ids=tf.constant(EVERY_USER),
        k=tf.constant(K),
        exclude_seen=tf.constant(True),
    )
    for answer in (ask(signatures, exclude=empty), ask(signatures, allow=empty)):
        for name, value in expected.items():
            np.testing.assert_array_equal(answer[name], value)


def test_unknown_ids_change_nothing_and_repeated_ones_count_once(served, known):
    signatures, scores, tolerance = served
    answer = ask(
        signatures,
        exclude=[["i9", "nothing", "i9", "i?", ""]],
        allow=[["", "i8", "i9", "i10", "i10", "none", "i8"]],
    )
    left = left_to(known, [[9]], [[8, 9, 10]])
    assert_best(answer, scores, left, tolerance=tolerance)


def test_who_allows_unknown_items_alone_gets_nothing(served):
    answer = ask(served[0], allow=[["i?"]])
    assert answer["item_ids"].tolist() == [[b""] * K] * USERS
    assert np.isnan(answer["scores"]).all()


def test_an_unknown_user_gets_the_most_popular_of_what_is_left(served, interactions):
    counts = np.bincount(interactions.train_item, minlength=ITEMS)
    popular = np.argsort(-counts, kind="stable")
    users = ["nobody", "u3é", ""]
    out, wanted = popular[:3], popular[::2][:6]
    answer = ask(served[0], users, exclude=[names(out)], allow=[names(wanted)])
    left = [name.encode() for name in names(i for i in wanted if i not in out)]
    for row in (0, 2):
        assert answer["item_ids"][row].tolist() == left + [b""] * (K - len(left))
        assert np.isnan(answer["scores"][row]).all()
    assert answer["known_users"].tolist() == [False, True, False]


def test_a_number_of_lists_that_fits_no_users_is_refused(served):
    for lists in ({"exclude": [["i1"]] * 2}, {"allow": [["i1"]] * (USERS + 1)}):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="one row, or one a user"
        ):
            ask(served[0], **lists)


def of_rows(excluded, allowed):
    """A filter of lists of rows, of -1 for none."""
    allowed = tf.constant(allowed, tf.int32)
    some = tf.reduce_any(allowed >= 0, axis=1)
    return Filter(tf.constant(excluded, tf.int32), allowed, some)


@pytest.mark.parametrize("shared", [True, False])
def test_masked_items_of_a_crowd_at_the_rim_are_scanned(shared, rng):
    centre = rng.normal(size=(1, 16))
    crowd = centre + 1e-6 * rng.normal(size=(2020, 16))
    crowd *= (1 - 1e-5) / np.linalg.norm(crowd, axis=1, keepdims=True)
    users, items = np.split(crowd.astype(np.float32).astype(np.float64), [20])
    index = ExactIndex(Catalogue(PoincareBall(1.0), tf.constant(items)), users)
    count = 1 if shared else 20
    order = np.tile(np.arange(2000), (count, 1))
    only = of_rows(np.full((1, 1), -1), rng.permuted(order, axis=1)[:, :900])
    nothing = tf.fill([20, 1], 2000)
    arguments = tf.constant(users), nothing, tf.constant(10)
    assert not index.attempt(*arguments, only.mask(2000))[2].numpy().any()
    found = index.top(*arguments, only)[0].numpy()
    distances = oracle.ball_distance(users, items, 1.0)
    masked = np.where(only.mask(2000).numpy(), distances, np.inf)
    np.testing.assert_allclose(
        np.take_along_axis(masked, found, axis=1), np.sort(masked)[:, :10], rtol=1e-9
    )


@pytest.mark.parametrize("space", [PoincareBall(1.0), InnerProduct()])
def test_the_approximate_index_compares_all_allowed_items(space, rng):
    pytest.importorskip("scann")
    from hyperml_tf.serving.approximate import ScannIndex

    users, items = measure.clustered_points(30, 3000, dim=16, seed=1)
    users, items = (side.astype(np.float64) for side in (users, items))
    index = ScannIndex(Catalogue(space, tf.constant(items)), tf.constant(users))
    keys = oracle.ball_distance(users, items, 1.0)
    if isinstance(space, InnerProduct):
        keys = -users @ items.T
    seen = np.sort(rng.permuted(np.tile(np.arange(3000), (30, 1)), axis=1)[:, :9])
    out = rng.permuted(np.tile(np.arange(3000), (30, 1)), axis=1)[:, :50]
    allowed = rng.permuted(np.tile(np.arange(3000), (30, 1)), axis=1)[:, :200]
    allowed[:, 150:] = allowed[:, :50]  # repeated
    allowed[20:] = -1  # no filter for these
    found, _ = index.top(
        tf.constant(users), tf.constant(seen, tf.int32), tf.constant(200),
        of_rows(out, allowed),
    )  # fmt: skip
    found = found.numpy()
    for row in range(30):
        gone = {*seen[row], *out[row]}
        left = [i for i in {*allowed[row]} if i not in gone]
        got = [i for i in found[row] if i >= 0]
        if row < 20:  # exactly
            np.testing.assert_array_equal(got, sorted(left, key=lambda i: keys[row, i]))
        else:
            assert len(got) == 200 and not gone & {*got}


def test_python_takes_lists_and_refuses_what_is_none(loaded):
    export = loaded("cml")
    both = {"exclude_items": ["i3", 4], "allowed_items": np.array(["i3", "i4", "i5"])}
    table = hml.recommend(export, EVERY_USER[2:4], 9, False, **both)
    assert [{*of["item"]} for _, of in table.groupby("user")] == [{"i4", "i5"}] * 2
    for lists, complaint in (
        ({"allowed_items": []}, "allowed_items is empty"),
        ({"exclude_items": "i3"}, "exclude_items must be a list of raw ids"),
        ({"allowed_items": [None]}, "allowed_items: a raw id is missing"),
    ):
        with pytest.raises(InputError, match=complaint):
            hml.recommend(export, EVERY_USER, **lists)


def test_the_command_takes_files_of_items(export_of, main, tmp_path):
    (tmp_path / "in.txt").write_text("i3\ni4\ni5\ni6\n")
    (tmp_path / "out.txt").write_text("i4\nnothing\n")
    lists = [
        f"--allowed_items={tmp_path}/in.txt",
        f"--exclude_items={tmp_path}/out.txt",
    ]
    words = ["recommend", f"--model={export_of('hyperml')}", *lists]
    main(*words, "--users=all", "--noexclude_seen", f"--output={tmp_path}/all.csv")
    table = pd.read_csv(tmp_path / "all.csv")
    assert table.groupby("user").size().tolist() == [3] * USERS
    assert {*table["item"]} == {"i3", "i5", "i6"}
    with pytest.raises(InputError, match=r"cannot read --exclude_items=/nowhere"):
        main(*words[:2], "--user=u3é", "--exclude_items=/nowhere")
    with pytest.raises(InputError, match=r"--exclude_items is for users"):
        main(*words[:2], "--item=i3", lists[1])


def test_an_export_without_the_signature_says_what_to_do(loaded, monkeypatch):
    old = loaded("cml")
    signatures = {"recommend": old.signatures["recommend"]}
    monkeypatch.setattr(old._model, "signatures", signatures)
    assert len(hml.recommend(old, EVERY_USER[:1], k=2)) == 2
    with pytest.raises(InputError, match="older than lists of items; export the run"):
        hml.recommend(old, EVERY_USER[:1], exclude_items=["i1"])
