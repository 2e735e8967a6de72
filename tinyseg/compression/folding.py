"""Rewrite a trained network so that each layer becomes one integer operator.

The converter folds and splits layers on its own after training; quantization-aware training must
see the same operators while training. So batch normalizations go into the convolutions before
them (or become 1x1 depthwise convolutions), separable convolutions become two, sigmoids stand
alone, ReLUs are fused, and dropout is gone. What a residual sign sees is shifted to be positive,
for its integer form looks its value up in a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
    ResidualBinaryKernels,
    ResidualBinarySeparableConv2D,
)

Layer: TypeAlias = keras.layers.Layer
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose)
# Compared by exact type: a subclass computes something else.
_FOLDABLE = (keras.layers.SeparableConv2D, *CONVOLUTIONS)
_BINARY = (
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
    ResidualBinarySeparableConv2D,
)
FOLDED = (*_FOLDABLE, *_BINARY, keras.layers.BatchNormalization)
_FUSED = ("linear", "relu")


class SignGrid(NamedTuple):
    """Integers 0..127 that a residual sign looks up, one for each value of its input.

    Attributes:
        step: between the values of two integers.
        offset: added to the input. Sums of binary products are often zero; it becomes 63.75,
            away from a tie between two integers.
    """

    step: float
    offset: float

    @classmethod
    def of(cls, sign: ResidualSign) -> SignGrid:
        """Choose a grid that reaches beyond the last threshold, to where signs are constant."""
        gammas = np.abs(sign.gammas.numpy())
        reach = 1.1 * float(gammas[:-1].sum()) or float(gammas[0])
        step = max(reach, 1e-6) / 63
        return cls(step, 63.75 * step)


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
        # Only the uses in this very network: a layer may be part of others too.
        count = len(layer.inbound_nodes)
        uses = sum(f"{layer.name}_ib-{index}" in model._network_nodes for index in range(count))
        if isinstance(layer, keras.Model) or uses != 1:
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
    signs = _signs(model, consumers)

    def visit(layer: Layer, sources: list[keras.KerasTensor]) -> keras.KerasTensor:
        if isinstance(layer, keras.layers.Dropout) or layer.name in dropped:
            return sources[0]
        if isinstance(layer, keras.layers.BatchNormalization):
            return _depthwise(layer, sources[0])
        activation = "relu" if layer.name in fused else _activation(layer)
        fusible = activation if activation in _FUSED else "linear"
        if type(layer) in _FOLDABLE:
            x = _convolve(layer, sources[0], normalizations.get(layer.name), fusible)
        elif type(layer) in _BINARY:
            x = _convolve_binary(layer, sources[0], fusible)
        else:
            return _copy(layer, sources, signs)
        if layer.name in signs:
            _raise(x.node.layer, SignGrid.of(signs[layer.name]).offset)
        if activation not in _FUSED:
            x = keras.layers.Activation(activation, name=f"{layer.name}_{activation}")(x)
        return x

    return walk(model, visit)


def _copy(
    layer: Layer, sources: list[keras.KerasTensor], signs: dict[str, ResidualSign]
) -> keras.KerasTensor:
    config = layer.get_config()
    if isinstance(layer, ResidualSign):
        if layer not in signs.values():
            raise InputError(
                f"{layer.name}: a residual sign must follow a convolution that nothing else uses"
            )
        config["offset"] = SignGrid.of(layer).offset
    copy = layer.__class__.from_config(config)
    x = copy(sources if len(sources) > 1 else sources[0])
    copy.set_weights(layer.get_weights())
    return x


def _signs(model: keras.Model, consumers: dict[str, list[Layer]]) -> dict[str, ResidualSign]:
    """Return the residual sign that follows each convolution, by the convolution's name."""
    pairs: dict[str, ResidualSign] = {}
    for layer in model.layers:
        if type(layer) in (*_FOLDABLE, *_BINARY) and _activation(layer) == "linear":
            sign = _only_consumer(consumers[layer.name], ResidualSign)
            if sign is not None:
                pairs[layer.name] = sign
    return pairs


def _raise(convolution: Layer, offset: float) -> None:
    """Add an offset to what a convolution gives, and cut off what is below zero then."""
    bias = convolution.bias.numpy() + np.float32(offset)
    # The converter gives a bias of equal values the scale of the first channel throughout.
    bias[0] = np.nextafter(bias[0], np.float32(np.inf))
    convolution.bias.assign(bias)
    convolution.activation = keras.activations.relu


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
        for index, node in enumerate(layer.inbound_nodes):
            # As in walk: a layer may be part of other networks too.
            if f"{layer.name}_ib-{index}" in model._network_nodes:
                for parent in node.parent_nodes:
                    consumers[parent.layer.name].append(layer)
    return consumers


def _only_consumer(consumers: list[Layer], kind: type | tuple[type, ...]) -> Layer | None:
    return consumers[0] if len(consumers) == 1 and isinstance(consumers[0], kind) else None


def _foldable(model: keras.Model, consumers: dict[str, list[Layer]]) -> dict[str, Layer]:
    """Return the batch normalization that belongs to each convolution, by its name."""
    pairs: dict[str, Layer] = {}
    for layer in model.layers:
        if type(layer) in _FOLDABLE:
            norm = _only_consumer(consumers[layer.name], keras.layers.BatchNormalization)
            if norm is not None and _activation(layer) == "linear":
                pairs[layer.name] = norm
    return pairs


def _fused_activations(model: keras.Model, consumers: dict[str, list[Layer]]) -> dict[str, str]:
    """Return names of convolutions and of the ReLU layers that they take over."""
    pairs: dict[str, str] = {}
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


def _convolve_binary(
    layer: ResidualBinaryKernels, x: keras.KerasTensor, activation: str
) -> keras.KerasTensor:
    """Copy a binarized convolution; a separable one becomes two."""
    config = {**layer.get_config(), "activation": activation}
    weights = {name: weight.numpy() for name, weight in weights_by_name(layer).items()}
    if not isinstance(layer, ResidualBinarySeparableConv2D):
        new = layer.__class__.from_config({**config, "use_bias": True})
        y = new(x)
        _set(new, weights)
        return y
    first = ResidualBinaryDepthwiseConv2D(
        **{
            key: config[key]
            for key in (
                "kernel_size",
                "padding",
                "strides",
                "dilation_rate",
                "depth_multiplier",
                "depthwise_levels",
                "per_channel",
            )
        },
        use_bias=False,
        name=f"{layer.name}_depthwise",
    )
    new = ResidualBinaryConv2D(
        config["filters"],
        1,
        activation=activation,
        levels=config["pointwise_levels"],
        per_channel=config["per_channel"],
        name=layer.name,
    )
    y = new(first(x))
    _set(first, weights)
    weights["kernel"], weights["gammas"] = weights["pointwise_kernel"], weights["pointwise_gammas"]
    _set(new, weights)
    return y


def _set(layer: Layer, weights: dict[str, np.ndarray]) -> None:
    """Set weights by name; a bias that is not there stays zero."""
    for name, weight in weights_by_name(layer).items():
        if name in weights:
            weight.assign(weights[name])


def weights_by_name(layer: Layer) -> dict[str, tf.Variable]:
    """Return a layer's variables by their last name: ``kernel``, ``bias``, ``gammas``, ..."""
    return {weight.name.split("/")[-1].split(":")[0]: weight for weight in layer.weights}


def _scaled(kernel: np.ndarray, scale: np.ndarray, layer: Layer) -> np.ndarray:
    """Multiply a kernel by one factor for each output channel."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return kernel * scale.reshape(kernel.shape[2:])
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return kernel * scale[:, None]
    return kernel * scale
