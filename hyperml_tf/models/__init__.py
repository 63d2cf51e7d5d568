"""The recommenders behind one interface, `base.Recommender`, and their definitions."""

from hyperml_tf.models import (
    cml,
    hyperbolic_mf,
    hyperml,
    lrml,
    mf_bpr,
    pointwise,
    popularity,
)
from hyperml_tf.models.base import Recommender
from hyperml_tf.models.cml import CML, CMLWarp
from hyperml_tf.models.definition import Definition
from hyperml_tf.models.hyperbolic_mf import HyperbolicMF
from hyperml_tf.models.hyperml import HyperML, HyperTS
from hyperml_tf.models.lrml import LRML
from hyperml_tf.models.mf_bpr import MFBPR
from hyperml_tf.models.pointwise import GMF, MLP, NCF
from hyperml_tf.models.popularity import Popularity

#: The one registry of models: key in configs and run folders -> definition, in the
#: order of the paper's tables, what it lacks beside what that belongs to.
DEFINITIONS: dict[str, Definition] = {
    definition.key: definition
    for module in (mf_bpr, pointwise, cml, lrml, hyperml, hyperbolic_mf, popularity)
    for definition in module.DEFINITIONS
}

__all__ = [
    "CML",
    "DEFINITIONS",
    "GMF",
    "LRML",
    "MFBPR",
    "MLP",
    "NCF",
    "CMLWarp",
    "Definition",
    "HyperML",
    "HyperTS",
    "HyperbolicMF",
    "Popularity",
    "Recommender",
]
