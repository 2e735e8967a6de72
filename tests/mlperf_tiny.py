"""Int8 files of the four networks of MLPerf Tiny, as TensorFlow's own converter makes them.

The layers are those of the reference networks (github.com/mlcommons/tiny); the weights are random,
normalization included, so that every layer computes and no output is constant.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tests import fixtures

layers = keras.layers


def _block(x: tf.Tensor, layer: keras.layers.Layer, relu: bool = True) -> tf.Tensor:
    x = layers.BatchNormalization()(layer(x))
    return layers.ReLU()(x) if relu else x


def _convolution(channels: int, size: int | tuple[int, int], stride: int = 1) -> layers.Layer:
    return layers.Conv2D(channels, size, strides=stride, padding="same")


def _depthwise(stride: int = 1) -> layers.Layer:
    return layers.DepthwiseConv2D(3, strides=stride, padding="same")


def _classified(x: tf.Tensor, classes: int) -> tf.Tensor:
    x = layers.Flatten()(layers.AveragePooling2D(x.shape[1:3])(x))
    # Small weights: random features would make the network all too sure of itself.
    start = keras.initializers.RandomNormal(stddev=0.02)
    return layers.Dense(classes, activation="softmax", kernel_initializer=start)(x)


def keyword_spotting() -> keras.Model:
    """DS-CNN: 49 x 10 coefficients of a second of sound, 12 words."""
    image = layers.Input((49, 10, 1), batch_size=1)
    x = _block(image, _convolution(64, (10, 4), 2))
    for _ in range(4):
        x = _block(_block(x, _depthwise()), _convolution(64, 1))
    return keras.Model(image, _classified(layers.Dropout(0.4)(x), 12), name="keyword_spotting")


def visual_wake_words() -> keras.Model:
    """MobileNet v1 of a quarter of the width: 96 x 96 x 3 pixels, 2 classes."""
    image = layers.Input((96, 96, 3), batch_size=1)
    x = _block(image, _convolution(8, 3, 2))
    blocks = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *5 * [(128, 1)], (256, 2)]
    for channels, stride in [*blocks, (256, 1)]:
        x = _block(_block(x, _depthwise(stride)), _convolution(channels, 1))
    return keras.Model(image, _classified(x, 2), name="visual_wake_words")


def image_classification() -> keras.Model:
    """ResNet-8: 32 x 32 x 3 pixels, 10 classes."""
    image = layers.Input((32, 32, 3), batch_size=1)
    x = _block(image, _convolution(16, 3))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = _block(x, _convolution(channels, 3, stride))
        y = _block(y, _convolution(channels, 3), relu=False)
        if stride > 1:
            x = _convolution(channels, 1, stride)(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    return keras.Model(image, _classified(x, 10), name="image_classification")


def anomaly_detection() -> keras.Model:
    """An autoencoder of fully connected layers: five frames of 128 bands of sound."""
    sound = layers.Input((640,), batch_size=1)
    x = sound
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = _block(x, layers.Dense(width))
    return keras.Model(sound, layers.Dense(640)(x), name="anomaly_detection")


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    make.__name__: make
    for make in (keyword_spotting, visual_wake_words, image_classification, anomaly_detection)
}


@functools.cache
def int8_file(name: str) -> bytes:
    """Return the int8 file of one of ``NETWORKS``, the same in every run.

    Its input and output are int8; a real input is in 0...1.
    """
    keras.utils.set_random_seed(7)
    model = NETWORKS[name]()
    random = np.random.default_rng(7)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            width = len(layer.get_weights()[0])
            ranges = ((0.8, 1.6), (-0.3, 0.3), (-0.2, 0.2), (0.1, 0.4))
            layer.set_weights([random.uniform(*limits, width) for limits in ranges])
    shape = model.input_shape[1:]
    return fixtures.convert(model, random.random((8, *shape), np.float32))
