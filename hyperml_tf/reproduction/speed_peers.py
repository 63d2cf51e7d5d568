"""Speed of training in a library that this one depends on, to be held against ours."""

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.reproduction import speed
from hyperml_tf.serving import tfrs

_STEPS_PER_EPOCH = 128
#: As in the library's own tutorial of retrieval.
_LEARNING_RATE = 0.1


def retrieval_task(rows: int, dim: int, batch: int) -> list[dict]:
    """`fit` of two tables under TensorFlow Recommenders' retrieval task.

    A softmax over the batch's own items, of as many scores a step as `hyperml_softmax`
    has with its 512 shared negatives; AdaGrad moves only the rows of the batch.
    """
    data = speed.synthetic(rows)
    line = speed.of_fit(
        _two_towers(data, dim),
        _pairs(data, batch),
        _STEPS_PER_EPOCH,
        _STEPS_PER_EPOCH,
        batch,
    )
    return [{"name": "peer/tfrs_retrieval", **line}]


def _two_towers(data: Interactions, dim: int) -> keras.Model:
    class TwoTowers(tfrs.Model):
        def __init__(self):
            super().__init__()
            self.users = keras.layers.Embedding(data.num_users, dim)
            self.items = keras.layers.Embedding(data.num_items, dim)
            self.task = tfrs.Retrieval()

        def compute_loss(self, inputs, training=False):
            users, items = inputs
            return self.task(self.users(users), self.items(items))

    model = TwoTowers()
    model.compile(keras.optimizers.Adagrad(_LEARNING_RATE))
    return model


def _pairs(data: Interactions, batch: int) -> tf.data.Dataset:
    """Shuffled batches of its interactions, endlessly, as the tutorial makes them."""
    columns = data.train_user, data.train_item
    stream = tf.data.Dataset.from_tensor_slices(columns)
    stream = stream.shuffle(len(data.train_user)).repeat()
    return stream.batch(batch, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
