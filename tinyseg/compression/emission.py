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

from tinyseg.compression.folding import walk, weights_by_name
from tinyseg.compression.quantization_aware import GammaQuantizer, IntegerOperator
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
    """

    model: keras.Model
    signs: dict[str, Function]


def emit(model: keras.Model) -> Emission:
    """Replace residual-binarized layers of a network from ``quantization_aware``."""
    signs: dict[str, Function] = {}

    def visit(layer: keras.layers.Layer, sources: list[keras.KerasTensor]) -> keras.KerasTensor:
        inner = layer.layer
        if isinstance(inner, ResidualBinaryKernels):
            layer = _plain(layer)
        elif isinstance(inner, ResidualSign):
            signs[layer.name] = _function(layer)
            config = IntegerOperator(layer.quantize_config.output)
            layer = QuantizeWrapperV2(keras.layers.LeakyReLU(), config, name=layer.name)
        return layer(sources if len(sources) > 1 else sources[0])

    return Emission(walk(model, visit), signs)


def _function(wrapper: QuantizeWrapperV2) -> Function:
    sign = ResidualSign.from_config(wrapper.layer.get_config())
    sign.build(wrapper.input_shape)
    sign.set_weights([weights_by_name(wrapper)["gammas"].numpy()])
    return lambda values: sign(values.astype(np.float32)).numpy()


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
