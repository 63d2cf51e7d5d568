"""The recommenders, behind one interface (`base.Recommender`)."""

from hyperml_tf.models.base import Recommender
from hyperml_tf.models.cml import CML
from hyperml_tf.models.hyperml import HyperML, HyperTS
from hyperml_tf.models.mf_bpr import MFBPR
from hyperml_tf.models.popularity import Popularity

#: The one registry of models: key in configs and run folders -> class.
MODELS: dict[str, type[Recommender]] = {
    "hyperml": HyperML,
    "hyperts": HyperTS,
    "mf_bpr": MFBPR,
    "cml": CML,
    "popularity": Popularity,
}

#: Names for tables and figures.
TITLES = {
    "hyperml": "HyperML",
    "hyperts": "HyperTS",
    "mf_bpr": "MF-BPR",
    "mlp": "MLP",
    "ncf": "NCF",
    "cml": "CML",
    "cml_warp": "CML (WARP)",
    "lrml": "LRML",
    "popularity": "Popularity",
}
