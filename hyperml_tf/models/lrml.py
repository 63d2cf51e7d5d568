"""Latent relational metric learning (Tay et al. 2018)."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.layers import PullPushLoss, UnitBallEmbedding
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import FusedStep
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import PULL_PUSH, TRAINING, TRIPLETS, Option
from hyperml_tf.models.table_model import TableRecommender


@SERIALIZABLE
class LRML(TableRecommender):
    """Score -‖u + r - v‖² + b, r = softmax((u⊙v)K) M, with N memory slots.

    The loss is the hinge on squared lengths; the positive pair's r also serves the
    negative pair. Rows are kept in the unit ball; K [D, N] and M [N, D] are free, and
    b is 0 but for a model with item biases.

    Args:
        num_users: U.
        num_items: I.
        margin: m.
        loss: "hinge" or "softplus".
        memory_size: N.
        **options: see `TableRecommender`.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        margin: float = 0.5,
        memory_size: int = 20,  # the LRML paper's
        loss: str = "hinge",
        **options,
    ):
        super().__init__(num_users, num_items, embedding=UnitBallEmbedding, **options)
        self.pull_push = PullPushLoss(margin, loss)
        scale, dim = self.item_table.init_scale, self.item_table.dim
        for name, shape, stream in (
            ("keys", (dim, memory_size), 0),
            ("memory", (memory_size, dim), 1),
        ):
            uniform = keras.initializers.RandomUniform(
                -scale, scale, seed=self.weight_seeds[stream]
            )
            weight = self.add_weight(name=name, shape=shape, initializer=uniform)
            setattr(self, name, weight)

    def relation(self, user: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """r [..., D] of rows [..., D]."""
        return tf.nn.softmax((user * item) @ self.keys) @ self.memory

    def score(self, users, items):
        """-‖u + r - v‖² + b."""
        item = self.item_table(items)
        user = self.user_table(users) + tf.zeros_like(item)
        squared = _squared(user + self.relation(user, item) - item)
        return self.biases(items) - squared

    def train_loss(self, users, pos_items, neg_items, step=None):
        """The hinge, mean over the batch."""
        user, pos_item, neg_item = self.triplet_rows(users, pos_items, neg_items, step)
        moved = user + self.relation(user, pos_item)
        hinge = self.pull_push(
            _squared(moved - pos_item) - self.biases(pos_items),
            _squared(moved - neg_item) - self.biases(neg_items),
        )
        return {"total": tf.reduce_mean(hinge)}

    def score_all(self, users):
        """-‖u - v‖² - 2 r·(u - v) - ‖r‖² + b, without ever forming r [B, I, D].

        With weights a [I, N] of one user, r·u = a·(Mu), r·v = a·(Mv) and
        ‖r‖² = a MMᵀ aᵀ.
        """
        # Read once, not in every turn of the loop.
        read = (self.item_table.table, self.keys, self.memory)
        items, keys, memory = map(tf.convert_to_tensor, read)
        item_memory = tf.matmul(items, memory, transpose_b=True)
        gram = tf.matmul(memory, memory, transpose_b=True)

        # In float32, as `score` does: r is small, and this is most of the work.
        def translation(user):
            weights = tf.nn.softmax(tf.matmul(items, user[:, tf.newaxis] * keys))
            user_memory = tf.linalg.matvec(memory, user)
            along = 2 * (user_memory - item_memory) + tf.matmul(weights, gram)
            return tf.reduce_sum(weights * along, axis=-1)

        user = self.user_table(users)
        moved = tf.cast(tf.map_fn(translation, user), tf.float64)
        user, item = tf.cast(user, tf.float64), self.item_points()
        gap = (
            tf.reduce_sum(user * user, axis=-1)[:, tf.newaxis]
            - 2 * tf.matmul(user, item, transpose_b=True)
            + tf.reduce_sum(item * item, axis=-1)
        )
        return self._all_biases() - gap - moved

    def fused_step(self):
        """By the kernel's "lrml", which steps K and M too."""
        settings = {
            "margin": self.pull_push.margin,
            "loss": self.pull_push.loss,
            "memory_size": self.memory.shape[0],
        }
        tables = [*self.tables, self.keys, self.memory]
        return FusedStep("lrml", tables, settings)


def _squared(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(x * x, axis=-1)


DEFINITIONS = (
    Definition(
        "lrml",
        "LRML",
        LRML,
        options=(
            *TRAINING,
            *PULL_PUSH,
            Option(
                "memory_size",
                "The number of memory slots.",
                range=(1, 10_000),
                shapes_weights=True,
            ),
            *TRIPLETS,
        ),
        table=2,
    ),
)
