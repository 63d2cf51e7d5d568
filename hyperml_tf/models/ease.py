"""EASE (Steck 2019), the linear reference beyond the paper's models."""

import os
import pathlib

import numpy as np
import tensorflow as tf
import threadpoolctl
from scipy.linalg import lapack

from hyperml_tf.errors import InputError
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.item_item import ItemItemRecommender, growing, matrix
from hyperml_tf.models.options import FITTED, L2, ours

_GIB = 2**30


@SERIALIZABLE
class EASE(ItemItemRecommender):
    """Score Σ_{i ∈ train(u)} W_ij; W = argmin ‖X - XW‖² + λ‖W‖² with diag W = 0.

        W_ij = -P_ij / P_jj for i ≠ j,  P = (XᵀX + λ Id)⁻¹        Steck 2019, Eq. 8

    Deterministic on one machine.

    Args:
        num_users: U.
        num_items: I.
        l2: λ > 0.
        **options: see `Recommender`.

    Numerics:
        P by Cholesky in float64, in the place of XᵀX: the condition number is the
        largest eigenvalue of XᵀX over λ, 10⁴ and more, of which float32 would leave
        three digits. W is kept in float32.
    """

    def __init__(self, num_users: int, num_items: int, *, l2: float = 100.0, **options):
        if not l2 > 0:
            raise ValueError(f"l2 must be > 0, or XᵀX has no inverse; got {l2}")
        super().__init__(num_users, num_items, **options)
        self.l2 = l2
        self._weights = growing([], tf.float32, "weights", rank=2)

    def fit_weights(self, interactions):
        """W from the inverse of an I × I matrix.

        Raises:
            InputError: it does not fit in memory.
        """
        refuse_if_too_large(interactions.name, self.num_items, available_bytes())
        together = matrix(interactions)
        # Column-major, so that LAPACK works in place.
        gram = (together.T @ together).toarray(order="F")
        gram[np.diag_indices_from(gram)] += self.l2
        # The same bits on every run of a machine. And with 18,000 items, dpotrf of
        # SciPy's OpenBLAS 0.3.28 crashes on two threads (as OpenBLAS issue 352 has it).
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1, clean=0)
            if not failed:
                inverse, failed = lapack.dpotri(factor, lower=1, overwrite_c=1)
        if failed:
            raise InputError(
                f"{interactions.name}: XᵀX + λ is not positive definite in float64 "
                f"(LAPACK says {failed}); take l2 larger than {self.l2}"
            )
        self._weights.assign(_weights_of(inverse))

    def products(self, histories):
        """[B, I] float64."""
        return self._by_dense(histories, self._weights)


def _weights_of(inverse: np.ndarray) -> np.ndarray:
    """W in float32 from P, of which only the lower triangle is set."""
    diagonal = np.diag(inverse).copy()
    weights = np.empty(inverse.shape, np.float32)
    for start in range(0, len(inverse), 1024):  # no second float64 matrix
        stop = start + 1024
        below = inverse[start:, start:stop]  # columns start … stop of the triangle
        block = np.tril(below[: below.shape[1]])
        block = block + np.tril(block, -1).T
        weights[start:stop, start:stop] = -block / diagonal[start:stop]
        rest = below[below.shape[1] :]
        weights[stop:, start:stop] = -rest / diagonal[start:stop]
        weights[start:stop, stop:] = -rest.T / diagonal[stop:]
    np.fill_diagonal(weights, 0)
    return weights


def bytes_needed(num_items: int) -> int:
    """Of `EASE.adapt`: one I × I matrix in float64 and two in float32."""
    return (8 + 2 * 4) * num_items**2


def refuse_if_too_large(name: str, num_items: int, available: int) -> None:
    """One line that says what does not fit, how large it is, and what to do.

    Raises:
        InputError: `bytes_needed` is more than `available`.
    """
    needed = bytes_needed(num_items)
    if needed > available:
        raise InputError(
            f"ease on {name}: its {num_items:,} x {num_items:,} matrices need "
            f"{needed / _GIB:.1f} GiB and {available / _GIB:.1f} GiB are free; use a "
            "machine with more memory, or the model itemknn, which is sparse"
        )


def available_bytes() -> int:
    """Memory that this process can still take: the machine's, within its cgroup."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        known = dict(line.split(":", 1) for line in lines)
        free = int(known["MemAvailable"].split()[0]) * 1024
        group = pathlib.Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        free = min(free, limit - int((group / "memory.current").read_text()))
    except (OSError, KeyError, ValueError):  # not Linux, or no limit
        pass
    return free


DEFINITIONS = (
    Definition(
        "ease",
        "EASE",
        EASE,
        options=(
            *FITTED,
            L2.having(
                help="The weight of the squared item-to-item weights.",
                range=(1e-6, 1e9),
                grid=ours(50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0),
            ),
        ),
        reference=True,
    ),
)
