"""What works in a process whose `keras` is Keras 3, and what is refused there."""

import subprocess
import sys

PROGRAM = """
import os
import hyperml_tf
os.environ.pop("TF_USE_LEGACY_KERAS", None)
import keras
import numpy as np
import tensorflow as tf

from hyperml_tf.geometry import poincare, spaces

assert keras.__version__.startswith("3.") and tf.keras.Model is keras.Model


def refused(what, action, error=TypeError):
    try:
        action()
    except error as why:
        # Keras 3 adds lines of its own to what is raised within `call`.
        (said,) = [line for line in str(why).splitlines() if "of type" in line
                   or "Keras 2" in line]
        print(what, "|", said)
    else:
        raise AssertionError(f"{what} was not refused")


# Geometry, in a layer of Keras 3 that is trained.
class Radius(keras.layers.Layer):
    def build(self, shape):
        self.point = self.add_weight(shape=(2,), initializer="ones")

    def call(self, x):
        ball = spaces.PoincareBall(0.5)
        return ball.distance(ball.project(tf.convert_to_tensor(self.point)), x)


layer = Radius()
layer.build(None)
with tf.GradientTape() as tape:
    distance = layer(tf.constant([[0.1, 0.0], [0.0, 0.3]]))
assert np.all(np.isfinite(distance))
assert np.all(np.isfinite(tape.gradient(distance, layer.trainable_variables)[0]))

from hyperml_tf import layers
from hyperml_tf.optimizers import PoincareOptimizer


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.table = layers.PoincareEmbedding(5, 2)

    def call(self, ids):
        return self.table(ids)


class OwnStep(Subclass):
    def train_step(self, ids):
        return {"loss": tf.reduce_sum(self.table(ids))}


ids = np.array([0, 1])
refused("subclass", lambda: Subclass()(ids))
refused("train_step", lambda: OwnStep().train_step(ids))
symbolic = keras.Input((2,), dtype="int32")
refused("functional", lambda: layers.PoincareEmbedding(5, 2)(symbolic))
refused("loss", lambda: layers.DistortionLoss()(*[symbolic] * 2, neg_item=symbolic))
refused(
    "sequential",
    lambda: keras.Sequential([layers.PoincareEmbedding(5, 2)]),
    ValueError,
)
refused("inner", lambda: PoincareOptimizer(keras.optimizers.Adam()))

# Beside Keras 3, not inside it, all goes on.
import tf_keras

table = layers.PoincareEmbedding(5, 2)
model = tf_keras.Sequential([table])
model.compile(PoincareOptimizer(tf_keras.optimizers.SGD(0.1)), "mse")
before = table.table.numpy()
model.fit(ids, np.ones((2, 2)), verbose=0)
assert np.any(table.table.numpy() != before)
print("done")
"""


def test_geometry_works_and_layers_and_optimizers_are_refused_in_one_line():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True
    )
    *lines, last = done.stdout.splitlines() or [""]
    assert last == "done", done.stderr[-2000:]
    said = dict(line.split(" | ", 1) for line in lines)
    for case in ("subclass", "train_step", "functional", "loss"):
        assert "build the model with tf_keras" in said[case]
    assert "keras.Layer" in said["sequential"]
    assert "optimizer of tf_keras (Keras 2), got Adam of keras" in said["inner"]
