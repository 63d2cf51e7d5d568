"""Speed, recall and exactness of retrieval, on points like a trained model's, or its.

Every function returns one line for `benchmarks.jsonl`. Nothing here is needed to
serve.
"""

import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.geometry import lift, poincare
from hyperml_tf.geometry.offsets import OffsetBall, with_offsets
from hyperml_tf.geometry.retrieval import Points
from hyperml_tf.geometry.spaces import PoincareBall
from hyperml_tf.models import HyperML, Recommender
from hyperml_tf.serving import saved_model
from hyperml_tf.serving.approximate import ScannIndex
from hyperml_tf.serving.catalogue import Catalogue
from hyperml_tf.serving.exact import ExactIndex
from hyperml_tf.serving.tfrs import BruteForce

_DRAWN_AT_A_TIME = 50_000
_K = 10


#: Of the centres of clusters from the origin. For the product, √c times what Hyperbolic
#: MF has on `games` (c = 2): items are at 0.9 … 2.4, but for one in a hundred.
FAR, FAR_OF_PRODUCT = (0.3, 3.6), (0.9, 2.4)


def clustered_points(
    users: int,
    items: int,
    dim: int,
    seed: int,
    per_cluster: int = 100,
    far: tuple[float, float] = FAR,
) -> tuple[np.ndarray, np.ndarray]:
    """Users [users, dim] and items [items, dim] of the unit ball, float32.

    There are items/per_cluster clusters, equally likely. A cluster's centre lies at a
    distance from the origin uniform in `far`: in [0.3, 3.6], 1/(1-‖v‖²) ranges over a
    factor of ten and more. Its points are exp_centre(v), v normal with ‖v‖ of about
    0.5 in the metric. Directions of centres and of v have variance 1/j along axis j:
    the spectrum of trained tables falls about so (HyperML on `games`, 300 epochs: 30 %
    in the first 8 of 64 directions, 66 % in 32).
    """
    rng = np.random.default_rng(seed)
    clusters = max(1, items // per_cluster)
    axes = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    centres = rng.normal(size=(clusters, dim)).astype(np.float32) * axes
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    distance = rng.uniform(*far, size=(clusters, 1)).astype(np.float32)
    centres *= np.tanh(distance / 2)
    spread = 0.25 * axes / np.linalg.norm(axes)  # λ_0 = 2

    def draw(count):
        step = rng.normal(size=(count, dim)).astype(np.float32) * spread
        chosen = centres[rng.integers(clusters, size=count)]
        moved = poincare.mobius_add(chosen, poincare.exp0(step))
        return poincare.project(moved).numpy()

    def all_of(count):
        starts = range(0, count, _DRAWN_AT_A_TIME)
        parts = [draw(min(_DRAWN_AT_A_TIME, count - start)) for start in starts]
        return np.concatenate(parts)

    return all_of(users), all_of(items)


def retrieval(items: int, dim: int = 64, queries: int = 2000, batch: int = 100) -> dict:
    """Queries per second and recall@10 of brute force, the exact index and ScaNN.

    Args:
        items: I.
        dim: D.
        queries: users asked for, after a warm-up; brute force is asked half.
        batch: users per call.
    """
    users, points = clustered_points(queries, items, dim, seed=0)
    users, points = (tf.cast(side, tf.float64) for side in (users, points))
    line = _compared(Catalogue(PoincareBall(1.0), points), users, batch)
    return {"name": "retrieval", **line, "dim": dim}


def retrieval_by_product(
    items: int, dim: int = 64, queries: int = 2000, batch: int = 100
) -> dict:
    """As `retrieval`, by the score of Hyperbolic MF."""
    users, points = clustered_points(queries, items, dim, 0, far=FAR_OF_PRODUCT)
    users, points = (tf.cast(side, tf.float64) for side in (users, points))
    offsets = poincare.squared_distance(tf.zeros_like(points), points, 1.0)
    rows = with_offsets(points, offsets)
    catalogue = Catalogue(OffsetBall(1.0, scale=0.5), rows)
    line = _compared(catalogue, with_offsets(users), batch)
    return {"name": "retrieval_product", **line, "dim": dim}


def retrieval_of(model: Recommender, queries: int = 2000, batch: int = 100) -> dict:
    """As `retrieval`, on the points of a trained model.

    Raises:
        InputError: the model has no index.
    """
    points = _points_of(model)
    step = max(1, model.num_users // queries)
    users = points.users[::step][:queries]
    line = _compared(Catalogue(points.measure, points.items), users, batch)
    name = type(model).__name__
    return {"name": "retrieval_run", "model": name, **line, "dim": model.item_table.dim}


def _compared(catalogue: Catalogue, users: tf.Tensor, batch: int) -> dict:
    """The line of a catalogue and queries [U, D] float64, by all three."""
    nothing = tf.fill([batch, 1], catalogue.size)
    fewer = users[: max(batch, users.shape[0] // 2)]
    k = tf.constant(_K)

    brute_force, queries = _brute_force(catalogue, fewer)
    _, brute_force_rate = _timed(brute_force, queries, batch)

    exact = ExactIndex(catalogue, users)
    truth, exact_rate = _timed(lambda q: exact.top(q, nothing, k)[0], fewer, batch)
    proven = [exact.attempt(q, nothing, k)[2] for q in _batches(fewer, batch)]

    begin = time.perf_counter()
    scann = ScannIndex(catalogue, users)
    build_seconds = time.perf_counter() - begin
    found, scann_rate = _timed(lambda q: scann.top(q, nothing, k)[0], users, batch)
    pairs = zip(truth, found, strict=False)
    return {
        "rows": catalogue.size,
        "batch": batch,
        "k": _K,
        "brute_force_per_second": brute_force_rate,
        "exact_per_second": exact_rate,
        "exact_scanned_share": 1 - float(np.mean(proven)),
        "scann_build_seconds": build_seconds,
        "scann_per_second": scann_rate,
        "scann_speedup": scann_rate / brute_force_rate,
        "scann_recall10": float(np.mean([np.isin(t, f).mean() for t, f in pairs])),
    }


def _brute_force(catalogue: Catalogue, users: tf.Tensor):
    """Every score in float32, the best of them, unproven; and what it is asked for.

    Where scores are no products, by the formula in TensorFlow's own operations.
    """
    measure = catalogue.measure
    points = tf.cast(catalogue.points, tf.float64)
    lifted = tf.cast(measure.lift_item(points), tf.float32)
    if measure.is_product:
        brute_force = BruteForce(k=_K)
        brute_force.index(lifted)
        queries = tf.cast(measure.lift_query(users), tf.float32)
        return lambda q: brute_force(q)[1], queries
    assert isinstance(measure, OffsetBall)
    offsets, c = tf.cast(points[:, -1], tf.float32), measure.c

    def best(u):
        products = tf.matmul(lift.lift_query(u), lifted, transpose_b=True)
        distances = lift.lifted_to_distance(products, u[:, tf.newaxis], c)
        return tf.math.top_k(offsets - tf.square(distances), _K)[1]

    return best, tf.cast(users[:, :-1], tf.float32)


def _points_of(model: Recommender) -> Points:
    points = model.retrieval_points()
    if points is None:
        raise InputError(f"{type(model).__name__} has no index to compare")
    return points


def exactness(model: Recommender, batch: int = 32) -> dict:
    """Compares the exact index with the sort of all float64 distances, for every user.

    Args:
        model: a trained model that has an index.
        batch: users at a time; [batch, I, D] differences are held.

    Returns:
        The users tried; `lists_differing`, whose 10 items or their order are not the
        sort's; `lists_wrong`, those among them that ties within 1e-12 do not explain;
        the share of users answered by a scan; and the largest relative error of a
        distance, or of an inner product, that was shown.

    Raises:
        InputError: the model has no index.
    """
    points = _points_of(model)
    catalogue = Catalogue(points.measure, points.items)
    index = ExactIndex(catalogue, points.users)

    @tf.function(autograph=False)
    def compare(u):
        nothing = tf.fill([tf.shape(u)[0], 1], catalogue.size)
        items, keys, proven = index.attempt(u, nothing, tf.constant(_K))
        items, keys = catalogue.scan_unless(proven, u, nothing, items, keys)
        shown = points.measure.values(keys, u[:, tf.newaxis])
        values = shown.get("distances", shown["scores"])
        everything = points.measure.dissimilarity(u[:, tf.newaxis], points.items)
        order = tf.argsort(everything, axis=1, stable=True)[:, :_K]
        ours, best = (
            tf.gather(everything, chosen, batch_dims=1) for chosen in (items, order)
        )
        error = tf.abs(tf.abs(values) / tf.abs(ours) - 1)
        wrong = tf.abs(ours - best) > 1e-12 * tf.abs(best)
        return proven, tf.not_equal(items, order), wrong, error

    parts = [
        [part.numpy() for part in compare(points.users[start : start + batch])]
        for start in range(0, model.num_users, batch)
    ]
    proven, differing, wrong, error = map(np.concatenate, zip(*parts, strict=True))
    return {
        "name": "exactness",
        "model": type(model).__name__,
        "rows": catalogue.size,
        "dim": model.item_table.dim,
        "batch": batch,
        "k": _K,
        "users": len(proven),
        "lists_differing": int(differing.any(axis=1).sum()),
        "lists_wrong": int(wrong.any(axis=1).sum()),
        "exact_scanned_share": 1 - float(proven.mean()),
        "worst_relative_error": float(error.max()),
    }


def latency(
    items: int = 100_000, dim: int = 64, calls: int = 10_000, index: str = "exact"
) -> dict:
    """p50 and p99 of single-user requests to an exported model, in milliseconds.

    Args:
        items: I.
        dim: D.
        calls: requests, one after the other, after a warm-up of 100.
        index: of `saved_model.INDEXES`.
    """
    users, points = clustered_points(1000, items, dim, seed=0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        model, data = _as_trained(users, points)
        saved_model.export(model, data, folder / "model", index)
        served = tf.saved_model.load(str(folder / "model"))
    ask = served.signatures["recommend"]
    k, exclude_seen = tf.constant(_K), tf.constant(True)
    seconds = np.empty(calls + 100)
    for call in range(len(seconds)):
        begin = time.perf_counter()
        user = tf.constant([f"user {call % len(users)}"])
        ask(user_ids=user, k=k, exclude_seen=exclude_seen)["item_ids"].numpy()
        seconds[call] = time.perf_counter() - begin
    p50, p99 = np.quantile(seconds[100:], [0.5, 0.99]) * 1e3
    return {
        "name": f"latency_{index}",
        "rows": items,
        "dim": dim,
        "calls": calls,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


def export(items: int, dim: int = 64, index: str = "exact") -> dict:
    """Seconds and size of the export of a model of 1,000 users.

    Args:
        items: I.
        dim: D.
        index: of `saved_model.INDEXES`.
    """
    model, data = _as_trained(*clustered_points(1000, items, dim, seed=0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary, "model")
        begin = time.perf_counter()
        saved_model.export(model, data, folder, index)
        seconds = time.perf_counter() - begin
        files = (file for file in folder.rglob("*") if file.is_file())
        size = sum(file.stat().st_size for file in files)
    return {
        "name": f"export_{index}",
        "rows": items,
        "dim": dim,
        "seconds": round(seconds, 2),
        "megabytes": round(size / 1e6, 1),
    }


def _as_trained(users: np.ndarray, items: np.ndarray) -> tuple[HyperML, Interactions]:
    """A model with these points, and a dataset of 20 random items per user."""
    rng = np.random.default_rng(0)
    nobody = np.full(len(users), -1, np.int32)
    data = Interactions(
        name="synthetic",
        train_user=np.repeat(np.arange(len(users), dtype=np.int32), 20),
        train_item=rng.integers(len(items), size=20 * len(users), dtype=np.int32),
        valid_item=nobody,
        test_item=nobody,
        valid_negatives=nobody[:, np.newaxis],
        test_negatives=nobody[:, np.newaxis],
        user_ids=[f"user {row}" for row in range(len(users))],
        item_ids=[f"item {row}" for row in range(len(items))],
    )
    model = HyperML(
        data.num_users,
        data.num_items,
        dim=users.shape[1],
        c=1.0,
        margin=0.5,
        distortion_weight=0.0,
        init_scale=0.01,
        dropout=0.0,
        seed=0,
    )
    model.user_table.table.assign(users)
    model.item_table.table.assign(items)
    return model, data


def _batches(queries: tf.Tensor, batch: int) -> list[tf.Tensor]:
    """Whole batches only."""
    return [
        queries[start : start + batch]
        for start in range(0, queries.shape[0] - batch + 1, batch)
    ]


def _timed(function, queries: tf.Tensor, batch: int) -> tuple[np.ndarray, float]:
    """Results of whole batches, and queries per second after a warm-up."""
    function = tf.function(function, autograph=False)
    batches = _batches(queries, batch)
    function(batches[0])
    begin = time.perf_counter()
    results = [function(one).numpy() for one in batches]
    return np.concatenate(results), batch * len(batches) / (time.perf_counter() - begin)
