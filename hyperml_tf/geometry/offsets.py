"""Measures of scores that are no distance and no product: items have an offset.

    ball      key d_c(u, v)² - o      HyperML with biases, CML with biases (c = 0),
                                      Hyperbolic MF with o = d_c(0, v)² + 2b
    product   key -(u·v + b)          matrix factorisation with biases

A row has one coordinate more than a point: x = [point, offset]. That of a query is of
no effect, so an item can be a query. In flat space both keys are inner products of
lifted vectors. On a ball they are none, but d_c(u, v)² grows with a product, and
`upper_bounds` goes from the one to the other.
"""

import dataclasses

import tensorflow as tf

from hyperml_tf.geometry import lift, poincare

# Relative, of the few float32 operations of `upper_bounds`, each of which is off by
# a few 2⁻²⁴.
_SLACK = 2.0**-19
# The leaves of clusters by inner product say less than those by distance. On Games, of
# 218 leaves 10 give Hyperbolic MF a recall of 0.81, and 87 of 0.98.
_LEAVES = 0.1, 80


def with_offsets(points: tf.Tensor, offsets: tf.Tensor | None = None) -> tf.Tensor:
    """Rows [..., D+1] of points [..., D] and offsets [...]; None: of queries, 0."""
    if offsets is None:
        offsets = tf.zeros_like(points[..., 0])
    return tf.concat([points, offsets[..., tf.newaxis]], axis=-1)


@dataclasses.dataclass(frozen=True)
class OffsetBall:
    """Key d_c(u, v)² - o on the ball of curvature -c; score -`scale` times the key.

    ScaNN searches for the largest inner product with the tangent plane of the score.
    With a, b the distances of u and v from the origin, t the cosine of their angle,
    lengths in units of 1/√c and d by the law of cosines,

        o - d² = (o - b²) + 2 p,    p = (b² - d²)/2,
        cosh d = cosh a cosh b - sinh a sinh b t,

    p is about its value at the items that a user's k best lie at, plus

        α (b t - b' t') + γ (b - b'),   α = d/sinh d · sinh a · sinh b'/b',
        γ = ∂p/∂b - α t',   ∂p/∂b = b' - d (cosh a sinh b' - sinh a cosh b' t')/sinh d.

    So [2α û, 2γ, 1] is asked for among [b v̂, b, o - b²], and c = 0 has γ = 0.
    """

    c: float
    scale: float
    scann_measure = "dot_product"
    scann_leaves = _LEAVES
    centre_moves = True

    @property
    def is_product(self) -> bool:
        """Only in flat space."""
        return self.c == 0

    def weights(self, items):
        """1/(1-c‖v‖²)."""
        return poincare.conformal_factor(items[..., :-1], self.c) / 2

    def keys(self, u, v, weights):
        """d² - o, from differences of coordinates."""
        u, v, offset = u[..., :-1], v[..., :-1], v[..., -1]
        q = tf.reduce_sum(tf.math.squared_difference(u, v), axis=-1) * weights
        return tf.square(lift.lifted_to_distance(-q, u, self.c)) - offset

    def lift_query(self, u):
        """ψ(u)/(1-c‖u‖²); at c = 0, with a 1 for the offset."""
        u = u[..., :-1]
        if self.is_product:
            lifted = 4 * lift.lift_query(u)
            return tf.concat([lifted, tf.ones_like(lifted[..., :1])], axis=-1)
        factor = poincare.conformal_factor(u, self.c)[..., tf.newaxis] / 2
        return lift.lift_query(u) * factor

    def lift_item(self, v):
        """φ(v), whose products are -sinh²(√c d/2)/c; at c = 0, [φ(v), o]."""
        lifted = lift.lift_item(v[..., :-1], self.c)
        offset = [v[..., -1:]] if self.is_product else []
        return tf.concat([lifted, *offset], axis=-1)

    def upper_offsets(self, items: tf.Tensor) -> tf.Tensor:
        """[I] float32, what `upper_bounds` takes for the offsets of items."""
        offsets = items[..., -1]
        return tf.cast(offsets + _SLACK * tf.abs(offsets), tf.float32)

    def upper_bounds(self, products: tf.Tensor, offsets: tf.Tensor) -> tf.Tensor:
        """Bounds from above of o - d², given such of the products of lifted rows.

            d = 2/√c log1p(y + y²/(1 + √(1+y²))),   y = √(-c x·y)

        Args:
            products: [..., I] float32.
            offsets: [I], as of `upper_offsets`.

        Numerics:
            TensorFlow's asinh takes several times as long as all of this. The square
            is lowered and the offset raised by more than rounding can be.
        """
        squared = tf.nn.relu(products * tf.constant(-self.c, products.dtype))
        beyond = squared / (1 + tf.sqrt(1 + squared))
        half = tf.math.log1p(tf.sqrt(squared) + beyond)
        return offsets - tf.square(half) * (4 / self.c * (1 - _SLACK))

    def search_items(self, v):
        """[b v̂, b, o - b²]."""
        tangent, length = self._polar(v)
        rest = v[..., -1:] - tf.square(length)
        return tf.concat([tangent, length, rest], axis=-1)

    def reach(self, u, v):
        """b' and t' [2, ...] of the items v that are the last of the best of u."""
        (user, far), (item, length) = self._polar(u), self._polar(v)
        cosine = tf.reduce_sum(user * item, axis=-1)
        cosine = tf.math.divide_no_nan(cosine, (far * length)[..., 0])
        return tf.stack([length[..., 0], cosine])

    def centre(self, u, reach):
        """[2α û, 2γ, 1]."""
        tangent, far = self._polar(u)
        length, cosine = reach[0], reach[1]
        direction = tf.math.divide_no_nan(tangent, far)
        alpha, gamma = far, tf.zeros_like(far)
        if not self.is_product:
            root_c = self.c**0.5
            a, b = root_c * far, root_c * length
            cosh_d = tf.cosh(a) * tf.cosh(b) - tf.sinh(a) * tf.sinh(b) * cosine
            d = tf.acosh(tf.maximum(cosh_d, 1 + 1e-12))
            flat = d / tf.sinh(d)
            alpha = flat * tf.sinh(a) * tf.math.divide_no_nan(tf.sinh(b), b) / root_c
            slope = tf.cosh(a) * tf.sinh(b) - tf.sinh(a) * tf.cosh(b) * cosine
            gamma = length - flat * slope / root_c - alpha * cosine
        return tf.concat([2 * alpha * direction, 2 * gamma, tf.ones_like(far)], axis=-1)

    def _polar(self, x):
        """Tangent vectors [..., D] of the length of the distance, and it [..., 1]."""
        tangent = 2 * poincare.log0(x[..., :-1], self.c)
        return tangent, tf.norm(tangent, axis=-1, keepdims=True)

    def values(self, keys, u):
        """Scores alone."""
        del u
        return {"scores": -self.scale * keys}

    def dissimilarity(self, u, v):
        """The score, negated."""
        squared = poincare.squared_distance(u[..., :-1], v[..., :-1], self.c)
        return self.scale * (squared - v[..., -1])

    def log0(self, x):
        """Tangent coordinates of the points, and their offsets."""
        return tf.concat([poincare.log0(x[..., :-1], self.c), x[..., -1:]], axis=-1)


class OffsetProduct:
    """Key -(u·v + b): an inner product with one coordinate more."""

    scale = 1.0
    is_product = True
    scann_measure = "dot_product"
    scann_leaves = _LEAVES
    centre_moves = False

    def weights(self, items):
        """None: all 1."""
        return tf.ones_like(items[:, 0])

    def keys(self, u, v, weights):
        """The negated score."""
        return self.dissimilarity(u, v) * weights

    def lift_query(self, u):
        """[u, 1]."""
        return tf.concat([u[..., :-1], tf.ones_like(u[..., :1])], axis=-1)

    def lift_item(self, v):
        """[v, b]."""
        return v

    def search_items(self, v):
        """[v, b]."""
        return v

    def reach(self, u, v):
        """Of no effect."""
        del v
        return tf.zeros_like(u[:, 0])

    def centre(self, u, reach):
        """[u, 1]."""
        del reach
        return self.lift_query(u)

    def values(self, keys, u):
        """Scores u·v + b."""
        del u
        return {"scores": -keys}

    def dissimilarity(self, u, v):
        """-(u·v + b)."""
        return -tf.reduce_sum(u[..., :-1] * v[..., :-1], axis=-1) - v[..., -1]
