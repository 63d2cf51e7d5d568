"""HyperML (WSDM 2020) on TensorFlow: hyperbolic metric learning for recommendation.

TensorFlow Recommenders needs Keras 2, so this package runs on tf_keras: it sets
`TF_USE_LEGACY_KERAS=1` before TensorFlow loads. The rooms of the package, in the
order in which data flows and imports are allowed:

    data, geometry -> layers, optimizers -> models -> kernels, evaluation, serving
                   -> training -> reproduction
"""

import os
import sys

if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
    raise ImportError(
        "TensorFlow was imported before hyperml_tf and without Keras 2; import "
        "hyperml_tf first, or run with TF_USE_LEGACY_KERAS=1 in the environment."
    )
os.environ["TF_USE_LEGACY_KERAS"] = "1"
# The C++ runtime prints a CUDA error on every machine without a GPU; what matters of
# its errors reaches Python as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Products of float32 in float32 on a GPU too: TensorFlow's default there, TF32, has 10
# bits for the mantissa, and scores rank.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")

__version__ = "0.1.0"
