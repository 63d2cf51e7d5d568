"""Vectors for other engines: read back by NumPy or faiss, they rank as we do."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import hyperml_tf as hml
from hyperml_tf.errors import InputError
from hyperml_tf.serving import vector_files
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import runs, trainer
from tests.serving import oracle

K = 10
WITH_POINTS = ["hyperml", "hyperts", "cml", "mf_bpr"]


def read(folder):
    """Ids and vectors of users and of items, and what the files say."""
    tables = [pq.read_table(folder / f"{name}.parquet") for name in ("users", "items")]
    sides = []
    for table in tables:
        vectors = table["vector"].combine_chunks()
        matrix = vectors.values.to_numpy().reshape(len(table), vectors.type.list_size)
        sides += [np.array(table["id"].to_pylist()), matrix]
    said = [json.loads(table.schema.metadata[b"hyperml"]) for table in tables]
    assert said[0] == said[1]
    return *sides, said[0]


@pytest.fixture(scope="module", params=WITH_POINTS)
def key(request):
    return request.param


@pytest.fixture(scope="module")
def model(key, models):
    return models[key]


@pytest.fixture(scope="module")
def served(key, interactions, loaded):
    """The exact answer of the export, by user."""
    table = hml.recommend(loaded(key), interactions.user_ids, K, exclude_seen=False)
    return dict(iter(table.groupby("user")["item"].apply(list).items()))


def written(model, interactions, folder, form):
    vector_files.write(model, interactions, folder, form)
    return read(folder)


def lists(scores, users, items):
    """The K best items of users, by name."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return dict(zip(users, items[order].tolist(), strict=True))


def test_inner_products_of_lifted_vectors_find_what_the_export_answers(
    model, served, interactions, tmp_path
):
    users, u, items, v, said = written(model, interactions, tmp_path, "lifted")
    assert said["form"] == "lifted" and users.tolist() == interactions.user_ids
    scores = u.astype(np.float64) @ v.T.astype(np.float64)
    assert lists(scores, users, items) == served


def test_faiss_finds_the_same_by_inner_product(model, served, interactions, tmp_path):
    faiss = pytest.importorskip("faiss")
    users, u, items, v, _ = written(model, interactions, tmp_path, "lifted")
    index = faiss.IndexFlatIP(v.shape[1])
    index.add(np.ascontiguousarray(v, np.float32))
    _, found = index.search(np.ascontiguousarray(u, np.float32), K)
    got = dict(zip(users, items[found].tolist(), strict=True))
    # In float32, which may swap two neighbours.
    same = [len({*got[user]} & {*served[user]}) for user in users]
    assert np.mean(same) >= 0.99 * K


@pytest.mark.parametrize("form", ["ball", "tangent"])
def test_points_are_ranked_by_the_distance_that_the_file_names(
    form, model, served, interactions, tmp_path
):
    users, u, items, v, said = written(model, interactions, tmp_path, form)
    u, v = u.astype(np.float64), v.astype(np.float64)
    if said["measure"] == "InnerProduct":
        scores = u @ v.T
    else:
        c = said["c"] or 0.0
        if form == "tangent" and c:
            u, v = oracle.exp0(u, c), oracle.exp0(v, c)
        scores = -oracle.ball_distance(u, v, c)
    assert lists(scores, users, items) == served


def test_euclidean_neighbours_of_the_shifted_centre_are_the_hyperbolic_ones(
    models, interactions, tmp_path
):
    users, u, _, v, said = written(models["hyperml"], interactions, tmp_path, "ball")
    u, v, c = u.astype(np.float64), v.astype(np.float64), said["c"]
    distances = oracle.ball_distance(u, v, c)
    for row in range(len(users)):
        nearest = np.argsort(distances[row])[:K]
        t2 = np.tanh(np.sqrt(c) * distances[row, nearest[-1]] / 2) ** 2
        centre = u[row] * (1 - t2) / (1 - t2 * c * (u[row] @ u[row]))
        found = np.argsort(np.linalg.norm(v - centre, axis=1))[:K]
        assert {*found} == {*nearest}


def test_points_lose_no_digit_and_pandas_reads_them(models, interactions, tmp_path):
    _, u, _, v, _ = written(models["hyperml"], interactions, tmp_path, "ball")
    assert u.dtype == np.float32
    np.testing.assert_array_equal(v, models["hyperml"].item_table.table.numpy())
    frame = pd.read_parquet(tmp_path / "users.parquet")
    np.testing.assert_array_equal(np.stack(frame["vector"]), u)
    _, u, _, _, _ = written(models["hyperml"], interactions, tmp_path, "lifted")
    assert u.dtype == np.float64


@pytest.mark.parametrize("key", ["lrml", "popularity", "ease", "ncf"])
def test_a_model_without_vectors_says_so(key, models, interactions, tmp_path):
    with pytest.raises(InputError, match="has no vectors to write"):
        vector_files.write(models[key], interactions, tmp_path / "out", "ball")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["ball", "tangent"])
@pytest.mark.parametrize("key", ["hyperbolic_mf", "biased_hyperbolic_mf", "biased"])
def test_points_and_the_offsets_beside_them_order_as_the_scores_do(
    key, form, models, interactions, tmp_path
):
    users, u, items, v, said = written(models[key], interactions, tmp_path, form)
    offsets = pq.read_table(tmp_path / "items.parquet")["offset"].to_numpy()
    assert "offset" not in pq.read_schema(tmp_path / "users.parquet").names
    u, v, c = u.astype(np.float64), v.astype(np.float64), said["c"]
    if form == "tangent":
        u, v = oracle.exp0(u, c), oracle.exp0(v, c)
    scores = said["scale"] * (offsets - oracle.ball_distance(u, v, c) ** 2)
    np.testing.assert_allclose(scores, oracle.scores(models[key], key), atol=1e-8)
    assert (len(users), len(items)) == (40, 300)


@pytest.mark.parametrize("key", ["biased_cml", "biased_mf_bpr"])
def test_flat_models_with_biases_have_lifted_vectors(
    key, models, interactions, tmp_path
):
    _, u, _, v, _ = written(models[key], interactions, tmp_path, "lifted")
    scores = oracle.scores(models[key], key)
    order = np.argsort(-(u.astype(np.float64) @ v.T.astype(np.float64)), axis=1)
    np.testing.assert_array_equal(order, np.argsort(-scores, axis=1))


def test_a_score_that_is_no_product_has_no_lifted_vectors(
    models, interactions, tmp_path
):
    with pytest.raises(InputError, match=r"no inner products.*choose --form=ball"):
        written(models["hyperbolic_mf"], interactions, tmp_path / "out", "lifted")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_the_vectors_of_a_run(
    interactions, prepared_dir, main, tmp_path, caplog
):
    config = configs.for_model("hyperml", "tiny")
    config.epochs, config.eval_every, config.dim = 1, 1, 8
    config = configs.resolve(config)
    run = runs.locate(tmp_path / "runs", config, interactions.fingerprint, 0)
    trainer.train(config, interactions, run)
    words = ["vectors", f"--run={run.folder}", f"--data_dir={prepared_dir}"]
    main(*words, f"--output={tmp_path}/out", "--form=lifted")
    users, u, items, v, said = read(tmp_path / "out")
    assert (len(users), len(items)) == (40, 300) and u.shape[1] == v.shape[1] == 10
    assert (said["model"], said["dataset"], said["c"]) == ("HyperML", "tiny", 1.0)
    with pytest.raises(InputError, match="--output=FOLDER is missing"):
        main(*words)
    with pytest.raises(InputError, match="--run=FOLDER is missing"):
        main("vectors", "--output=x")
