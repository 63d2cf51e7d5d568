"""The training loop under parameter servers, in the place of Keras's `fit`.

`fit` gives each worker a stream of its own, so with workers of unequal pace an epoch
would not be one pass over the data. Here the chief hands out the chunks of the epoch
by number, and whichever worker is free draws that chunk and steps on its batches: an
epoch visits every interaction once, whoever does it. A chunk whose worker died is
done again by another, from its first batch.

Workers do not wait for each other: gradients are of tables that others change
meanwhile, and two updates of one row at the same moment can lose one of them. With
one worker none of this happens, and the losses are those of one process.
"""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.models.base import Recommender


def fit(
    model: Recommender,
    strategy: tf.distribute.ParameterServerStrategy,
    sampler: TripletSampler,
    batch_size: int,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Trains `model`, compiled under `strategy`, as its `fit` would.

    Args:
        model: the model.
        strategy: of this process, the chief.
        sampler: gives the triplets; its data is sent to each worker once.
        batch_size: B of a step, which one worker does.
        epochs: to do.
        callbacks: called at the start, and at the end of each epoch.
    """
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    # A dataset, so that the arrays stay with the worker, and are there again when a
    # worker that died comes back.
    known = iter(
        coordinator.create_per_worker_dataset(
            lambda: tf.data.Dataset.from_tensors(sampler.known).repeat()
        )
    )

    @tf.function
    def chunk(known, epoch, start):
        triplets = sampler.chunk(epoch, start, batch_size, next(known))
        for first in tf.range(0, tf.size(triplets[0]), batch_size):
            batch = tuple(array[first : first + batch_size] for array in triplets)
            strategy.run(model.train_step, args=(batch,))

    callback_list = keras.callbacks.CallbackList(list(callbacks), model=model)
    model.stop_training = False
    callback_list.on_train_begin()
    for epoch in epochs:
        model.reset_metrics()
        for start in sampler.chunk_starts(batch_size):
            numbers = tf.constant(epoch, tf.int64), tf.constant(start, tf.int64)
            coordinator.schedule(chunk, args=(known, *numbers))
        coordinator.join()
        logs = {mean.name: float(mean.result()) for mean in model.metrics}
        callback_list.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
