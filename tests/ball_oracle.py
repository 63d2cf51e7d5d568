"""The formulas of the paper in mpmath at 50 digits, and points to try them on.

Written from Eqs 4-12 with artanh and tanh as they are printed, one pair at a time, on
the inputs as rounded to the dtype under test: what is left is the error of the code.
Eq. 5 is printed with c‖x‖²‖y‖² in its denominator; c² is meant (Ganea et al. 2018,
Eq. 4), and only with it do left cancellation and Eq. 4 from Eq. 9 hold.
"""

import functools

import mpmath
import numpy as np

mpmath.mp.dps = 50

CURVATURES = (1e-4, 0.37, 1.0, 4.0)
DTYPES = ("float32", "float64")
# √c‖x‖ of the points: from where float32 squares are 1e-14 to near the rim.
RADII = (1e-7, 1e-5, 1e-3, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
# ‖x - y‖/‖x‖ of a pair; None for an independent y of any of the radii.
SEPARATIONS = (1e-5, 1e-3, 0.1, 2.0, None)
DIM = 3


def exact(vector):
    """A row of floats as mpmath numbers."""
    return [mpmath.mpf(float(entry)) for entry in vector]


def dot(x, y):
    return mpmath.fsum(a * b for a, b in zip(x, y, strict=True))


def norm(x):
    return mpmath.sqrt(dot(x, x))


def minus(x):
    return [-a for a in x]


def times(r, x):
    return [r * a for a in x]


def conformal_factor(x, c):
    return 2 / (1 - c * dot(x, x))


def mobius_add(x, y, c):
    xy, xx, yy = dot(x, y), dot(x, x), dot(y, y)
    below = 1 + 2 * c * xy + c**2 * xx * yy
    on_x, on_y = (1 + 2 * c * xy + c * yy) / below, (1 - c * xx) / below
    return [on_x * a + on_y * b for a, b in zip(x, y, strict=True)]


def mobius_scalar_mul(r, x, c):
    root, size = mpmath.sqrt(c), norm(x)
    return times(mpmath.tanh(r * mpmath.atanh(root * size)) / (root * size), x)


def exp0(v, c):
    root, size = mpmath.sqrt(c), norm(v)
    return times(mpmath.tanh(root * size) / (root * size), v)


def exp_map(x, v, c):
    return mobius_add(x, exp0(times(conformal_factor(x, c) / 2, v), c), c)


def log0(y, c):
    root, size = mpmath.sqrt(c), norm(y)
    return times(mpmath.atanh(root * size) / (root * size), y)


def log_map(x, y, c):
    return times(2 / conformal_factor(x, c), log0(mobius_add(minus(x), y, c), c))


def distance(x, y, c):
    root = mpmath.sqrt(c)
    return 2 / root * mpmath.atanh(root * norm(mobius_add(minus(x), y, c)))


def squared_distance(x, y, c):
    return distance(x, y, c) ** 2


def distance_arcosh(x, y):
    gap = [a - b for a, b in zip(x, y, strict=True)]
    return mpmath.acosh(1 + 2 * dot(gap, gap) / ((1 - dot(x, x)) * (1 - dot(y, y))))


def distortion(x, y, c):
    euclidean = norm([a - b for a, b in zip(x, y, strict=True)])
    return abs(distance(x, y, c) - euclidean) / euclidean


def riemannian_gradient(x, gradient, c):
    return times((1 - c * dot(x, x)) ** 2 / 4, gradient)


def rounded(c, dtype):
    """`c` as the code sees it in `dtype`."""
    return float(np.dtype(dtype).type(c))


def over_rows(formula, *rows, c):
    """`formula` of every row of the arguments, as a float64 array."""
    c = mpmath.mpf(c)
    values = [formula(*map(exact, row), c) for row in zip(*rows, strict=True)]
    return np.array(values, np.float64)


@mpmath.workdps(90)  # a difference of a difference: the literal forms cancel twice
def gradient_rows(formula, x, *others, c):
    """Central differences of `formula` by its first argument, row by row."""
    c, result = mpmath.mpf(c), []
    for row, *other in zip(x, *others, strict=True):
        point, other = exact(row), [exact(o) for o in other]
        # Far below any distance between two of the points, far above 1e-50.
        step = min(norm([a - b for a, b in zip(point, o, strict=True)]) for o in other)
        step *= mpmath.mpf("1e-14")
        entries = []
        for axis in range(len(point)):
            ahead, behind = list(point), list(point)
            ahead[axis] += step
            behind[axis] -= step
            rise = formula(ahead, *other, c) - formula(behind, *other, c)
            entries.append(rise / (2 * step))
        result.append(entries)
    return np.array(result, np.float64)


@functools.cache
def pairs(c, dtype, repeats=2):
    """Points x, y [N, DIM] in `dtype` over all radii and separations of this module."""
    rng = np.random.default_rng(7)
    xs, ys = [], []
    for radius in RADII * repeats:
        for separation in SEPARATIONS:
            x, way = directions(rng, 2)
            if separation is None:
                y, size = way, rng.choice(RADII)
            elif separation == 2:
                y, size = -x + 0.01 * way, radius
            else:
                y = x + separation * way
                size = radius * min(1, np.linalg.norm(y))
            xs.append(radius * x)
            ys.append(size * y / np.linalg.norm(y))
    scale = np.sqrt(c) if c else 1.0
    return tuple((np.array(p) / scale).astype(dtype) for p in (xs, ys))


def directions(rng, count, dim=DIM):
    """Random unit vectors [count, dim]."""
    v = rng.normal(size=(count, dim))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def complement(x, c):
    """1 - c‖x‖² in float64, [N]."""
    return 1 - c * np.sum(np.square(x, dtype=np.float64), axis=-1)


def relative_error(actual, expected):
    """‖actual - expected‖/‖expected‖, row by row."""
    actual = np.asarray(actual, np.float64)
    if actual.ndim == 1:
        actual, expected = actual[:, None], expected[:, None]
    gap = np.linalg.norm(actual - expected, axis=-1)
    return gap / np.linalg.norm(expected, axis=-1)
