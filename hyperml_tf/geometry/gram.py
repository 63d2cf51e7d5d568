"""Squared distances of all pairs of two sets of points, by one matrix product.

With g = ‖x-y‖² = ‖x‖² + ‖y‖² - 2x·y, a = 1-c‖x‖², b = 1-c‖y‖², t = cg/(ab),

    d_c(x, y)² = 4g/(ab) · A(t)²,  A(s) = asinh(√s)/√s        `poincare`
    ∂d²/∂g     = 4A(t)/(√(1+t) ab)

so that all that depends on pairs is a function of the Gram matrix, and gradients are
two more products. What this module does not do: distances of given pairs, for which
`poincare.squared_distance` is exact.
"""

import tensorflow as tf

from hyperml_tf.geometry import poincare

#: Rounding of ‖x‖² + ‖y‖² - 2x·y is some ε(‖x‖² + ‖y‖²), and d² has 4/(ab) times it.
#: With ab above this, that is below 2e-5 in float32 at c = 1: no more than the
#: rounding of scores of the order of 10.
NEAR_RIM = 0.05

#: Where ab is below, pairs whose g is a smaller part of ‖x‖² + ‖y‖² are computed from
#: the differences of their coordinates. For all others g is right to ε/this, 6e-5 in
#: float32, and so is d², for it grows more slowly than g.
CLOSE = 1e-3

# As in `poincare`: below, a series; above, the closed form.
_SERIES_BELOW = 0.1
_ASINHC_SERIES = (1, -1 / 6, 3 / 40, -5 / 112, 35 / 1152, -63 / 2816, 231 / 13312,
                  -143 / 10240, 6435 / 557056)  # fmt: skip


def squared_distances(x: tf.Tensor, y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """d_c(x, y)² for every x and every y.

    Args:
        x: [B, D] points of the ball.
        y: [N, D] points.
        c: number >= 0, absolute curvature; 0 gives 4‖x-y‖².

    Returns:
        [B, N]; the gradient is by hand, two matrix products.

    Numerics:
        A Gram matrix loses the digits of points that nearly agree. d² is smooth in g,
        of slope 4/(ab) at most, so an absolute error of g of ε(‖x‖² + ‖y‖²) is one of
        4ε(‖x‖² + ‖y‖²)/(ab) in d²: without effect, but near the rim, where a and b
        are small. Where ab < `NEAR_RIM` the pairs that are `CLOSE` are computed
        again from their coordinates, each difference first. In the gradient,
        Σ_j w_j (x - y_j) as (Σ_j w_j)x - Σ_j w_j y_j, the error in units of the
        metric is of the order of ε times the slope of d² over b: it is left alone.
    """
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    curvature = float(c)

    @tf.custom_gradient
    def of_points(x, y):
        g, a, b = _squared_gaps(x, y, curvature)
        q = g / (a * b)
        stretch = _asinhc(curvature * q) if curvature else tf.ones_like(q)

        def grad(upstream):
            slope = 4 * stretch * tf.math.rsqrt(1 + curvature * q)
            m = 2 * upstream * slope / (a * b)
            bend = curvature * m * g
            by_x = tf.reduce_sum(m, 1, keepdims=True)
            by_y = tf.reduce_sum(m, 0)[:, tf.newaxis]
            inside_x, inside_y = (_inside(z, curvature) for z in (x, y))
            by_x += inside_x * tf.reduce_sum(bend, 1, keepdims=True) / a
            by_y += inside_y * tf.reduce_sum(bend, 0)[:, tf.newaxis] / tf.transpose(b)
            return by_x * x - m @ y, by_y * y - tf.matmul(m, x, transpose_a=True)

        return 4 * q * tf.square(stretch), grad

    return of_points(x, y)


def _squared_gaps(x: tf.Tensor, y: tf.Tensor, c: float):
    """g [B, N], a [B, 1] and b [1, N]."""
    xx = tf.reduce_sum(x * x, 1, keepdims=True)
    yy = tf.reduce_sum(y * y, 1)[tf.newaxis]
    floor = tf.constant(poincare.BALL_MARGIN[x.dtype], x.dtype)
    a, b = tf.maximum(1 - c * xx, floor), tf.maximum(1 - c * yy, floor)
    both = xx + yy
    g = tf.maximum(both - 2 * tf.matmul(x, y, transpose_b=True), 0)
    if not c:
        return g, a, b

    def by_coordinates():
        pairs = tf.where((a * b < NEAR_RIM) & (g < CLOSE * both))
        gaps = tf.gather(x, pairs[:, 0]) - tf.gather(y, pairs[:, 1])
        exact = tf.reduce_sum(tf.square(gaps), 1)
        return tf.tensor_scatter_nd_update(g, pairs, exact)

    least = tf.reduce_min(a) * tf.reduce_min(b)
    return tf.cond(least < NEAR_RIM, by_coordinates, lambda: g), a, b


def _inside(x: tf.Tensor, c: float) -> tf.Tensor:
    """[B, 1]: 0 where the floor under 1 - c‖x‖² binds, which has no gradient."""
    above = (
        1 - c * tf.reduce_sum(x * x, 1, keepdims=True)
        > poincare.BALL_MARGIN[tf.as_dtype(x.dtype)]
    )
    return tf.cast(above, x.dtype)


def _asinhc(s: tf.Tensor) -> tf.Tensor:
    """A(s) = asinh(√s)/√s."""
    small = s < _SERIES_BELOW
    low = tf.where(small, s, tf.zeros_like(s))
    series = tf.zeros_like(s)
    for coefficient in reversed(_ASINHC_SERIES):
        series = series * low + coefficient
    root = tf.sqrt(tf.maximum(s, _SERIES_BELOW))
    return tf.where(small, series, tf.asinh(root) / root)
