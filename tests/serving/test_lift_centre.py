"""A hyperbolic ball is a Euclidean ball around a shifted centre."""

import mpmath
import numpy as np
import pytest

from hyperml_tf.geometry import lift
from tests import ball_oracle as oracle

BALLS = pytest.mark.parametrize("c", (0.0, *oracle.CURVATURES))
# r in units of 1/√c: from nothing to far beyond what a ball's margin allows.
RADII = (0.0, 1e-6, 0.1, 1.0, 5.0, 30.0)


def exact_centre(u, r, c):
    """u(1-t²)/(1-t²c‖u‖²) with t = tanh(√c r/2), at 50 digits."""
    t = mpmath.tanh(mpmath.sqrt(c) * r / 2)
    return oracle.times((1 - t**2) / (1 - t**2 * c * oracle.dot(u, u)), u)


def users(c, rng):
    scale = 1 / np.sqrt(c) if c else 1.0
    return scale * np.array(oracle.RADII)[:, None] * oracle.directions(rng, 9)


@BALLS
@pytest.mark.parametrize("radius", RADII)
def test_the_centre_equals_its_formula(c, radius, rng):
    u, r = users(c, rng), radius / (np.sqrt(c) if c else 1.0)
    actual = lift.shifted_centre(u, np.full(len(u), r), c)

    def formula(x, curvature):
        return exact_centre(x, mpmath.mpf(r), curvature)

    expected = oracle.over_rows(formula, u, c=c)
    # Half the digits that 1 - c‖u‖² loses at the outermost point, √c‖u‖ = 0.9999.
    assert oracle.relative_error(actual, expected).max() <= 1e-11


@pytest.mark.parametrize("c", oracle.CURVATURES)
@pytest.mark.parametrize("radius", (0.1, 1.0, 5.0))
def test_points_at_distance_r_are_equally_far_from_the_centre(c, radius, rng):
    r = mpmath.mpf(radius) / mpmath.sqrt(c)
    for u in map(oracle.exact, users(c, rng)):
        gaps = []
        for way in map(oracle.exact, oracle.directions(rng, 5)):
            step = r / (oracle.conformal_factor(u, c) * oracle.norm(way))
            on_sphere = oracle.exp_map(u, oracle.times(step, way), mpmath.mpf(c))
            centre = exact_centre(u, r, mpmath.mpf(c))
            gaps.append(
                oracle.norm([a - b for a, b in zip(on_sphere, centre, strict=True)])
            )
        assert max(gaps) - min(gaps) <= mpmath.mpf("1e-30")


@pytest.mark.parametrize("c", oracle.CURVATURES)
def test_neighbours_of_the_centre_are_the_hyperbolic_neighbours(c, rng):
    points = rng.uniform(0.2, 0.99, (3000, 1)) * oracle.directions(rng, 3000)
    points /= np.sqrt(c)
    u, items, k = points[:20], points[20:], 10
    gap = np.linalg.norm(u[:, None] - items, axis=-1)
    room = np.outer(oracle.complement(u, c), oracle.complement(items, c))
    distances = 2 / np.sqrt(c) * np.arcsinh(np.sqrt(c) * gap / np.sqrt(room))
    order = np.argsort(distances)
    # A radius between the k-th and the next leaves no tie at the edge.
    r = np.sort(distances)[:, k - 1 : k + 1].mean(axis=1)
    centres = lift.shifted_centre(u, r, c).numpy()
    euclidean = np.linalg.norm(centres[:, None] - items, axis=-1)
    nearest = np.argsort(euclidean)[:, :k]
    assert all(set(a) == set(b) for a, b in zip(nearest, order[:, :k], strict=True))
