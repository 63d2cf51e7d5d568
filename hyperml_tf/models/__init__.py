"""The recommenders, behind one interface (`base.Recommender`)."""

from hyperml_tf.models.base import Recommender
from hyperml_tf.models.cml import CML, CMLWarp
from hyperml_tf.models.hyperml import HyperML, HyperTS
from hyperml_tf.models.lrml import LRML
from hyperml_tf.models.mf_bpr import MFBPR
from hyperml_tf.models.pointwise import GMF, MLP, NCF
from hyperml_tf.models.popularity import Popularity

#: The one registry of models: key in configs and run folders -> class.
MODELS: dict[str, type[Recommender]] = {
    "hyperml": HyperML,
    "hyperts": HyperTS,
    "mf_bpr": MFBPR,
    "mlp": MLP,
    "gmf": GMF,
    "ncf": NCF,
    "cml": CML,
    "cml_warp": CMLWarp,
    "lrml": LRML,
    "popularity": Popularity,
}

#: Names for tables and figures.
TITLES = {
    "hyperml": "HyperML",
    "hyperts": "HyperTS",
    "mf_bpr": "MF-BPR",
    "mlp": "MLP",
    "gmf": "GMF",
    "ncf": "NCF",
    "cml": "CML",
    "cml_warp": "CML (WARP)",
    "lrml": "LRML",
    "popularity": "Popularity",
}
