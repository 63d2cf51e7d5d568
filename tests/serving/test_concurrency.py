"""Many callers at once: no error but those asked for, no wrong answer."""

import concurrent.futures

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.serving import saved_model
from tests.serving.conftest import ITEMS, USERS

THREADS = 8


def requests(count, rng):
    """Mixed requests; a quarter names what does not exist."""
    for _ in range(count):
        size = int(rng.integers(1, 5))
        users = [f"u{u}é" for u in rng.integers(USERS * 4 // 3, size=size)]
        items = [f"i{i}" for i in rng.integers(ITEMS * 4 // 3, size=size)]
        k = int(rng.integers(1, 20))
        yield (
            ("recommend", {"user_ids": users, "k": k, "exclude_seen": bool(k % 2)}),
            ("similar_items", {"item_ids": items, "k": k}),
            ("score", {"user_ids": users, "item_ids": items}),
        )[rng.integers(3)]


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_eight_threads_get_what_one_gets(count, models, interactions, tmp_path, rng):
    saved_model.export(models["hyperml"], interactions, tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model"))

    def ask(request):
        name, feed = request
        try:
            answer = served.signatures[name](
                **{key: tf.constant(value) for key, value in feed.items()}
            )
            return {key: value.numpy() for key, value in answer.items()}
        except tf.errors.InvalidArgumentError as error:
            assert name == "score" and "item_ids not in the catalogue" in str(error)
            return "refused"

    asked = list(requests(count, rng))
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(ask, asked))
    refused = 0
    for request, answer in zip(asked, together, strict=True):
        alone = ask(request)
        if alone == "refused" or answer == "refused":
            assert alone == answer
            refused += 1
            continue
        for output, value in alone.items():
            np.testing.assert_array_equal(answer[output], value)
    assert 0 < refused < count / 3
