"""Rewrite a trained network so that each layer becomes one integer operator.

The converter folds and splits layers on its own after training; quantization-aware training must
see the same operators while training. So batch normalizations go into the convolutions before
them (or become 1x1 depthwise convolutions), separable convolutions become two, sigmoids stand
alone, ReLUs are fused, and dropout is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError

Layer = keras.layers.Layer
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose)
# Compared by exact type: a subclass computes something else.
_FOLDABLE = (keras.layers.SeparableConv2D, *CONVOLUTIONS)
_FUSED = ("linear", "relu")


def walk(
    model: keras.Model, visit: Callable[[Layer, list[keras.KerasTensor]], keras.KerasTensor]
) -> keras.Model:
    """Rebuild a functional network layer by layer.

    Args:
        model: network whose layers are used once each.
        visit: gets a layer and the new tensors of its inputs, returns its new output.

    Raises:
        InputError: a layer is shared, or a network within the network.
    """
    tensors = {
        tensor.ref(): keras.Input(tensor.shape[1:], name=layer.name)
        for tensor, layer in zip(model.inputs, model._input_layers, strict=True)
    }
    inputs = list(tensors.values())
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if isinstance(layer, keras.Model) or len(layer.inbound_nodes) != 1:
            raise InputError(f"{layer.name}: layers used twice are not supported; build it flat")
        node = layer.inbound_nodes[0]
        sources = [tensors[tensor.ref()] for tensor in tf.nest.flatten(node.keras_inputs)]
        tensors[node.outputs.ref()] = visit(layer, sources)
    outputs = [tensors[tensor.ref()] for tensor in model.outputs]
    return keras.Model(inputs, outputs, name=model.name)


def fold(model: keras.Model) -> keras.Model:
    """Return a network with the same outputs at inference whose layers are single operators.

    Raises:
        InputError: a layer is shared or nested, or its activation has no integer form.
    """
    consumers = _count_consumers(model)
    normalizations = _foldable(model, consumers)
    folded = {layer.name for layer in normalizations.values()}
    fused = _fused_activations(model, consumers)
    dropped = folded | set(fused.values())

    def visit(layer: Layer, sources: list[keras.KerasTensor]) -> keras.KerasTensor:
        if isinstance(layer, keras.layers.Dropout) or layer.name in dropped:
            return sources[0]
        if isinstance(layer, keras.layers.BatchNormalization):
            return _depthwise(layer, sources[0])
        activation = "relu" if layer.name in fused else _activation(layer)
        if type(layer) in _FOLDABLE:
            norm = normalizations.get(layer.name)
            x = _convolve(layer, sources[0], norm, activation if activation in _FUSED else "linear")
        else:
            copy = layer.__class__.from_config(layer.get_config())
            x = copy(sources if len(sources) > 1 else sources[0])
            copy.set_weights(layer.get_weights())
            return x
        if activation not in _FUSED:
            x = keras.layers.Activation(activation, name=f"{layer.name}_{activation}")(x)
        return x

    return walk(model, visit)


def _activation(layer: Layer) -> str:
    function = getattr(layer, "activation", None)
    name = "linear" if function is None else getattr(function, "__name__", "")
    if name not in (*_FUSED, "sigmoid", "softmax", "tanh"):
        raise InputError(
            f"{layer.name}: activation '{name or function}' has no int8 operator in TFLite Micro; "
            "use relu"
        )
    return name


def _count_consumers(model: keras.Model) -> dict[str, list[Layer]]:
    consumers: dict[str, list[Layer]] = {layer.name: [] for layer in model.layers}
    for layer in model.layers:
        for node in layer.inbound_nodes:
            for parent in node.parent_nodes:
                consumers[parent.layer.name].append(layer)
    return consumers


def _only_consumer(consumers: list[Layer], kind: type | tuple[type, ...]) -> Layer | None:
    return consumers[0] if len(consumers) == 1 and isinstance(consumers[0], kind) else None


def _foldable(model: keras.Model, consumers: dict[str, list[Layer]]) -> dict[str, Layer]:
    """Return the batch normalization that belongs to each convolution, by its name."""
    pairs = {}
    for layer in model.layers:
        if type(layer) in _FOLDABLE:
            norm = _only_consumer(consumers[layer.name], keras.layers.BatchNormalization)
            if norm is not None and _activation(layer) == "linear":
                pairs[layer.name] = norm
    return pairs


def _fused_activations(model: keras.Model, consumers: dict[str, list[Layer]]) -> dict[str, str]:
    """Return names of convolutions and of the ReLU layers that they take over."""
    pairs = {}
    for layer in model.layers:
        if type(layer) not in _FOLDABLE:
            continue
        if _activation(layer) != "linear":
            continue
        last: Layer = layer
        norm = _only_consumer(consumers[layer.name], keras.layers.BatchNormalization)
        last = norm or last
        relu = _only_consumer(consumers[last.name], (keras.layers.Activation, keras.layers.ReLU))
        if relu is not None and _is_plain_relu(relu):
            pairs[layer.name] = relu.name
    return pairs


def _is_plain_relu(layer: Layer) -> bool:
    if isinstance(layer, keras.layers.ReLU):
        return layer.max_value is None and not layer.negative_slope and not layer.threshold
    return _activation(layer) == "relu"


def _affine(norm: keras.layers.BatchNormalization | None, channels: int) -> tuple[Any, Any]:
    """Return scale and offset of a batch normalization at inference."""
    if norm is None:
        return np.ones(channels, np.float32), np.zeros(channels, np.float32)
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma.numpy()
    offset = -mean * scale
    return scale, offset + norm.beta.numpy() if norm.center else offset


def _depthwise(norm: keras.layers.BatchNormalization, x: keras.KerasTensor) -> keras.KerasTensor:
    scale, offset = _affine(norm, x.shape[-1])
    layer = keras.layers.DepthwiseConv2D(1, name=norm.name)
    y = layer(x)
    layer.set_weights([scale.reshape(1, 1, -1, 1), offset])
    return y


def _convolve(
    layer: Layer,
    x: keras.KerasTensor,
    norm: keras.layers.BatchNormalization | None,
    activation: str,
) -> keras.KerasTensor:
    config = layer.get_config()
    weights = layer.get_weights()
    shared = {key: config[key] for key in ("padding", "strides", "dilation_rate")}
    if isinstance(layer, keras.layers.SeparableConv2D):
        first = keras.layers.DepthwiseConv2D(
            config["kernel_size"],
            depth_multiplier=config["depth_multiplier"],
            use_bias=False,
            name=f"{layer.name}_depthwise",
            **shared,
        )
        x = first(x)
        first.set_weights(weights[:1])
        weights = weights[1:]
        new: Layer = keras.layers.Conv2D(config["filters"], 1, name=layer.name)
    elif isinstance(layer, keras.layers.DepthwiseConv2D):
        new = keras.layers.DepthwiseConv2D(
            config["kernel_size"],
            depth_multiplier=config["depth_multiplier"],
            name=layer.name,
            **shared,
        )
    else:
        kind = (
            keras.layers.Conv2DTranspose
            if isinstance(layer, keras.layers.Conv2DTranspose)
            else keras.layers.Conv2D
        )
        new = kind(config["filters"], config["kernel_size"], name=layer.name, **shared)
    new.activation = keras.activations.get(activation)
    y = new(x)
    kernel = weights[0]
    bias = weights[1] if len(weights) > 1 else np.zeros(y.shape[-1], np.float32)
    scale, offset = _affine(norm, y.shape[-1])
    new.set_weights([_scaled(kernel, scale, new), bias * scale + offset])
    return y


def _scaled(kernel: np.ndarray, scale: np.ndarray, layer: Layer) -> np.ndarray:
    """Multiply a kernel by one factor for each output channel."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return kernel * scale.reshape(kernel.shape[2:])
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return kernel * scale[:, None]
    return kernel * scale
