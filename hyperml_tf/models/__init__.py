"""The recommenders behind one interface, `base.Recommender`, and their definitions."""

from hyperml_tf.models import (
    cml,
    ease,
    hyperbolic_mf,
    hyperml,
    ials,
    item_knn,
    lrml,
    mf_bpr,
    mf_softmax,
    pointwise,
    popularity,
    softmax,
)
from hyperml_tf.models.base import Recommender
from hyperml_tf.models.cml import CML, CMLWarp
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.ease import EASE
from hyperml_tf.models.hyperbolic_mf import HyperbolicMF
from hyperml_tf.models.hyperml import HyperML, HyperTS
from hyperml_tf.models.ials import IALS
from hyperml_tf.models.item_knn import ItemKNN
from hyperml_tf.models.lrml import LRML
from hyperml_tf.models.mf_bpr import MFBPR
from hyperml_tf.models.mf_softmax import MFSoftmax
from hyperml_tf.models.pointwise import GMF, MLP, NCF
from hyperml_tf.models.popularity import Popularity
from hyperml_tf.models.softmax import SoftmaxRecommender

#: The one registry of models: key in configs and run folders -> definition, in the
#: order of the paper's tables, what it lacks beside what that belongs to.
DEFINITIONS: dict[str, Definition] = {
    definition.key: definition
    for module in (
        *(mf_bpr, pointwise, cml, lrml, hyperml, hyperbolic_mf),
        *(mf_softmax, softmax, item_knn, ease, ials, popularity),
    )
    for definition in module.DEFINITIONS
}

__all__ = [
    "CML",
    "DEFINITIONS",
    "EASE",
    "GMF",
    "IALS",
    "LRML",
    "MFBPR",
    "MLP",
    "NCF",
    "CMLWarp",
    "Definition",
    "HyperML",
    "HyperTS",
    "HyperbolicMF",
    "ItemKNN",
    "MFSoftmax",
    "Popularity",
    "Recommender",
    "SoftmaxRecommender",
]
