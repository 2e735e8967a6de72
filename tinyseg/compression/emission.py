"""Make a residual-binarized network of integer arithmetic one that the converter can express.

Binarized kernels become constants of few values. The converter has no operator for a residual
sign, so a leaky ReLU holds its place in the graph until
:func:`tinyseg.tflite.lookup.replace_by_tables` puts a table there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tf_keras as keras
from tensorflow_model_optimization.quantization.keras import QuantizeWrapperV2

from tinyseg.compression.folding import CONVOLUTIONS, walk, weights_by_name
from tinyseg.compression.quantization_aware import GammaQuantizer, IntegerOperator, RangeQuantizer
from tinyseg.zoo.blocks.residual_binarization import ResidualSign, residual_binarize
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryDepthwiseConv2D,
    ResidualBinaryKernels,
)

Function = Callable[[np.ndarray], np.ndarray]


class Emission(NamedTuple):
    """What the converter gets, and what it cannot express.

    Attributes:
        model: of standard layers, with rounding.
        signs: the functions, float32 to float32, of the layers that are placeholders, by name.
        grids: to what TensorFlow Lite rounds a convolution's results first, by layer.
    """

    model: keras.Model
    signs: dict[str, Function]
    grids: dict[str, np.ndarray]


def to_standard_layers(model: keras.Model) -> Emission:
    """Replace residual-binarized layers of a network from ``quantization_aware``.

    Biases are rounded as the file stores them, in the network itself, too.
    """
    signs: dict[str, Function] = {}
    grids: dict[str, np.ndarray] = {}
    scales: dict[str, float] = {}

    def visit(layer: keras.layers.Layer, sources: list[keras.KerasTensor]) -> keras.KerasTensor:
        input_scale = scales.get(layer.inbound_nodes[0].parent_nodes[0].layer.name, 0.0)
        output = layer.quantize_config.output
        scales[layer.name] = (output[1] - output[0]) / 255 if output else input_scale
        inner = layer.layer
        if isinstance(inner, ResidualBinaryKernels):
            layer = _plain(layer)
        elif isinstance(inner, ResidualSign):
            signs[layer.name] = _function(layer)
            config = IntegerOperator(layer.quantize_config.output)
            layer = QuantizeWrapperV2(keras.layers.LeakyReLU(), config, name=layer.name)
        x = layer(sources if len(sources) > 1 else sources[0])
        if isinstance(layer.layer, CONVOLUTIONS):
            grids[layer.name] = _match(model.get_layer(layer.name), layer, input_scale)
        return x

    return Emission(walk(model, visit), signs, grids)


def round_once(model: keras.Model) -> None:
    """Undo :func:`round_twice`, which the converter could not express."""
    for layer in model.layers[1:]:
        for quantizer in layer._output_quantizers:
            quantizer.grid = None


def round_twice(model: keras.Model, emission: Emission) -> None:
    """Let a network round the results of convolutions as TensorFlow Lite will.

    Both then agree where many pixels are alike and one rounding decides for all of them. To be
    called after the conversion; the network is not to be trained any more.
    """
    for name, grid in emission.grids.items():
        model.get_layer(name)._output_quantizers[0].grid = grid


def _match(
    original: QuantizeWrapperV2, emitted: QuantizeWrapperV2, input_scale: float
) -> np.ndarray:
    """Round a convolution's bias as the file does; return the grid of its first rounding."""
    ((kernel, quantizer, state),) = emitted._weight_vars
    # The largest of the rounded weights is 127 scales.
    largest = quantizer.limits(quantizer(kernel, False, state)).numpy()
    unit = np.maximum(largest / 127 * input_scale, 1e-12)
    if "bias" in weights_by_name(original):
        for wrapper in (original, emitted):
            bias = weights_by_name(wrapper)["bias"]
            bias.assign(np.round(bias.numpy() / unit) * unit)
    low, high = emitted.quantize_config.output
    step = (high - low) / 255
    # The multiplier is a number in [0.5, 1) and a shift; the shift is done last.
    _, exponent = np.frexp(unit / step)
    return (step * 2.0**exponent).astype(np.float32)


def _function(wrapper: QuantizeWrapperV2) -> Function:
    sign = ResidualSign.from_config(wrapper.layer.get_config())
    sign.build(wrapper.input_shape)
    sign.set_weights([weights_by_name(wrapper)["gammas"].numpy()])
    # Rounded as in training: the ladder of initial gammas lies halfway between two integers.
    rounding = RangeQuantizer(*wrapper.quantize_config.output)
    return lambda values: rounding(sign(values.astype(np.float32)), False, {}).numpy()


def _plain(wrapper: QuantizeWrapperV2) -> QuantizeWrapperV2:
    """Return an ordinary convolution with the kernel as it is after binarization."""
    layer = wrapper.layer
    weights = weights_by_name(wrapper)
    (name,) = layer.kernel_levels
    gammas = GammaQuantizer()(weights[name.replace("kernel", "gammas")], False, {})
    kernel = residual_binarize(weights[name].value(), gammas)
    kinds = keras.layers
    kind = (
        kinds.DepthwiseConv2D if isinstance(layer, ResidualBinaryDepthwiseConv2D) else kinds.Conv2D
    )
    known = kind(1, 1) if kind is kinds.Conv2D else kind(1)
    config = {key: value for key, value in layer.get_config().items() if key in known.get_config()}
    plain = kind.from_config(config)
    plain.build(wrapper.input_shape)
    plain.set_weights([kernel, *([weights["bias"].numpy()] if layer.use_bias else [])])
    config = IntegerOperator(wrapper.quantize_config.output, not layer.per_channel)
    return QuantizeWrapperV2(plain, config, name=wrapper.name)
