"""TINYSEG_BINARY_CONV_2D, our own operator: products of signs."""

from __future__ import annotations

from tinyseg.engine.builder import Builder
from tinyseg.engine.program import Data, Kernel, Link, Need
from tinyseg.engine.rules import factors
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.binary_conv_2d import BinaryConvOptions


def binary_convolution(builder: Builder, operator: Operator) -> None:
    """Add a binary convolution."""
    data, filters, requantization = operator.first(3)
    output = operator.outputs[0]
    options = BinaryConvOptions.decode(operator.custom_options)
    _, height, width, words = filters.shape
    source = builder.node(data, operator.index)
    node = builder.nodes[source]
    rows, columns, _ = builder.shape(output)
    top, left = (
        0 if options.padding == "valid" else max((places - 1) * stride + extent - size, 0) // 2
        for places, stride, extent, size in zip(
            (rows, columns), options.strides, (height, width), (node.rows, node.width), strict=True
        )
    )
    params = (
        *(height, width, *options.strides, 1, 1, top, left),
        *(factors.scale_of(data)[1], factors.scale_of(output)[1]),
        *(options.output_min, options.output_max),
        Data(filters.array().tobytes()),
        Data(requantization.array().tobytes()),
    )
    need = Need(options.strides[0], -top, height - 1 - top)
    scratch = 4 * words * (height * node.width + 2 * height * width) + height * node.row_bytes
    links = (Link(source, need),)
    builder.add(
        output, Kernel.BINARY_CONVOLUTION, links, params, scratch=scratch, op=operator.index
    )
