"""The middle of weighted points, in flat space and on the Poincaré ball."""

import tensorflow as tf

from hyperml_tf.geometry import poincare


def mean(v: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The mean [..., D] of v [..., n, D] by weights [..., n]; 0 where these are."""
    weights = tf.cast(weights, v.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(weights, axis=-2)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * v, axis=-2), total)


def gyromidpoint(x: tf.Tensor, weights: tf.Tensor, c: float = 1.0) -> tf.Tensor:
    """Weighted Möbius gyromidpoint.

        m = ½ ⊗_c ( Σ w_i λ_{x_i} x_i / Σ w_i (λ_{x_i} - 1) )             Ungar 2008

    It is the midpoint of the geodesic between two points of equal weight, moves with
    its points under every left translation, and is the hyperboloid's centroid of Law et
    al. 2019 (Shimizu et al. 2021 prove it). Tends to the mean as c → 0.

    Args:
        x: [..., n, D] points of the ball.
        weights: [..., n] >= 0.
        c: scalar >= 0, absolute curvature; 0 gives the weighted mean.

    Returns:
        [..., D] points; the origin where all weights are 0.

    Numerics:
        ½ ⊗_c (s/t) = s/(t + √(t² - c‖s‖²)), by the half angle of tanh, so nothing is
        divided by a norm. On the hyperboloid t² - c‖s‖² is the squared length of a sum
        of vectors of length w_i, hence at least (Σ w_i)²; it is floored there, where
        rounding of λ² near the rim would have it below.
    """
    weights = tf.cast(weights, x.dtype)[..., tf.newaxis]
    factor = poincare.conformal_factor(x, c)[..., tf.newaxis]
    s = tf.reduce_sum(weights * factor * x, axis=-2)
    t = tf.reduce_sum(weights * (factor - 1), axis=-2)
    squared = tf.square(t) - c * tf.reduce_sum(s * s, axis=-1, keepdims=True)
    root = tf.maximum(tf.sqrt(tf.maximum(squared, 0)), tf.reduce_sum(weights, axis=-2))
    return tf.math.divide_no_nan(s, t + root)
