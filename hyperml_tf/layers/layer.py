"""What all layers here have in common: they are Keras 2's, and say so."""

import sys
import types

import tensorflow as tf
import tf_keras as keras

SERIALIZABLE = keras.saving.register_keras_serializable("hyperml_tf")


class Layer(keras.layers.Layer):
    """A layer that a model of Keras 3 cannot call.

    Such a model would not see the layer's variables, and train nothing of it.
    """

    def __call__(self, *args, **kwargs):
        """As of Keras.

        Raises:
            TypeError: a model, or a symbolic tensor, of Keras 3 is calling.
        """
        if _keras_3_calls((args, kwargs)):
            raise TypeError(
                f"{type(self).__name__} is a layer of tf_keras (Keras 2), which a "
                "model of Keras 3 does not train; build the model with tf_keras"
            )
        return super().__call__(*args, **kwargs)


def _keras_3_calls(inputs) -> bool:
    """Whether Keras 3 is loaded, and one of its layers is among the callers."""
    keras_3 = sys.modules.get("keras")
    if keras_3 is None or not hasattr(keras_3, "KerasTensor"):
        return False
    flat = tf.nest.flatten(inputs)
    if any(isinstance(tensor, keras_3.KerasTensor) for tensor in flat):
        return True
    # The stack, since a `train_step` can call the layer outside of any `__call__`.
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), keras_3.Layer):
            return True
        frame = frame.f_back
    return False
