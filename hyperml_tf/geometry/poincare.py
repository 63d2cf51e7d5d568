"""The Poincaré ball of curvature -c: gyrovector operations, distance, distortion.

Notation: the ball is {x : c‖x‖² < 1}, of radius 1/√c, for c > 0, and all of ℝᴰ for
c = 0, the Euclidean limit. Equation numbers are those of HyperML (Vinh Tran et al.,
WSDM 2020). Every function broadcasts over leading axes, works in the dtype of its
points (float32 or float64) and takes `c` as a float or a scalar tensor.

Three facts carry the numerics. With a = 1 - c‖x‖², b = 1 - c‖y‖², q = ‖x-y‖²/(ab):

    d_c(x, y)  = 2√q · A(cq),          A(s) = asinh(√s)/√s     equal to Eqs 4, 10
    x ⊕_c y    = [a(x+y) + c‖x+y‖²x] / [ab + c‖x+y‖²]          equal to Eq. 5
    exp_0(v)   = T(c‖v‖²) v,           T(s) = tanh(√s)/√s      Eq. 7 at x = 0

A and T are smooth at s = 0, so c = 0, x = y and v = 0 need no special case, and no
difference of nearly equal numbers is left but a, b and x - y themselves. Near the rim
a and b lose digits to rounding: in float32 the distance is right to about 3e-4 at
√c‖x‖ = 1 - 1e-4 (2e-6 at 0.99). Two float64 sums per point would mend that, and
were left out of the training path: they double its memory traffic, while the ball's
margin already limits the loss. Give float64 points where that matters.

What this module does not do: any other model of the space.
"""

import numbers

import tensorflow as tf

#: How far, relative to the radius, a projected point stays inside the ball; also the
#: floor under 1 - c‖x‖², which on a projected point is about twice the margin, so
#: that it binds only outside the ball. float32: the spacing of numbers near 1 is
#: 6e-8, so 1 - c‖x‖² keeps two digits at the rim; the largest distance from the
#: origin is 2 artanh(1 - 1e-5) = 12.2 (c = 1), a modelling choice. float64: 23.7.
BALL_MARGIN = {tf.float32: 1e-5, tf.float64: 1e-10}

# A(s) and T(s) switch from series to closed form here: at s = 0.01 seven terms leave
# 1.5e-16, and the cancellation in the closed form's derivative costs two digits.
_SERIES_BELOW = 0.01
_ASINHC_SERIES = (1, -1 / 6, 3 / 40, -5 / 112, 35 / 1152, -63 / 2816, 231 / 13312)
_TANHC_SERIES = (1, -1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925,
                 21844 / 6081075)  # fmt: skip


def _scalar(value, like: tf.Tensor) -> tf.Tensor:
    """`value` in the dtype of `like`; a Python number never through float32."""
    if hasattr(value, "dtype"):
        return tf.cast(value, like.dtype)
    return tf.convert_to_tensor(value, like.dtype)


def _curvature(c, like: tf.Tensor) -> tf.Tensor:
    """`c` as a scalar of the dtype of `like`, refused if a number below 0."""
    if isinstance(c, numbers.Real) and not 0 <= float(c) < float("inf"):
        raise ValueError(f"c must be a finite number >= 0, got {c}")
    return _scalar(c, like)


def _points(*points) -> list[tf.Tensor]:
    """Arguments as tensors of one floating dtype."""
    dtype = next((p.dtype for p in points if hasattr(p, "dtype")), tf.float32)
    if tf.as_dtype(dtype) not in BALL_MARGIN:
        raise TypeError(f"points must be float32 or float64, got {dtype}; cast them")
    return [tf.convert_to_tensor(p, dtype) for p in points]


def _squared_norm(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)


def _complement(x: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
    """1 - c‖x‖², floored at the ball's margin; [..., 1]."""
    return tf.maximum(1 - c * _squared_norm(x), BALL_MARGIN[x.dtype])


def _smooth(s: tf.Tensor, series: tuple, closed) -> tf.Tensor:
    """f(√s)/√s for s >= 0: its power series near 0, the closed form beyond."""
    small = s < _SERIES_BELOW
    root = tf.sqrt(tf.where(small, tf.ones_like(s), s))
    low = tf.where(small, s, tf.zeros_like(s))
    polynomial = tf.zeros_like(s)
    for coefficient in reversed(series):
        polynomial = polynomial * low + coefficient
    return tf.where(small, polynomial, closed(root) / root)


def _asinhc(s: tf.Tensor) -> tf.Tensor:
    """A(s) = asinh(√s)/√s, A(0) = 1."""
    return _smooth(s, _ASINHC_SERIES, tf.asinh)


def _tanhc(s: tf.Tensor) -> tf.Tensor:
    """T(s) = tanh(√s)/√s, T(0) = 1."""
    return _smooth(s, _TANHC_SERIES, tf.tanh)


def _pair(x: tf.Tensor, y: tf.Tensor, c: tf.Tensor):
    """q = ‖x-y‖²/(ab) and ab of a pair of points; both [...]."""
    ab = tf.squeeze(_complement(x, c) * _complement(y, c), -1)
    return tf.reduce_sum(tf.math.squared_difference(x, y), -1) / ab, ab


def conformal_factor(x: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Conformal factor of the metric at x.

        λ_x = 2 / (1 - c‖x‖²)                                  HyperML, under Eq. 8

    Args:
        x: [..., D] points of the ball.
        c: scalar >= 0, absolute curvature.

    Returns:
        [...] factors, 2 everywhere for c = 0.

    Numerics:
        1 - c‖x‖² is floored at `BALL_MARGIN`, so points on or outside the boundary
        give a large finite number.
    """
    (x,) = _points(x)
    return tf.squeeze(2 / _complement(x, _curvature(c, x)), -1)


def mobius_add(x: tf.Tensor, y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Möbius addition.

        x ⊕_c y = [(1 + 2c⟨x,y⟩ + c‖y‖²)x + (1 - c‖x‖²)y]
                  / [1 + 2c⟨x,y⟩ + c²‖x‖²‖y‖²]                  HyperML, Eq. 5

    The paper prints c‖x‖²‖y‖² in the denominator; c² is right (Ganea et al. 2018), and
    the two agree at c = 1.

    Args:
        x: [..., D] points of the ball.
        y: [..., D] points; leading axes broadcast against those of `x`.
        c: scalar >= 0, absolute curvature; 0 gives x + y.

    Returns:
        [..., D] points.

    Numerics:
        Evaluated as [a(x+y) + c‖x+y‖²x] / [ab + c‖x+y‖²], a = 1 - c‖x‖² and
        b = 1 - c‖y‖²: the same by expansion, without the cancellation that the
        printed form suffers when y is close to -x. The denominator is positive since
        a and b are floored at `BALL_MARGIN`.
    """
    x, y = _points(x, y)
    c = _curvature(c, x)
    a, b, total = _complement(x, c), _complement(y, c), x + y
    bend = c * _squared_norm(total)
    return (a * total + bend * x) / (a * b + bend)


def mobius_scalar_mul(r: float, x: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Möbius scalar multiplication.

        r ⊗_c x = (1/√c) tanh(r artanh(√c‖x‖)) x/‖x‖,  r ⊗_c 0 = 0   HyperML, Eq. 6

    Args:
        r: scalar, or [...] factors against the leading axes of `x`.
        x: [..., D] points of the ball.
        c: scalar >= 0, absolute curvature; 0 gives r x.

    Returns:
        [..., D] points.

    Numerics:
        artanh(√c‖x‖) = asinh(√s) with s = c‖x‖²/(1 - c‖x‖²), so artanh's argument
        never reaches 1.
    """
    (x,) = _points(x)
    c, r = _curvature(c, x), _scalar(r, x)[..., tf.newaxis]
    a = _complement(x, c)
    s = c * _squared_norm(x) / a
    stretch = _asinhc(s)
    return r * stretch * tf.math.rsqrt(a) * _tanhc(r * r * s * stretch * stretch) * x


def exp_map(x: tf.Tensor, v: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Exponential map at x.

        exp_x(v) = x ⊕_c (tanh(√c λ_x‖v‖/2) v/(√c‖v‖)),  exp_x(0) = x   HyperML, Eq. 7

    Args:
        x: [..., D] points of the ball.
        v: [..., D] tangent vectors at x.
        c: scalar >= 0, absolute curvature; 0 gives x + v.

    Returns:
        [..., D] points; in floating point a long step lands on the boundary itself,
        so callers that store points `project` them.
    """
    x, v = _points(x, v)
    c = _curvature(c, x)
    half = v / _complement(x, c)  # λ_x v / 2
    return mobius_add(x, exp0(half, c), c)


def log_map(x: tf.Tensor, y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Logarithmic map at x, the inverse of `exp_map`.

        log_x(y) = 2/(λ_x √c) artanh(√c‖w‖) w/‖w‖,  w = (-x) ⊕_c y    HyperML, Eq. 8

    Args:
        x: [..., D] points of the ball.
        y: [..., D] points; leading axes broadcast against those of `x`.
        c: scalar >= 0, absolute curvature; 0 gives y - x.

    Returns:
        [..., D] tangent vectors at x, zero where x = y.

    Numerics:
        c‖w‖² = s/(1+s) with s = cq, so the printed form equals
        A(s)/√(1+s) · [a(y-x) - c‖y-x‖²x]/b, which needs neither artanh nor ‖w‖.
    """
    x, y = _points(x, y)
    c = _curvature(c, x)
    a, b, gap = _complement(x, c), _complement(y, c), y - x
    bend = c * _squared_norm(gap)
    s = bend / (a * b)
    return _asinhc(s) * tf.math.rsqrt(1 + s) * (a * gap - bend * x) / b


def exp0(v: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Exponential map at the origin: tanh(√c‖v‖) v/(√c‖v‖), Eq. 7 at x = 0.

    Args:
        v: [..., D] tangent vectors at the origin.
        c: scalar >= 0, absolute curvature; 0 gives v.

    Returns:
        [..., D] points; see `exp_map` on the boundary.
    """
    (v,) = _points(v)
    return _tanhc(_curvature(c, v) * _squared_norm(v)) * v


def log0(y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Logarithmic map at the origin: artanh(√c‖y‖) y/(√c‖y‖), Eq. 8 at x = 0.

    Args:
        y: [..., D] points of the ball.
        c: scalar >= 0, absolute curvature; 0 gives y.

    Returns:
        [..., D] tangent vectors at the origin.
    """
    (y,) = _points(y)
    c = _curvature(c, y)
    b = _complement(y, c)
    return _asinhc(c * _squared_norm(y) / b) * tf.math.rsqrt(b) * y


def distance(x: tf.Tensor, y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Geodesic distance between points of the ball of curvature -c.

        d_c(x, y) = 2/√c · artanh(√c ‖(-x) ⊕_c y‖)             HyperML, Eqs 9, 10

    Tends to 2‖x - y‖ as c → 0: twice the Euclidean distance, not equal to it.

    Args:
        x: [..., D] points with √c‖x‖ < 1.
        y: [..., D] points; leading axes broadcast against those of `x`.
        c: scalar >= 0, absolute curvature; 0 is the Euclidean limit.

    Returns:
        [...] distances; the last axis is reduced.

    Numerics:
        Evaluated as 2/√c · asinh(√c‖x-y‖ / √((1-c‖x‖²)(1-c‖y‖²))), equal to the
        formula above. In float32 the artanh and arcosh forms lose nearby pairs to
        rounding and give NaN gradients there. The root is masked at 0, so the
        gradient at x = y is zero, not NaN.
    """
    x, y = _points(x, y)
    c = _curvature(c, x)
    q, _ = _pair(x, y, c)
    apart = q > 0
    root = tf.where(apart, tf.sqrt(tf.where(apart, q, tf.ones_like(q))), 0)
    return 2 * root * _asinhc(c * q)


def squared_distance(x: tf.Tensor, y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """d_c(x, y)², smooth everywhere: no root is taken, so none needs a mask.

    Arguments, shapes and source as in `distance`.
    """
    x, y = _points(x, y)
    c = _curvature(c, x)
    q, _ = _pair(x, y, c)
    return 4 * q * tf.square(_asinhc(c * q))


def distortion(x: tf.Tensor, y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Relative distortion of a pair under the identity map into the ball.

        |d_D(x, y) - d_E(x, y)| / d_E(x, y),  d_E = ‖x - y‖     HyperML, Eq. 12

    Since d_D >= 2 d_E for every c, the term is never below 1, and it falls when the
    pair as a whole shrinks towards the origin.

    Args:
        x: [..., D] points of the ball.
        y: [..., D] points; leading axes broadcast against those of `x`.
        c: scalar >= 0, absolute curvature; 0 gives 1.

    Returns:
        [...] distortions.

    Numerics:
        Evaluated as 2 A(cq)/√(ab) - 1: the 0/0 of the printed form at x = y is gone,
        and the limit there is λ_x - 1.
    """
    x, y = _points(x, y)
    c = _curvature(c, x)
    q, ab = _pair(x, y, c)
    return 2 * _asinhc(c * q) * tf.math.rsqrt(ab) - 1


def project(x: tf.Tensor, c: float = 1.0, margin: float | None = None) -> tf.Tensor:
    """Pulls points back inside the ball: x min(1, (1-ε)/(√c‖x‖)).

    Args:
        x: [..., D] vectors, anywhere.
        c: scalar >= 0, absolute curvature; 0 leaves every vector as it is.
        margin: ε; None: `BALL_MARGIN` of the type of `x`.

    Returns:
        [..., D] points with √c‖x‖ <= 1 - ε, up to rounding.

    Numerics:
        ε is a modelling choice that limits how far from the origin a point can be.
    """
    (x,) = _points(x)
    limit = 1 - (BALL_MARGIN[x.dtype] if margin is None else margin)
    s = _curvature(c, x) * _squared_norm(x)
    outside = s > limit * limit
    return x * tf.where(outside, limit * tf.math.rsqrt(tf.where(outside, s, 1)), 1)


def riemannian_gradient(x: tf.Tensor, gradient: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Riemannian gradient from the Euclidean one.

        ∇_R = ((1 - c‖x‖²)² / 4) ∇_E              HyperML, Eq. 14 (printed for c = 1)

    Args:
        x: [..., D] points of the ball.
        gradient: [..., D] Euclidean gradients at x.
        c: scalar >= 0, absolute curvature; 0 gives ∇_E / 4.

    Returns:
        [..., D] tangent vectors at x.
    """
    x, gradient = _points(x, gradient)
    return tf.square(_complement(x, _curvature(c, x)) / 2) * gradient


def parallel_transport(
    x: tf.Tensor, y: tf.Tensor, v: tf.Tensor, c: float = 1.0
) -> tf.Tensor:
    """Parallel transport of v along the geodesic from x to y.

        P_{x→y}(v) = (λ_x/λ_y) gyr[y, -x] v                Ungar 2008; Ganea et al. 2018
        gyr[y, z]v = v + 2(αy + βz)/D
            α = -c²⟨y,v⟩‖z‖² + c⟨z,v⟩ + 2c²⟨y,z⟩⟨z,v⟩
            β = -c²⟨z,v⟩‖y‖² - c⟨y,v⟩
            D = 1 + 2c⟨y,z⟩ + c²‖y‖²‖z‖²

    Args:
        x: [..., D] points of the ball.
        y: [..., D] points.
        v: [..., D] tangent vectors at x.
        c: scalar >= 0, absolute curvature; 0 gives v.

    Returns:
        [..., D] tangent vectors at y, of the same length in the metric.

    Numerics:
        D is evaluated as ab + c‖y - x‖² > 0, with a and b floored as everywhere.
    """
    x, y, v = _points(x, y, v)
    c = _curvature(c, x)
    a, b, z = _complement(x, c), _complement(y, c), -x

    def inner(p, q):
        return tf.reduce_sum(p * q, axis=-1, keepdims=True)

    yv, zv, yz = inner(y, v), inner(z, v), inner(y, z)
    alpha = c * zv + c * c * (2 * yz * zv - yv * inner(z, z))
    beta = -c * yv - c * c * zv * inner(y, y)
    denominator = a * b + c * _squared_norm(y - x)
    return (b / a) * (v + 2 * (alpha * y + beta * z) / denominator)


def distance_arcosh(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Eq. 4 as printed, c = 1: arcosh(1 + 2‖x-y‖²/((1-‖x‖²)(1-‖y‖²))).

    For the identities in the tests; `distance` is the one to compute with.
    """
    x, y = _points(x, y)
    q, _ = _pair(x, y, _curvature(1.0, x))
    return tf.acosh(1 + 2 * q)


def distance_artanh(x: tf.Tensor, y: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Eq. 10 as printed, c > 0: (2/√c) artanh(√c‖(-x) ⊕_c y‖).

    For the identities in the tests; `distance` is the one to compute with.
    """
    x, y = _points(x, y)
    root = tf.sqrt(_curvature(c, x))
    return 2 / root * tf.atanh(root * tf.norm(mobius_add(-x, y, c), axis=-1))
