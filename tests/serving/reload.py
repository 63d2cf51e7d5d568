"""Run as a process of its own: loads exports with TensorFlow and nothing else.

python reload.py FOLDER REQUESTS.json ANSWERS.npz
"""

import json
import sys

import numpy as np
import tensorflow as tf

folder, requests, answers = sys.argv[1:]
model = tf.saved_model.load(folder)
arrays = {}
for number, (name, request) in enumerate(json.load(open(requests))):
    signature = model.signatures[name]
    specs = signature.structured_input_signature[1]
    feed = {k: tf.constant(v, specs[k].dtype) for k, v in request.items()}
    try:
        for output, value in signature(**feed).items():
            value = value.numpy()
            # NumPy's file format has no objects.
            arrays[f"{number} {output}"] = (
                value.astype("S") if value.dtype == object else value
            )
    except tf.errors.InvalidArgumentError as error:
        arrays[f"{number} error"] = np.array(error.message)
ours = ("hyperml_tf", "tensorflow_recommenders", "scann", "tf_keras")
assert not [m for m in sys.modules if m.split(".")[0] in ours]
np.savez(answers, **arrays)
