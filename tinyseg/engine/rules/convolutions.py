"""CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np

from tinyseg.engine.builder import Builder
from tinyseg.engine.packed_weights import pack_weights
from tinyseg.engine.program import Data, Kernel, Link, Need
from tinyseg.engine.rules import factors
from tinyseg.tflite.activations import clamp_range, is_valid
from tinyseg.tflite.arithmetic import quantize_multiplier
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.padding import padding_before


def convolution(builder: Builder, operator: Operator) -> None:
    """Add a CONV_2D; concatenated inputs stay apart."""
    data, weights, _ = _operands(operator)
    kernel = _weights(weights)
    if builder.shape(data)[2] != kernel.shape[3]:
        raise ValueError("it is a grouped convolution")
    sums = kernel.astype(np.int64).sum(axis=(1, 2, 3))
    _windowed(builder, operator, Kernel.CONVOLUTION, sums)


def depthwise(builder: Builder, operator: Operator) -> None:
    """Add a DEPTHWISE_CONV_2D; concatenated inputs stay apart."""
    data, weights, _ = _operands(operator)
    kernel = _weights(weights)
    multiplier = kernel.shape[3] // builder.shape(data)[2]
    sums = kernel.astype(np.int64).sum(axis=(0, 1, 2))
    _windowed(builder, operator, Kernel.DEPTHWISE, sums, (multiplier,))


def _windowed(
    builder: Builder,
    operator: Operator,
    kind: Kernel,
    sums: np.ndarray,
    own: tuple[int, ...] = (),
) -> None:
    """Add a convolution with a window; ``own`` parameters of its kernel come before the data."""
    data, weights, bias = _operands(operator)
    options, output = operator.options, operator.outputs[0]
    kernel = _weights(weights)
    _, height, width, _ = kernel.shape
    top, left = padding_before(operator, height, width)
    params = (
        *(height, width, options.strideH, options.strideW),
        *(options.dilationHFactor, options.dilationWFactor, top, left),
        *_border(data, output, options),
        *own,
        Data(kernel.tobytes()),
        _channels(data, weights, bias, output, sums),
    )
    extent = (height - 1) * options.dilationHFactor
    need = Need(options.strideH, -top, extent - top)
    links = tuple(Link(part, need) for part in builder.parts(data))
    macs = kernel.size * builder.shape(output)[1]
    _add(builder, output, kind, links, params, kernel, macs=macs, op=operator.index)


def transposed(builder: Builder, operator: Operator) -> None:
    """Add a TRANSPOSE_CONV."""
    _, weights, data = operator.first(3)
    bias = operator.inputs[3] if len(operator.inputs) > 3 else None
    options, output = operator.options, operator.outputs[0]
    kernel = _weights(weights)
    _, height, width, _ = kernel.shape
    rows, columns, _ = builder.shape(output)
    strides = (options.strideH, options.strideW)
    top, left = (
        0 if is_valid(options) else max((-(-side // s) - 1) * s + k - side, 0) // 2
        for side, s, k in zip((rows, columns), strides, (height, width), strict=True)
    )
    # Of the weights that reach pixels of each phase.
    phases = np.array(
        [
            [
                kernel[:, y :: strides[0], x :: strides[1]].astype(np.int64).sum(axis=(1, 2, 3))
                for x in range(strides[1])
            ]
            for y in range(strides[0])
        ]
    )
    params = (
        *(height, width, *strides, 1, 1, top, left),
        *_border(data, output, options),
        Data(kernel.tobytes()),
        _channels(data, weights, bias, output, phases),
    )
    # Input row i reaches rows i * stride - top to i * stride - top + height - 1.
    need = Need(1, top - height + strides[0], top, strides[0])
    source = builder.node(data, operator.index)
    macs = kernel.size * builder.shape(data)[1] // strides[0]
    links = (Link(source, need),)
    _add(builder, output, Kernel.TRANSPOSED, links, params, kernel, macs=macs, op=operator.index)


def fully_connected(builder: Builder, operator: Operator) -> None:
    """Add a FULLY_CONNECTED: a convolution of one tap, over the features of each row."""
    data, weights, bias = _operands(operator)
    output = operator.outputs[0]
    kernel = _weights(weights)
    source = builder.node(data, operator.index)
    _, width, _ = builder.shape(output)
    depth = kernel.shape[-1]
    if builder.nodes[source].channels != depth:
        source = _features(builder, source, depth, operator.index)
    sums = kernel.astype(np.int64).sum(axis=1)
    params = (
        *(1, 1, 1, 1, 1, 1, 0, 0),
        *_border(data, output, operator.options),
        Data(kernel.tobytes()),
        _channels(data, weights, bias, output, sums, product_in_float=True),
    )
    links = (Link(source),)
    macs = kernel.size * width
    _add(builder, output, Kernel.CONVOLUTION, links, params, kernel, macs=macs, op=operator.index)


_PACKED = {
    Kernel.CONVOLUTION: Kernel.PACKED_CONVOLUTION,
    Kernel.TRANSPOSED: Kernel.PACKED_TRANSPOSED,
}


def _add(
    builder: Builder,
    output: Tensor,
    kind: Kernel,
    links: tuple[Link, ...],
    params: tuple[int | Data, ...],
    kernel: np.ndarray,
    **facts: int,
) -> None:
    """Add a node whose last two parameters are its weights and channels; packed where asked for."""
    packed = pack_weights(kernel) if builder.packs and kind in _PACKED else None
    if packed is not None:
        kind, params = _PACKED[kind], (*params[:-2], 0, params[-1], *packed.params)
        facts["scratch"] = packed.scratch
    builder.add(output, kind, links, params, **facts)


def _features(builder: Builder, source: int, depth: int, op: int) -> int:
    """Return a node of the same bytes, in one row of pixels with so many channels."""
    from tinyseg.engine.rules.shapes import reshaped

    node = builder.nodes[source]
    elements = node.rows * node.width * node.channels
    return builder.append(reshaped(node, source, (1, elements // depth, depth), op))


def _operands(operator: Operator) -> tuple[Tensor, Tensor, Tensor | None]:
    data, weights = operator.first(2)
    return data, weights, operator.inputs[2] if len(operator.inputs) > 2 else None


def _weights(weights: Tensor) -> np.ndarray:
    if not weights.constant:
        raise ValueError("its weights are computed")
    if weights.dtype != "int8":
        raise ValueError(f"its weights are {weights.dtype}")
    return weights.array()


def _border(data: Tensor, output: Tensor, options: object) -> tuple[int, int, int, int]:
    least, most = clamp_range(output, options)
    return factors.scale_of(data)[1], factors.scale_of(output)[1], least, most


def _channels(
    data: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    output: Tensor,
    sums: np.ndarray,
    *,
    product_in_float: bool = False,
) -> Data:
    """Return biases, multipliers and shifts as ``Channel`` of params.h."""
    biases, multipliers, shifts = factors.channels(data, weights, bias, output, sums)
    if product_in_float and weights.scales.size == 1:
        # FULLY_CONNECTED multiplies both scales as float32.
        product = np.float32(data.scales[0]) * np.float32(weights.scales[0])
        one, two = quantize_multiplier(np.float64(product) / np.float64(output.scales[0]))
        multipliers, shifts = np.full_like(multipliers, one), np.full_like(shifts, two)
    packed = np.stack(np.broadcast_arrays(biases, multipliers, shifts), axis=-1)
    return Data(packed.astype("<i4").tobytes())
