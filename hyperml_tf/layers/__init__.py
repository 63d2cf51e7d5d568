"""Keras layers on the geometry: tables of points, distances, losses, dropout."""

from hyperml_tf.layers.distance import GyrovectorDistance
from hyperml_tf.layers.dropout import PartOfStep, RowDropout
from hyperml_tf.layers.embedding import (
    PoincareEmbedding,
    RowEmbedding,
    UnitBallEmbedding,
)
from hyperml_tf.layers.losses import DistortionLoss, PullPushLoss

__all__ = [
    "DistortionLoss",
    "GyrovectorDistance",
    "PartOfStep",
    "PoincareEmbedding",
    "PullPushLoss",
    "RowDropout",
    "RowEmbedding",
    "UnitBallEmbedding",
]
