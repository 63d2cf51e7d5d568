"""Matrix factorisation with Bayesian personalised ranking (Rendle et al. 2009)."""

import tensorflow as tf

from hyperml_tf.geometry.offsets import OffsetProduct
from hyperml_tf.geometry.retrieval import InnerProduct
from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.base import FusedStep
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import L2, TRAINING, TRIPLETS
from hyperml_tf.models.table_model import TableRecommender


@SERIALIZABLE
class MFBPR(TableRecommender):
    """Score u·v, loss softplus(-(u·v_j - u·v_k)) + l2 (‖u‖² + ‖v_j‖² + ‖v_k‖²).

    With item biases, u·v + b takes the place of u·v.

    Args:
        num_users: U.
        num_items: I.
        l2: weight of the penalty, added per triplet before the mean.
        **options: see `TableRecommender`.
    """

    terms = ("total", "bpr")
    measure = InnerProduct()
    offset_measure = OffsetProduct()
    folds_in_by = "the mean of the items, at the users' median norm"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        l2: float = 0.01,
        dropout: float = 0.0,  # L2 does the regularising
        **options,
    ):
        super().__init__(num_users, num_items, dropout=dropout, **options)
        self.l2 = l2

    @staticmethod
    def initial_scale(dim):
        """0.01: products need no more, and the paper's rule is for distances."""
        return 0.01

    def score(self, users, items):
        """u·v + b."""
        product = self.user_table(users) * self.item_table(items)
        return tf.reduce_sum(product, axis=-1) + self.biases(items)

    def train_loss(self, users, pos_items, neg_items, step=None):
        """BPR, mean over the batch; the penalty is on the rows as looked up."""
        user, pos_item, neg_item = rows = self.triplet_rows(
            users, pos_items, neg_items, step
        )
        difference = tf.reduce_sum(user * (pos_item - neg_item), axis=-1)
        difference += self.biases(pos_items) - self.biases(neg_items)
        # softplus, never log(sigmoid): that is log(0) for a wide difference.
        bpr = tf.reduce_mean(tf.nn.softplus(-difference))
        squared = tf.add_n([tf.reduce_sum(row * row, axis=-1) for row in rows])
        return {"total": bpr + self.l2 * tf.reduce_mean(squared), "bpr": bpr}

    def fused_step(self):
        """By the kernel's "mf_bpr"."""
        return FusedStep("mf_bpr", self.tables, {"l2": self.l2})


DEFINITIONS = (
    Definition("mf_bpr", "MF-BPR", MFBPR, options=(*TRAINING, L2, *TRIPLETS), table=2),
)
