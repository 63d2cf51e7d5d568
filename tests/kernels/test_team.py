"""The steps of large batches, which threads share, against autodiff and each other."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.kernels.fused import FusedSteps
from tests.conftest import ROOT
from tests.kernels.conftest import (
    OPTIMIZERS,
    make,
    random_triplets,
    reference_steps,
    slots,
    weights,
)

pytestmark = pytest.mark.skipif(
    (os.cpu_count() or 1) < 2, reason="one core has no threads to share a step"
)

BATCH = 1024  # the least that is shared
SIZES = {"users": 700, "items": 900}
# As in test_fused_steps: float32 sums in another order.
TABLE, LOSS, SLOT = 1e-4, 5e-6, 1e-5


def fused(model, triplets):
    terms = FusedSteps(model, model.optimizer, BATCH)(*map(tf.constant, triplets))
    return np.stack(list(terms.values()), axis=1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "key", ["hyperml", "hyperts", "hyperbolic_mf", "cml", "mf_bpr"]
)
def test_shared_steps_equal_the_reference(key, optimizer, rng):
    triplets = random_triplets(rng, 2 * BATCH + 99, **SIZES)  # the last is smaller
    one, other = (make(key, optimizer, dropout=0.0, **SIZES) for _ in range(2))
    expected = reference_steps(one, triplets, BATCH)
    terms = fused(other, triplets)
    np.testing.assert_allclose(terms, expected, rtol=LOSS, atol=LOSS)
    np.testing.assert_allclose(weights(other), weights(one), atol=TABLE)
    for there, here in zip(slots(one), slots(other), strict=True):
        bound = SLOT * max(1.0, float(np.abs(there).max()))
        np.testing.assert_allclose(here, there, atol=bound)


@pytest.mark.parametrize("key", ["hyperml", "cml_warp"])
def test_shared_steps_choose_among_negatives_as_small_ones_do(key, rng):
    """A batch of 1,023, which one thread does, and one of 1,024 with a copy."""
    users, pos_items, _ = random_triplets(rng, BATCH, **SIZES)
    neg_items = rng.integers(0, SIZES["items"], (BATCH, 5)).astype(np.int32)
    alone, shared = (make(key, "sgd", rate=0.5, dropout=0.3, **SIZES) for _ in range(2))
    found = []
    for model, batch in ((alone, BATCH - 1), (shared, BATCH)):
        step = FusedSteps(model, model.optimizer, batch)
        given = (ids[: BATCH - 1] for ids in (users, pos_items, neg_items))
        found.append(step(*map(tf.constant, given)))
    for there, here in zip(*(terms.values() for terms in found), strict=True):
        np.testing.assert_allclose(here, there, rtol=LOSS)
    np.testing.assert_allclose(weights(shared), weights(alone), atol=1e-6)


PROGRAM = """
import hashlib, sys
import numpy as np, tensorflow as tf
from tests.kernels.conftest import make, random_triplets, state
from hyperml_tf.kernels.fused import FusedSteps

tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
sizes = {"users": 700, "items": 900}
for key in ("hyperml", "cml", "mf_bpr"):
    model = make(key, dropout=0.3, dim=33, **sizes)
    triplets = random_triplets(np.random.default_rng(5), 40_000, **sizes)
    terms = FusedSteps(model, model.optimizer, 4096)(*map(tf.constant, triplets))
    parts = [*state(model), *(term.numpy() for term in terms.values())]
    print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


@pytest.mark.slow
def test_bits_do_not_depend_on_the_number_of_threads():
    """More threads than cores, too: they wait for each other at any moment."""
    found = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(threads)],
            cwd=ROOT,
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for threads in (2, 7)
    ]
    assert len(found[0].split()) == 3 and len(set(found)) == 1
