"""Matrix factorisation with a softmax over shared negatives, beyond the paper."""

from hyperml_tf.layers.embedding import SERIALIZABLE
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.options import Option, ours
from hyperml_tf.models.softmax import (
    SOFTMAX,
    TEMPERATURE,
    SoftmaxRecommender,
    softmax_steps,
)


@SERIALIZABLE
class MFSoftmax(SoftmaxRecommender):
    """Matrix factorisation: the softmax of u·v/τ, or of the cosine of u and v, over τ.

    Args:
        num_users: U.
        num_items: I.
        cosine: take the cosine, which lengths of rows do not enter.
        temperature: τ.
        **options: see `SoftmaxRecommender`; what places points is not among them.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        cosine: bool = True,
        temperature: float = 0.2,
        **options,
    ):
        super().__init__(
            num_users,
            num_items,
            similarity="dot",
            points="sphere" if cosine else "tangent",
            c=0.0,
            radius=1.0,
            temperature=temperature,
            **options,
        )

    def get_config(self):
        """The arguments of the constructor."""
        placed = ("similarity", "points", "c", "radius")
        return {k: v for k, v in super().get_config().items() if k not in placed}

    def fused_step(self):
        """By the op of its own."""
        return softmax_steps(self)


DEFINITIONS = (
    Definition(
        "mf_softmax",
        "MF, softmax",
        MFSoftmax,
        options=(
            *SOFTMAX,
            TEMPERATURE.having(grid=ours(0.1, 0.15, 0.2, 0.3)),
            Option(
                "cosine",
                "Whether scores are cosines; otherwise, products.",
                shapes_weights=True,
            ),
        ),
        reference=True,
    ),
)
