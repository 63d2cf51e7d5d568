"""The parts that replicas do of a step make up the step of one process."""

import numpy as np
import pytest
import tf_keras as keras

from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory

FLOAT32 = 1e-6


@pytest.mark.parametrize(
    "key", [key for key, model in DEFINITIONS.items() if model.trains]
)
def test_gradients_and_losses_of_parts_sum_to_those_of_the_batch(
    key, make_interactions
):
    config = configs.for_model(key, dataset="memory")
    # Away from the rim, where float32 sums differ in the third digit.
    config.dim, config.dropout, config.init_scale = 8, 0.5, 0.1
    if "negatives" in config:
        config.negatives = max(config.negatives, 2)
    if "temperature" in config:  # with gradients of the size of the others'
        config.temperature = 4.0
    if config.get("pretrained"):
        config.pretrained = False
    config = configs.resolve(config)
    data = make_interactions([[0, 1, 2], [3, 4], [1, 5, 6, 7], [8]], 12)
    sampler = TripletSampler(data, 3, config.get("negatives", 1))

    def step(triplets):
        """How SGD moves the weights, the sums and counts of the losses' means too."""
        model = factory.build_model(config, data, 1)
        # So small a step that no row leaves the unit ball and is brought back.
        model.compile(keras.optimizers.SGD(0.125, jit_compile=False))
        before = model.get_weights()
        model.train_step(triplets)
        after = model.get_weights()
        return [8 * (new - old) for new, old in zip(after, before, strict=True)]

    (whole,) = sampler.dataset(7).take(1)
    parts = [step(part) for part in sampler.shares(7, 0, range(3), 3).take(3)]
    names = [w.name for w in factory.build_model(config, data, 1).weights]
    for name, of_whole, *of_parts in zip(names, step(whole), *parts, strict=True):
        if not name.startswith("finite_steps"):
            np.testing.assert_allclose(sum(of_parts), of_whole, atol=FLOAT32)
