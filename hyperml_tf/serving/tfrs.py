"""What is used of TensorFlow Recommenders, which needs `tf.keras` to be Keras 2.

This is the only module that imports TensorFlow Recommenders. TensorFlow reads
`TF_USE_LEGACY_KERAS` when `tf.keras` is first used, so setting it here is in time
unless something used `tf.keras` before.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
try:
    from tensorflow_recommenders.layers.factorized_top_k import BruteForce, ScaNN
    from tensorflow_recommenders.models import Model
    from tensorflow_recommenders.tasks import Retrieval
except ImportError as error:
    raise ImportError(
        "hyperml_tf.serving needs tf.keras to be Keras 2, and it is Keras 3 in this "
        "process already; set TF_USE_LEGACY_KERAS=1 before TensorFlow is imported"
        if "Keras version" in str(error)
        else str(error)
    ) from error

__all__ = ["BruteForce", "Model", "Retrieval", "ScaNN"]
