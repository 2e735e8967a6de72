"""Replace convolutions of signs by the binary convolution of ``firmware/ops``.

An int8 convolution qualifies if its kernel has one magnitude in each channel and its input
takes two opposite values, as one level of residual binarization makes them. For cores
without vector instructions this is several times faster; those with MVE gain nothing.
"""

from __future__ import annotations

import numpy as np

from tinyseg.tflite.graph import Graph, constant, is_constant
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.binary_conv_2d import NAME, BinaryConvOptions, pack_filter, requantization
from tinyseg.tflite.ops.rows import activations
from tinyseg.tflite.schema import ActivationFunctionType, Padding

# These hand on the values of their inputs.
_TRANSPARENT = ("MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION")


def lower_binary_convolutions(content: bytes) -> tuple[bytes, list[str]]:
    """Replace every convolution of signs.

    Args:
        content: bytes of an int8 ``.tflite`` file, not packed.

    Returns:
        The bytes of the new file, and the names of the outputs of the replaced operators.
    """
    graph = Graph(content)
    producers = graph.producers()
    replaced = []
    for operator in graph.operators:
        if operator.opcode != "CONV_2D":
            continue
        magnitude = _sign_magnitude(operator.input(0), producers)
        weights = _weight_magnitudes(operator.input(1))
        if magnitude and weights is not None and _suits(operator):
            _replace(operator, magnitude, weights)
            replaced.append(operator.outputs[0].name)
    if not replaced:
        return content, []
    return graph.to_bytes(), replaced


def _sign_magnitude(tensor: Tensor, producers: dict[int, Operator]) -> int:
    """Return v if a tensor only holds v and -v, with a zero point of 0; else 0."""
    operator = producers.get(id(tensor))
    if operator is None or tensor.quantization is None or tensor.quantization.zero_points[0] != 0:
        return 0
    if operator.opcode in _TRANSPARENT:
        sources = activations(operator)
        found = {_sign_magnitude(item, producers) for item in sources}
        return found.pop() if len(found) == 1 else 0
    if operator.opcode != "GATHER" or not is_constant(operator.input(0)):
        return 0
    values = np.unique(operator.input(0).array()).astype(int)
    return int(values[1]) if len(values) == 2 and values[0] == -values[1] else 0


def _weight_magnitudes(kernel: Tensor) -> np.ndarray | None:
    """Return a for each output channel if its weights are a and -a; else None."""
    if not is_constant(kernel) or kernel.array().dtype != np.int8:
        return None
    channels = np.abs(kernel.array().astype(int)).reshape(kernel.shape[0], -1)
    same = (channels == channels[:, :1]).all() and channels[:, 0].all()
    return channels[:, 0] if same else None


def _suits(operator: Operator) -> bool:
    biases, settings = operator.inputs[2:], operator.options
    undilated = settings.dilationHFactor == settings.dilationWFactor == 1
    return undilated and all(bias is None or is_constant(bias) for bias in biases)


def _replace(operator: Operator, magnitude: int, weights: np.ndarray) -> None:
    """Turn a convolution into the custom operator, in place."""
    (source, kernel), rest = operator.first(2), operator.inputs[2:]
    (target,) = operator.outputs
    input_scale = np.float64(source.scales[0])
    scales = input_scale * np.asarray(kernel.scales, np.float64)
    bias = rest[0].array() * scales if rest and rest[0] is not None else np.zeros(len(weights))
    settings = operator.options
    low, high = _output_range(settings.fusedActivationFunction, target)
    encoded = BinaryConvOptions(
        (settings.strideH, settings.strideW),
        "same" if settings.padding == Padding.SAME else "valid",
        low,
        high,
    ).encode()
    filters = pack_filter(kernel.array().transpose(1, 2, 3, 0))
    to = requantization(scales * magnitude * weights, bias, target.scales[0])
    operator.inputs = [source, constant(kernel.name, filters), constant(f"{kernel.name}_to", to)]
    operator.become_custom(NAME, encoded)


def _output_range(activation: int, target: Tensor) -> tuple[int, int]:
    scale, zero_point = target.scales[0], int(target.zero_points[0])
    kinds = ActivationFunctionType
    low = {kinds.NONE: -128, kinds.RELU: zero_point, kinds.RELU6: zero_point}[activation]
    high = zero_point + round(6 / scale) if activation == kinds.RELU6 else 127
    return max(low, -128), min(high, 127)
