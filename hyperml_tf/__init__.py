"""HyperML (WSDM 2020) on TensorFlow: hyperbolic metric learning for recommendation.

    import hyperml_tf as hml

The names below are loaded when they are first used, so that this import is quick,
changes nothing in the environment and does not load TensorFlow. Models and layers are
tf_keras (Keras 2) objects. The rooms of the package, in the order in which data flows
and imports are allowed:

    geometry -> layers, optimizers -> data, models -> kernels, evaluation, serving
             -> training -> reproduction
"""

import importlib
import sys
import types

__version__ = "0.1.0"

#: Public name -> the module that has it.
_NAMES = {
    "Interactions": "hyperml_tf.data.interactions",
    **dict.fromkeys(
        (
            *("HyperML", "HyperTS", "HyperbolicMF", "MFBPR", "CML", "LRML", "MLP"),
            *("NCF", "SoftmaxRecommender", "MFSoftmax", "ItemKNN", "EASE", "IALS"),
        ),
        "hyperml_tf.models",
    ),
    **dict.fromkeys(
        ("PoincareEmbedding", "GyrovectorDistance", "PullPushLoss", "DistortionLoss"),
        "hyperml_tf.layers",
    ),
    **dict.fromkeys(
        ("PoincareOptimizer", "LazyAdam", "RiemannianAdam"), "hyperml_tf.optimizers"
    ),
    "evaluate": "hyperml_tf.evaluation.protocol",
    "export": "hyperml_tf.serving.saved_model",
    "recommend": "hyperml_tf.serving.exported",
}
_SUBPACKAGES = ("geometry",)

__all__ = [*_NAMES, *_SUBPACKAGES]


def __getattr__(name: str):
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """This package, in which `evaluate`, `export` and `recommend` are functions.

    The commands of the same names are modules, run as `python -m hyperml_tf.export`.
    Python would put such a module in the function's place when it is imported.
    """

    def __setattr__(self, name, value):
        if not (name in _NAMES and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
