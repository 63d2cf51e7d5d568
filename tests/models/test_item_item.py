"""ItemKNN, EASE and iALS against their definitions, written the slow way in NumPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import threadpoolctl

from hyperml_tf.errors import InputError
from hyperml_tf.models import ease, item_knn
from hyperml_tf.models.ease import EASE
from hyperml_tf.models.ials import IALS
from hyperml_tf.models.item_knn import ItemKNN

TRAIN = [[0, 1, 2], [1, 2], [2, 3, 0, 5], [4, 1], [5, 4, 3], [1, 3]]
USERS, ITEMS = len(TRAIN), 7  # nobody has the last item
TOLERANCE = 1e-6  # W is float32, its entries are below 1


@pytest.fixture
def data(make_interactions):
    return make_interactions(TRAIN, ITEMS)


def slow_cosine(shrinkage):
    takers = [{u for u, items in enumerate(TRAIN) if i in items} for i in range(ITEMS)]
    weights = np.zeros((ITEMS, ITEMS))
    for i, j in itertools.permutations(range(ITEMS), 2):
        both = len(takers[i] & takers[j])
        if both:
            product = len(takers[i]) * len(takers[j])
            weights[i, j] = both / (product**0.5 + shrinkage)
    return weights


def slow_scores(weights):
    return np.array([sum(weights[i] for i in items) for items in TRAIN])


def everyone(model):
    return model.score_all(tf.range(USERS)).numpy()


@pytest.fixture(params=["sparse", "dense"])
def kept(request, monkeypatch):
    """The two ways in which ItemKNN keeps its weights."""
    from_density = {"sparse": 0, "dense": 1_000_000}[request.param]
    monkeypatch.setattr(item_knn, "_DENSE_FROM", from_density)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("shrinkage", [0.0, 3.0])
def test_item_knn_sums_the_cosines_with_the_users_items(data, shrinkage):
    model = ItemKNN(USERS, ITEMS, shrinkage=shrinkage)
    model.adapt(data)
    expected = slow_scores(slow_cosine(shrinkage))
    np.testing.assert_allclose(everyone(model), expected, atol=TOLERANCE)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("neighbours", [1, 2, 3])
def test_item_knn_counts_the_strongest_neighbours_of_the_item_scored(data, neighbours):
    model = ItemKNN(USERS, ITEMS, shrinkage=1.0, neighbours=neighbours)
    model.adapt(data)
    weights = slow_cosine(1.0)
    for j in range(ITEMS):
        strongest = sorted(range(ITEMS), key=lambda i: (-weights[i, j], i))
        weights[strongest[neighbours:], j] = 0
    np.testing.assert_allclose(everyone(model), slow_scores(weights), atol=TOLERANCE)


def slow_ease(l2):
    """Column by column: least squares on the other items, Steck's problem itself."""
    x = np.array([[float(i in items) for i in range(ITEMS)] for items in TRAIN])
    weights = np.zeros((ITEMS, ITEMS))
    for j in range(ITEMS):
        others = [i for i in range(ITEMS) if i != j]
        a = x[:, others]
        solved = np.linalg.solve(a.T @ a + l2 * np.eye(ITEMS - 1), a.T @ x[:, j])
        weights[others, j] = solved
    return weights


@pytest.mark.parametrize("l2", [0.5, 20.0])
def test_ease_is_ridge_regression_of_every_item_on_the_others(data, l2):
    model = EASE(USERS, ITEMS, l2=l2)
    model.adapt(data)
    expected = slow_scores(slow_ease(l2))
    np.testing.assert_allclose(everyone(model), expected, atol=TOLERANCE)


def test_ease_takes_its_weights_block_by_block(rng):
    size = 1500  # more than one block, and not a multiple of it
    half = rng.normal(size=(size, size)) + size**0.5 * np.eye(size)
    inverse = half @ half.T
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    got = ease._weights_of(np.asfortranarray(np.tril(inverse)))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_ease_inverts_on_one_thread(data, monkeypatch):
    """More threads of OpenBLAS end in a segmentation fault where items are many."""
    threads = []

    def counted(*arguments, of=ease.lapack.dpotrf, **options):
        blas = threadpoolctl.threadpool_info()
        threads.extend(b["num_threads"] for b in blas if b["user_api"] == "blas")
        return of(*arguments, **options)

    monkeypatch.setattr(ease.lapack, "dpotrf", counted)
    EASE(USERS, ITEMS).adapt(data)
    assert threads and set(threads) == {1}


def test_ease_refuses_what_does_not_fit_by_name_and_size():
    needed = ease.bytes_needed(200_000)
    with pytest.raises(InputError, match=r"ease on books: .*200,000 x 200,000 .*knn"):
        ease.refuse_if_too_large("books", 200_000, needed - 1)
    ease.refuse_if_too_large("books", 200_000, needed)


def slow_als(dim, l2, alpha, start, rounds):
    """The exact half steps, one row after the other."""
    x = np.array([[float(i in items) for i in range(ITEMS)] for items in TRAIN])
    confidence = np.where(x > 0, alpha, 1.0)
    users, items = start
    for _ in range(rounds):
        for here, there, c, r in ((0, 1, confidence, x), (1, 0, confidence.T, x.T)):
            fixed = (users, items)[there]
            solved = [
                np.linalg.solve(
                    fixed.T @ (weight[:, None] * fixed) + l2 * np.eye(dim),
                    fixed.T @ (weight * row),
                )
                for weight, row in zip(c, r, strict=True)
            ]
            users, items = (solved, items) if here == 0 else (users, solved)
            users, items = np.array(users), np.array(items)
    return users, items


def als_objective(users, items, l2, alpha):
    x = np.array([[float(i in known) for i in range(ITEMS)] for known in TRAIN])
    error = np.where(x > 0, alpha, 1.0) * (x - users @ items.T) ** 2
    return error.sum() + l2 * ((users**2).sum() + (items**2).sum())


def test_ials_ends_where_exact_alternating_least_squares_ends(data, rng):
    l2, alpha, dim = 0.5, 4.0, 2
    model = IALS(USERS, ITEMS, dim=dim, l2=l2, alpha=alpha, iterations=200)
    model.adapt(data)
    start = rng.normal(size=(USERS, dim)), rng.normal(size=(ITEMS, dim))
    users, items = slow_als(dim, l2, alpha, start, rounds=200)
    ours = model.user_table.table.numpy(), model.item_table.table.numpy()
    least = als_objective(users, items, l2, alpha)
    assert als_objective(*ours, l2, alpha) == pytest.approx(least, rel=1e-4)
    # Factors are determined up to a rotation, their products are not.
    np.testing.assert_allclose(everyone(model), users @ items.T, atol=2e-3)


def test_ials_of_the_same_seed_has_the_same_bits(data):
    def fitted(seed):
        model = IALS(USERS, ITEMS, dim=3, seed=seed)
        model.adapt(data)
        return everyone(model)

    np.testing.assert_array_equal(fitted(4), fitted(4))
    assert np.any(fitted(4) != fitted(5))


MODELS = [
    lambda: ItemKNN(USERS, ITEMS, shrinkage=1.0, neighbours=3),
    lambda: EASE(USERS, ITEMS, l2=2.0),
    lambda: IALS(USERS, ITEMS, dim=3),
]


@pytest.mark.parametrize("make", MODELS)
def test_pairs_score_as_the_catalogue_does(data, make):
    model = make()
    model.adapt(data)
    users, items = np.array([3, 0, 3], np.int32), np.array([[1, 6], [2, 2], [5, 0]])
    got = model.score(users[:, None], items.astype(np.int32)).numpy()
    expected = np.take_along_axis(everyone(model)[users], items, axis=1)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("make", MODELS)
def test_data_of_another_size_are_refused(make, make_interactions):
    with pytest.raises(InputError, match="model was made for"):
        make().adapt(make_interactions(TRAIN, 9))


@pytest.mark.parametrize("make", MODELS)
def test_config_makes_the_model_again(make):
    model = make()
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize("make", MODELS)
def test_a_fitted_models_weights_are_saved_and_loaded(data, make, tmp_path):
    model, again = make(), make()
    model.adapt(data)
    tf.train.Checkpoint(model).write(str(tmp_path / "fitted"))
    tf.train.Checkpoint(again).read(str(tmp_path / "fitted")).assert_consumed()
    np.testing.assert_array_equal(everyone(again), everyone(model))


@pytest.mark.parametrize("make", MODELS)
def test_a_fitted_model_is_exported_with_tensorflow_alone(data, make, tmp_path):
    model = make()
    model.adapt(data)
    module = tf.Module()
    module.variables_of_model = model.variables
    spec = tf.TensorSpec([None], tf.int32)
    module.scores = tf.function(model.score_all, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "served"))
    served = tf.saved_model.load(str(tmp_path / "served"))
    got = served.scores(tf.range(USERS)).numpy()
    np.testing.assert_array_equal(got, everyone(model))
