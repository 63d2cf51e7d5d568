"""Ranking by distance as ranking by a dot product, or as Euclidean ranking.

For a fixed user u on the ball of curvature -c,

    d_c(u, v) = 2/√c asinh(√c √(q)),  q = ‖u-v‖²/((1-c‖u‖²)(1-c‖v‖²)),

grows with q, and ‖u-v‖²/(1-c‖v‖²) = -ψ(u)·φ(v) with

    φ(v) = [2v, -1, -‖v‖²]/(1-c‖v‖²),   ψ(u) = [u, ‖u‖², 1].

So nearest neighbours in hyperbolic space are exact maximum inner products in D+2
dimensions; at c = 0 this is the well-known lift of Euclidean search.

A hyperbolic ball is also a Euclidean ball, around a centre nearer to the origin. With
r the distance of the k-th neighbour of u, the k Euclidean neighbours of that centre
are exactly the k hyperbolic neighbours of u: `shifted_centre`.
"""

import tensorflow as tf

from hyperml_tf.geometry import poincare


def lift_query(u: tf.Tensor) -> tf.Tensor:
    """ψ(u) = [u, ‖u‖², 1] of shape [..., D+2] for points u [..., D]."""
    squared_norm = tf.reduce_sum(u * u, axis=-1, keepdims=True)
    return tf.concat([u, squared_norm, tf.ones_like(squared_norm)], axis=-1)


def lift_item(v: tf.Tensor, c: float) -> tf.Tensor:
    """φ(v) = [2v, -1, -‖v‖²]/(1-c‖v‖²) of shape [..., D+2] for points v [..., D]."""
    squared_norm = tf.reduce_sum(v * v, axis=-1, keepdims=True)
    lifted = tf.concat([2 * v, -tf.ones_like(squared_norm), -squared_norm], axis=-1)
    return lifted * poincare.conformal_factor(v, c)[..., tf.newaxis] / 2


def lifted_to_distance(product: tf.Tensor, u: tf.Tensor, c: float) -> tf.Tensor:
    """Distances [...] from the products ψ(u)·φ(v) [...] and the query u [..., D]."""
    q = tf.maximum(-product, 0) * poincare.conformal_factor(u, c) / 2
    root_c = tf.sqrt(tf.convert_to_tensor(c, q.dtype))
    euclidean = 2 * tf.sqrt(q)
    if c == 0:
        return euclidean
    return 2 / root_c * tf.asinh(root_c * euclidean / 2)


def distances(u: tf.Tensor, v: tf.Tensor, c: float) -> tf.Tensor:
    """d_c [N, M] of all pairs of points u [N, D] and v [M, D], by one product."""
    products = tf.matmul(lift_query(u), lift_item(v, c), transpose_b=True)
    return lifted_to_distance(products, u[:, tf.newaxis], c)


def shifted_centre(u: tf.Tensor, r: tf.Tensor, c: float) -> tf.Tensor:
    """Euclidean centre of the hyperbolic ball of radius r around u.

        {v : d_c(u,v) ≤ r} = {v : ‖v - w‖ ≤ R},  t = tanh(√c r/2)
        w = u (1-t²)/(1-t²c‖u‖²)

    The points of the line through 0 and u at distance r from u are its two ends
    (Ratcliffe 2006, §4.5); r → 0 gives u, r → ∞ the origin.

    Args:
        u: [..., D] points of the ball.
        r: [...] radii >= 0.
        c: scalar >= 0, absolute curvature; 0 gives u.

    Returns:
        [..., D] centres.

    Numerics:
        Evaluated as u/(1 + sinh²(√c r/2)(1-c‖u‖²)), the same after multiplying by
        cosh², where no difference of nearly equal numbers is left but 1-c‖u‖².
    """
    half = tf.sqrt(tf.convert_to_tensor(c, u.dtype)) * tf.cast(r, u.dtype) / 2
    shrink = 1 + tf.square(tf.sinh(half)) * 2 / poincare.conformal_factor(u, c)
    return u / shrink[..., tf.newaxis]
