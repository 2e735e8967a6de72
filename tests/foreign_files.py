"""Files as others make them: of TFLM's own world, and of kinds that TFLM does not run."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tests import fixtures
from tests.tflite import drafts
from tests.tflite.drafts import File, options

L = keras.layers
SIZE = 32


def _convert(model: keras.Model) -> bytes:
    """Full-integer quantization, calibrated on noise in 0...1."""
    shape = model.input_shape[1:]
    return fixtures.convert(model, np.random.default_rng(0).random((4, *shape), np.float32))


def person_detect() -> bytes:
    """A classifier of images whose biases name the axis of their kernel's channels, 3."""
    image = L.Input((SIZE, SIZE, 1), batch_size=1)
    x = L.Conv2D(8, 3, 2, "same", activation="relu", bias_initializer="ones")(image)
    x = L.DepthwiseConv2D(3, padding="same", activation="relu", bias_initializer="ones")(x)
    x = L.Conv2D(16, 1, activation="relu", bias_initializer="ones")(x)
    x = L.Reshape((2,))(L.Conv2D(2, 1)(L.AveragePooling2D(16)(x)))
    content = _convert(keras.Model(image, L.Softmax()(x)))
    model = fixtures.unpack(content)
    for tensor in model.subgraphs[0].tensors:
        quantization = tensor.quantization
        scales = (
            0 if quantization is None or quantization.scale is None else len(quantization.scale)
        )
        if len(tensor.shape) == 1 and scales > 1:
            quantization.quantizedDimension = 3
    return fixtures.pack(model)


def svdf() -> bytes:
    """Layers of a keyword spotter: each SVDF keeps a state in a variable tensor."""
    random, file = np.random.default_rng(0), File()
    source = x = file.tensor((1, 20), scale=0.05)
    for units in (16, 12):
        width = file.graph.tensors[x].shape[1]
        features = file.constant(random.integers(-127, 128, (units, width)), scale=0.02)
        time = file.constant(random.integers(-3000, 3000, (units, 4)), "int16", scale=0.0001)
        bias = file.constant(np.zeros(units), "int32")
        state = file.tensor((1, units * 4), "int16", scale=0.005)
        file.graph.tensors[state].isVariable = True
        target = file.tensor((1, units), scale=0.05)
        settings = options("SVDF", rank=1, fusedActivationFunction=1)
        x = file.operator("SVDF", [x, features, time, bias, state], target, settings)
    weights = file.constant(random.integers(-127, 128, (3, 12)), scale=0.02)
    bias = file.constant(random.integers(-200, 200, 3), "int32")
    settings = options("FullyConnected")
    x = file.operator("FULLY_CONNECTED", [x, weights, bias], file.tensor((1, 3)), settings)
    target = file.tensor((1, 3), scale=1 / 256, zero_point=-128)
    return file.content(
        [source], [file.operator("SOFTMAX", [x], target, options("Softmax", beta=1))]
    )


def lstm() -> bytes:
    """A recurrent classifier; its converter leaves empty intermediates and two variables."""
    sound = L.Input((12, 10), batch_size=1)
    x = L.Flatten()(L.LSTM(8, return_sequences=True)(sound))
    return _convert(keras.Model(sound, L.Dense(4, activation="softmax")(x)))


def _unet(activation: str | Callable[[tf.Tensor], tf.Tensor] = "relu") -> keras.Model:
    # Without a fixed batch: the transposed convolution then brings integers for shapes along.
    image = L.Input((SIZE, SIZE, 1))
    a = L.Conv2D(8, 3, padding="same", activation=activation)(image)
    b = L.Conv2D(16, 3, padding="same", activation=activation)(L.MaxPooling2D()(a))
    up = L.Conv2DTranspose(8, 2, 2, "same")(b)
    x = L.Conv2D(8, 3, padding="same", activation=activation)(L.Concatenate()([a, up]))
    return keras.Model(image, L.Conv2D(1, 1, activation="sigmoid")(x))


def float32() -> bytes:
    """Not quantized, with integers among its tensors."""
    return fixtures.convert(_unet())


def float16() -> bytes:
    """Weights of half the size, computed in float32."""
    return fixtures.convert(
        _unet(),
        optimizations=[tf.lite.Optimize.DEFAULT],
        target_spec=tf.lite.TargetSpec(supported_types=[tf.float16]),
    )


def dynamic_range() -> bytes:
    """Integer weights, computed in float32."""
    return fixtures.convert(_unet(), optimizations=[tf.lite.Optimize.DEFAULT])


def uint8() -> bytes:
    """As TensorFlow 1 quantized."""
    image = fixtures.Draft((1, SIZE, SIZE, 1), "uint8", None, 1 / 255)
    kernel = fixtures.Draft((4, 3, 3, 1), "uint8", np.full((4, 3, 3, 1), 130, np.uint8), 0.01, 128)
    choices = options("Conv2D", padding=drafts.SAME)
    output = fixtures.Draft((1, SIZE, SIZE, 4), "uint8", None, 1 / 255)
    return fixtures.one_operator("CONV_2D", [image, kernel], output, choices)


def mish() -> bytes:
    """An activation of exponentials and logarithms, which TFLM has in float32 alone."""
    return fixtures.convert(
        _unet(lambda x: x * tf.tanh(tf.math.log(1.0 + tf.exp(x)))),
        np.random.default_rng(0).random((4, SIZE, SIZE, 1), np.float32),
    )


def long_argmax() -> bytes:
    """Classes of pixels as 64-bit integers, as ``tf.argmax`` gives them."""
    image = L.Input((SIZE, SIZE, 1), batch_size=1)
    x = L.Lambda(lambda x: tf.argmax(x, -1))(L.Conv2D(3, 3, padding="same")(image))
    calibration = np.random.default_rng(0).random((4, SIZE, SIZE, 1), np.float32)
    return fixtures.convert(keras.Model(image, x), calibration, inference_output_type=tf.float32)


def any_batch() -> bytes:
    """Shapes that are computed, for a network of any number of images has none of its own."""
    image = L.Input((SIZE, SIZE, 1))
    x = L.LayerNormalization()(L.Conv2D(8, 3, padding="same", activation="tanh")(image))
    return _convert(keras.Model(image, L.Conv2D(1, 1, activation="sigmoid")(x)))


def group_normalization() -> bytes:
    """Sums of int8, which TensorFlow Lite's reference kernel gets wrong."""
    image = L.Input((SIZE, SIZE, 1), batch_size=1)
    x = L.GroupNormalization(groups=4)(L.Conv2D(8, 3, padding="same")(image))
    return _convert(keras.Model(image, L.Conv2D(1, 1, activation="sigmoid")(x)))


def elu() -> bytes:
    """An activation that TensorFlow Lite's reference resolver lacks."""
    image = L.Input((SIZE, SIZE, 1), batch_size=1)
    x = L.Conv2D(4, 3, padding="same", activation="elu")(image)
    return _convert(keras.Model(image, L.Conv2D(1, 1, activation="sigmoid")(x)))


# What TFLM runs, and what it does not with words that a refusal has to hold.
SOUND = {make.__name__: make for make in (person_detect, svdf, lstm, group_normalization, elu)}
REFUSED = {
    float32: ("float32", "tinyseg quantize"),
    float16: ("float16 weights", "full-integer quantization"),
    dynamic_range: ("int8 weights with float32 activations", "full-integer quantization"),
    uint8: ("uint8", "tinyseg quantize"),
    mish: ("EXP (layer 'conv2d", "no int8 kernel", "use ReLU"),
    any_batch: ("REDUCE_PROD (layer 'layer_normalization", "batch_size=1"),
    long_argmax: ("ARG_MAX", "no kernel from int8 to int64", "tf.int32"),
}


@functools.cache
def content_of(make: Callable[[], bytes]) -> bytes:
    """Return a file, made once; the same in every run."""
    keras.utils.set_random_seed(3)
    return make()
