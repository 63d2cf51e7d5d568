"""Speed of training and of its input, on synthetic interactions.

Every function returns a list of lines for `benchmarks.jsonl`. Rates are per wall
second and per CPU second: the second is what to compare on a machine that is shared.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.data.triplets import BATCHES_PER_CHUNK, TripletSampler
from hyperml_tf.kernels import choosing
from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.models import DEFINITIONS, Recommender
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory, stepping

_POPULARITY_EXPONENT = 0.7
_READY_TRIPLETS = 1 << 20
_SECONDS = 3.0
_WARM_UP_SECONDS = 1.0
# Steps of an epoch here: Keras spends a millisecond between epochs, which is to be
# nothing beside it.
_STEPS_PER_EPOCH = {
    "fused": 32 * BATCHES_PER_CHUNK,
    "xla": 8 * BATCHES_PER_CHUNK,
    "tensorflow": 128,
}

TRAINED = tuple(key for key, model in DEFINITIONS.items() if model.trains)


def synthetic(rows: int, per_user: int = 10, negatives: int = 100) -> Interactions:
    """Interactions of 0.6 rows users with 0.4 rows items, mildly Zipf.

    Args:
        rows: U + I.
        per_user: training interactions of each, before repeated ones go.
        negatives: stored for each user and split.
    """
    rng = np.random.default_rng(0)
    users, items = round(0.6 * rows), round(0.4 * rows)
    weight = 1 / np.arange(1, items + 1) ** _POPULARITY_EXPONENT
    by_popularity = rng.permutation(items)
    drawn = np.searchsorted(
        np.cumsum(weight) / weight.sum(), rng.random((users, per_user))
    )
    pairs = np.unique(
        np.arange(users)[:, np.newaxis] * items
        + by_popularity[np.minimum(drawn, items - 1)]
    )
    # Held out and negative are any items: ranking costs the same.
    held_out = rng.integers(items, size=(2, users), dtype=np.int32)
    listed = rng.integers(items, size=(2, users, negatives), dtype=np.int32)
    return Interactions(
        name="synthetic",
        train_user=(pairs // items).astype(np.int32),
        train_item=(pairs % items).astype(np.int32),
        valid_item=held_out[0],
        test_item=held_out[1],
        valid_negatives=listed[0],
        test_negatives=listed[1],
        user_ids=[f"u{row}" for row in range(users)],
        item_ids=[f"i{row}" for row in range(items)],
        fingerprint="synthetic",
    )


def pipeline(rows: int, dim: int, batch: int) -> list[dict]:
    """Triplets alone, with and without the compiled search."""
    del dim
    data = synthetic(rows)
    lines = []
    for kernel in ("fused", "tensorflow"):
        compiled = choosing.compiled(kernel)
        if kernel == "fused" and compiled is None:  # no compiler here
            continue
        sampler = TripletSampler(data, 0, compiled=compiled)
        chunks = iter(sampler.dataset(batch, 0, kernel == "fused"))
        next(chunks)
        rates = _rates(lambda: int(next(chunks)[0].shape[0]))  # noqa: B023
        lines.append({"name": f"pipeline/{kernel}", **_as_line(rates, batch)})
    return lines


def training(key: str, rows: int, dim: int, batch: int, dropout: float) -> list[dict]:
    """`fit` of a model with sampling, and on ready-made triplets, by every kernel."""
    data = synthetic(rows)
    return [
        line
        for kernel in _STEPS_PER_EPOCH
        for ready in (False, True)
        for line in _training(data, key, kernel, ready, dim, batch, dropout)
    ]


def _training(data, key, kernel, ready, dim, batch, dropout) -> Iterator[dict]:
    steps = _STEPS_PER_EPOCH[kernel]
    try:
        model, negatives, used, calls = compiled_model(
            data, key, kernel, steps, dim, batch, dropout
        )
    except KernelUnavailable:
        return
    if ready:
        stream = _ready_triplets(data, batch, negatives, used != "tensorflow")
    else:
        sampler = TripletSampler(data, 0, negatives, choosing.compiled(kernel))
        stream = stepping.batches(model, sampler, batch, 0, used)
    step = "step" if ready else "fit"
    line = of_fit(model, stream, calls, steps, batch * negatives)
    yield {"name": f"{step}/{key}/{used}", "dropout": dropout, **line}


def of_fit(
    model: keras.Model, stream: tf.data.Dataset, calls: int, steps: int, batch: int
) -> dict:
    """Rates of Keras's `fit`, medians over epochs.

    Args:
        model: compiled.
        stream: what it is fitted to.
        calls: elements of the stream in an epoch.
        steps: steps in an epoch.
        batch: triplets of a step.
    """
    clock = _Clock()
    model.fit(stream, steps_per_epoch=calls, epochs=10**6, callbacks=[clock], verbose=0)
    wall, cpu = (float(np.median(s)) for s in zip(*clock.spans, strict=True))
    return _as_line((steps * batch / wall, steps * batch / cpu), batch)


def compiled_model(
    data: Interactions,
    key: str,
    kernel: str,
    steps: int,
    dim: int,
    batch: int,
    dropout: float,
) -> tuple[Recommender, int, str, int]:
    """A model by its defaults, ready for `fit`, and the negatives of a positive.

    Returns:
        Both, and what `stepping.compile_model` returns for `steps` an epoch.

    Raises:
        KernelUnavailable: a kernel was asked for by name and cannot be.
    """
    changes = {"dropout": dropout, "dim": dim, "batch_size": batch}
    config = configs.resolve(configs.for_model(key, "synthetic", training=changes))
    negatives = config.get("negatives", 1)
    model = factory.build_model(config, data, 0)
    optimizer = factory.build_optimizer(config, model, steps)
    triplets = stepping.triplets_of_step(config)
    used, calls = stepping.compile_model(model, optimizer, steps, triplets, kernel)
    return model, negatives, used, calls


class _Clock(keras.callbacks.Callback):
    """Times epochs, wall and CPU; ends `fit` when there are enough."""

    def __init__(self):
        super().__init__()
        self.spans = []
        self._first = None

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        wall, cpu = time.perf_counter(), time.process_time()
        if self._first is None:  # the first epoch traces
            self._first = wall
        elif wall - self._first > _WARM_UP_SECONDS:
            self.spans.append((wall - self._begin[0], cpu - self._begin[1]))
        enough = wall - self._first > _WARM_UP_SECONDS + _SECONDS
        self.model.stop_training = enough and len(self.spans) > 2


def _ready_triplets(
    data: Interactions, batch: int, negatives: int, whole_chunks: bool
) -> tf.data.Dataset:
    """Batches of pairs of the data with uniform negatives, drawn beforehand."""
    rng = np.random.default_rng(1)
    size = batch * (BATCHES_PER_CHUNK if whole_chunks else 1)
    count = max(1, _READY_TRIPLETS // (size * negatives))
    chosen = rng.integers(len(data.train_user), size=(count, size))
    shape = (count, size) if negatives == 1 else (count, size, negatives)
    drawn = rng.integers(data.num_items, size=shape, dtype=np.int32)
    columns = data.train_user[chosen], data.train_item[chosen], drawn
    return tf.data.Dataset.from_tensor_slices(columns).repeat().prefetch(2)


def shared_products(
    rows: int, dim: int, batch: int, negatives: int = 512
) -> list[dict]:
    """The matrix products alone that a step of the softmax models needs.

    Scores of [batch, dim] users and [negatives, dim] items, and both gradients: what
    `step/hyperml_softmax/fused` is to be held against.
    """
    del rows
    rng = np.random.default_rng(0)
    sides = (rng.normal(size=(n, dim)).astype(np.float32) for n in (batch, negatives))

    @tf.function
    def steps(users, items):
        for _ in tf.range(BATCHES_PER_CHUNK):
            scores = tf.matmul(users, items, transpose_b=True)
            by_users = tf.matmul(scores, items)
            by_items = tf.matmul(scores, users, transpose_a=True)
            # A step's result enters the next, or one would be all that is done.
            users, items = users + 1e-9 * by_users, items + 1e-9 * by_items
        return tf.reduce_sum(users) + tf.reduce_sum(items)

    given = [tf.constant(side) for side in sides]

    def work():
        steps(*given)
        return batch * BATCHES_PER_CHUNK

    return [{"name": "shared_products", **_as_line(_rates(work), batch)}]


def _rates(work: Callable[[], int]) -> tuple[float, float]:
    """What `work` returns, per wall and per CPU second, after a warm-up."""
    for seconds in (_WARM_UP_SECONDS, _SECONDS):
        wall, cpu, done = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - wall < seconds:
            done += work()
    return done / (time.perf_counter() - wall), done / (time.process_time() - cpu)


def _as_line(rates: tuple[float, float], triplets: int) -> dict:
    return {
        "triplets_per_second": round(rates[0]),
        "triplets_per_cpu_second": round(rates[1]),
        "ms_per_step": round(1e3 * triplets / rates[0], 4),
    }
