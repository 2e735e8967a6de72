"""Size and work of a network, counted on its Keras layers."""

from __future__ import annotations

import math
from typing import Any

import tf_keras as keras

from tinyseg.zoo import build, network
from tinyseg.zoo.blocks.attention import DotProductAttention
from tinyseg.zoo.figures import with_counts


def count_macs(model: keras.Model) -> int:
    """Return the multiply-accumulates of one inference: convolutions, dense layers, attention.

    The counts equal those of MLTK and of the converted ``.tflite`` file.
    """
    return sum(_layer_macs(layer) for layer in model.layers)


def summarise_network(name: str) -> dict[str, Any]:
    """Build a network at its reference input and describe it.

    Returns:
        As of :func:`tinyseg.zoo.figures.describe_network`, but counted.

    Raises:
        InputError: no such network.
    """
    model = build(name, {}, network(name).input_shape)
    counts = {
        "parameters": model.count_params(),
        "trainable_parameters": sum(math.prod(w.shape) for w in model.trainable_weights),
        "macs": count_macs(model),
    }
    return with_counts(name, network(name), counts)


def _layer_macs(layer: keras.layers.Layer) -> int:
    layers = keras.layers
    if isinstance(layer, layers.SeparableConv2D):
        pixels = math.prod(layer.output_shape[1:3])
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        return pixels * sum(math.prod(kernel.shape) for kernel in kernels)
    if isinstance(layer, layers.DepthwiseConv2D):
        return math.prod(layer.output_shape[1:3]) * math.prod(layer.depthwise_kernel.shape)
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(layer.input_shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Conv2D):
        return math.prod(layer.output_shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        return math.prod(layer.output_shape[1:-1]) * math.prod(layer.kernel.shape)
    if isinstance(layer, DotProductAttention):
        return layer.macs
    return 0
