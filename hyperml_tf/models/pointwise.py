"""MLP, GMF and NCF (He et al. 2017): a logit per pair, binary cross-entropy.

Batches carry n negatives per positive: the loss is the mean of the cross-entropy over
all n + 1 pairs of each.
"""

import itertools

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.layers import RowDropout, RowEmbedding
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import Recommender, as_matrix, spawn_seeds
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import L2, NEGATIVES, TRAINING, Option, ours


class _PointwiseRecommender(Recommender):
    """What the three share: `head` of a pair's hidden features, and the loss.

    Args:
        num_users: U.
        num_items: I.
        dim: D of the tables.
        init_scale: α of the tables' initialiser; None: 0.01.
        dropout: rate on looked-up rows.
        dense_init: "glorot", or "paper": U(-α, α) for kernels too, with which a
            pyramid learns later (docs/departures.md).
        l2: weight of the squared rows of a pair.
        **options: see `Recommender`.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        dim: int = 64,
        init_scale: float | None = None,
        dropout: float = 0.5,
        dense_init: str = "glorot",
        l2: float = 0.0,
        **options,
    ):
        super().__init__(num_users, num_items, **options)
        self.dim, self.l2, self.dense_init = dim, l2, dense_init
        self.init_scale = self.initial_scale(dim) if init_scale is None else init_scale
        self._seeds = iter(spawn_seeds(self.seed, 24))
        self.dropout = RowDropout(dropout, next(self._seeds))

    @staticmethod
    def initial_scale(dim):
        """0.01: the paper's rule is for distances."""
        return 0.01

    def _tables(self, kind: str) -> tuple[RowEmbedding, RowEmbedding]:
        def table(side: str, rows: int) -> RowEmbedding:
            seed = next(self._seeds)
            name = f"{kind}_{side}"
            return RowEmbedding(rows, self.dim, self.init_scale, seed=seed, name=name)

        return table("users", self.num_users), table("items", self.num_items)

    def _dense(self, inputs: int, units: int, activation: str | None):
        seed = next(self._seeds)
        initializer = (
            keras.initializers.GlorotUniform(seed=seed)
            if self.dense_init == "glorot"
            else keras.initializers.RandomUniform(
                -self.init_scale, self.init_scale, seed=seed
            )
        )
        layer = keras.layers.Dense(
            units, activation=activation, kernel_initializer=initializer
        )
        layer.build((None, inputs))
        return layer

    def row_tables(self):
        """Of the model, or of both its parts."""
        users, items = self.tables
        return {"users": [users.table], "items": [items.table]}

    def features(self, users, items, step=None):
        """Hidden features [..., F] of pairs [...], broadcast, and the pairs' rows."""
        raise NotImplementedError

    def score(self, users, items):
        """The logit of each pair."""
        hidden, _ = self.features(users, items)
        return tf.squeeze(self.head(hidden), -1)

    def train_loss(self, users, pos_items, neg_items, step=None):
        """Mean binary cross-entropy of the positives and of all negatives."""
        items = tf.concat([pos_items[:, tf.newaxis], as_matrix(neg_items)], axis=1)
        hidden, rows = self.features(users[:, tf.newaxis], items, step)
        logits = tf.squeeze(self.head(hidden), -1)
        pairs = tf.shape(items)
        labels = tf.one_hot(tf.zeros(pairs[0], tf.int32), pairs[1])
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(entropy)
        if self.l2:
            squared = tf.add_n([tf.reduce_sum(row * row, axis=-1) for row in rows])
            loss += self.l2 * tf.reduce_mean(squared)
        return {"total": loss}

    def _rows(self, tables, users, items, step):
        user, item = tables[0](users), tables[1](items)
        # Looked up before it is repeated, so that its gradient has a row once.
        shape = tf.broadcast_dynamic_shape(tf.shape(user), tf.shape(item))
        user, item = tf.broadcast_to(user, shape), tf.broadcast_to(item, shape)
        if step is not None:
            # One draw for both sides: the masks are independent coordinates of it.
            both = self.dropout(tf.concat([user, item], axis=-1), step)
            user, item = tf.split(both, 2, axis=-1)
        return user, item


@SERIALIZABLE
class GMF(_PointwiseRecommender):
    """Generalised matrix factorisation: logit hᵀ(u⊙v). Half of NCF's pre-training."""

    def __init__(self, num_users: int, num_items: int, **options):
        super().__init__(num_users, num_items, **options)
        self.tables = self._tables("gmf")
        self.head = self._dense(self.dim, 1, None)

    def features(self, users, items, step=None):
        """u⊙v."""
        user, item = rows = self._rows(self.tables, users, items, step)
        return user * item, rows

    def score_all(self, users):
        """(u⊙h)·v + b of the whole catalogue, [B, I]."""
        bias = tf.cast(self.head.bias, tf.float64)
        return self.products(users, self.head.kernel) + bias

    def products(self, users, kernel):
        """(u⊙h)·v for h [D, 1] and every v, [B, I] float64."""
        weighted = self.tables[0](users) * tf.squeeze(kernel, -1)
        exact = (tf.cast(side, tf.float64) for side in (weighted, self.tables[1].table))
        return tf.matmul(*exact, transpose_b=True)


@SERIALIZABLE
class MLP(_PointwiseRecommender):
    """A pyramid of ReLU layers of D, D/2, D/4 … units on [u, v], then one logit.

    Args:
        num_users: U.
        num_items: I.
        layers: number of ReLU layers; the paper chooses among 3, 4, 5.
        **options: see `_PointwiseRecommender`.
    """

    def __init__(self, num_users: int, num_items: int, *, layers: int = 3, **options):
        super().__init__(num_users, num_items, **options)
        self.tables = self._tables("mlp")
        sizes = [2 * self.dim, *(max(self.dim >> i, 1) for i in range(layers))]
        self.pyramid = [
            self._dense(inputs, units, "relu")
            for inputs, units in itertools.pairwise(sizes)
        ]
        self.head = self._dense(sizes[-1], 1, None)

    def features(self, users, items, step=None):
        """The last hidden layer."""
        rows = self._rows(self.tables, users, items, step)
        hidden = tf.concat(rows, axis=-1)
        for layer in self.pyramid:
            hidden = layer(hidden)
        return hidden, rows

    def score_all(self, users):
        """Logits of the whole catalogue, [B, I]."""
        bias = tf.cast(self.head.bias, tf.float64)
        return self.logits(users, self.head.kernel) + bias

    def logits(self, users, kernel):
        """h·z for h [F, 1] and the last hidden layer z with every item, [B, I].

        [u, v] W = u W_u + v W_v: the first layer, most of the work of a pair, is done
        once for each user and once for each item.
        """
        first, *others = self.pyramid
        user_kernel, item_kernel = tf.split(first.kernel, 2)
        of_user = tf.matmul(self.tables[0](users), user_kernel) + first.bias
        of_item = tf.matmul(self.tables[1].table, item_kernel)

        def logits(row):
            hidden = first.activation(row + of_item)
            for layer in others:
                hidden = layer(hidden)
            return tf.squeeze(hidden @ kernel, -1)

        return tf.cast(tf.map_fn(logits, of_user), tf.float64)


@SERIALIZABLE
class NCF(_PointwiseRecommender):
    """Neural matrix factorisation: one logit on [u_g⊙v_g, pyramid(u_m, v_m)].

    Args:
        num_users: U.
        num_items: I.
        layers: ReLU layers of the pyramid.
        **options: see `_PointwiseRecommender`.
    """

    def __init__(self, num_users: int, num_items: int, *, layers: int = 3, **options):
        super().__init__(num_users, num_items, **options)
        options |= {"seed": self.seed, "name": None}
        self.gmf = GMF(num_users, num_items, **options)
        options |= {"seed": self.seed + 1, "layers": layers}
        self.mlp = MLP(num_users, num_items, **options)
        self.gmf.head.trainable = self.mlp.head.trainable = False
        hidden = self.dim + self.mlp.pyramid[-1].units
        self.head = self._dense(hidden, 1, None)

    def row_tables(self):
        """Those of both parts."""
        parts = self.gmf.row_tables(), self.mlp.row_tables()
        return {side: [*parts[0][side], *parts[1][side]] for side in parts[0]}

    def features(self, users, items, step=None):
        """Features of both parts, side by side."""
        product, gmf_rows = self.gmf.features(users, items, step)
        hidden, mlp_rows = self.mlp.features(users, items, step)
        return tf.concat([product, hidden], axis=-1), (*gmf_rows, *mlp_rows)

    def score_all(self, users):
        """Logits of the whole catalogue, [B, I]."""
        of_gmf, of_mlp = tf.split(self.head.kernel, [self.dim, -1])
        bias = tf.cast(self.head.bias, tf.float64)
        return self.gmf.products(users, of_gmf) + self.mlp.logits(users, of_mlp) + bias

    def start_from(self, gmf: GMF, mlp: MLP) -> None:
        """Takes over two trained parts; their heads are joined, each times 0.5."""
        self.gmf.set_weights(gmf.get_weights())
        self.mlp.set_weights(mlp.get_weights())
        kernels = tf.concat([gmf.head.kernel, mlp.head.kernel], axis=0)
        self.head.kernel.assign(0.5 * kernels)
        self.head.bias.assign(0.5 * (gmf.head.bias + mlp.head.bias))


_SHARED = (
    *TRAINING,
    NEGATIVES.having(default=4),  # the NCF paper's
    Option(
        "dense_init",
        "Dense layers start by Glorot, or by paper: as tables do, and learn later.",
        choices=("glorot", "paper"),
    ),
    L2,
)
# The paper chooses among 3, 4, 5 for MLP; its NCF has three.
_LAYERS = Option(
    "layers",
    "The number of ReLU layers.",
    range=(1, 10),
    grid=ours(3, 4, 5),
    shapes_weights=True,
)
_GMF = Definition("gmf", "GMF", GMF, options=_SHARED)
_MLP = Definition("mlp", "MLP", MLP, options=(*_SHARED, _LAYERS), table=2)
_NCF = Definition(
    "ncf",
    "NCF",
    NCF,
    options=(
        *_SHARED,
        _LAYERS.having(grid=ours(3)),
        Option(
            "pretrained",
            "Whether it starts from a GMF and an MLP trained before it.",
            default=True,
        ),
    ),
    table=2,
    parts=(_GMF, _MLP),
)
DEFINITIONS = (_MLP, _GMF, _NCF)
