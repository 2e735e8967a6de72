"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops import cmsis_nn
from tinyseg.tflite.ops.checks import full_integer
from tinyseg.tflite.ops.cost import Cost, convolution_cost
from tinyseg.tflite.ops.memory import (
    Memory,
    convolution_arrays,
    convolution_scratch,
    same,
)
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.ops.padding import padding_before
from tinyseg.tflite.ops.rows import convolution
from tinyseg.tflite.ops.scales import Scales

# Channels that a vectorized kernel of CMSIS-NN takes at a time.
_CHANNEL_BLOCK = 124


def _cost(operator: Operator) -> Cost:
    _, height, width, _ = operator.input(1).shape
    return convolution_cost(operator, height * width)


def _cmsis_nn(operator: Operator, mve: bool) -> int:
    data, weights = operator.first(2)
    if data.dtype != "int8":
        return 0
    _, rows, columns, channels = weights.shape
    options = operator.options
    dilated = (options.dilationHFactor, options.dilationWFactor) != (1, 1)
    pad_rows, pad_columns = padding_before(operator, rows, columns)
    if mve and data.shape[3] == 1 and channels > 1:
        plain = (rows, columns, pad_rows, pad_columns) == (1, 1, 0, 0) and not dilated
        return channels * rows * columns + (0 if plain else cmsis_nn.im2col(rows * columns, True))
    if data.shape[3] != channels or data.shape[0] != 1 or dilated:
        return 0
    if mve:
        return 4 * _CHANNEL_BLOCK * rows * columns
    small = (rows, columns) == (3, 3) and pad_rows <= 1 and pad_columns <= 1
    return 0 if small else 2 * channels * rows * columns


DEPTHWISE_CONV_2D = Op(
    "DEPTHWISE_CONV_2D",
    inputs=("data", "weights"),
    options="DepthwiseConv2DOptions",
    cost=_cost,
    types=(INT8, INT16, FLOAT32),
    memory=Memory(
        same(28), (80, 60), more=convolution_arrays(3), scratch=convolution_scratch(_cmsis_nn)
    ),
    rows=convolution,
    padding=True,
    quantization=Scales(needed=True, channels=3),
    checks=(full_integer,),
    int8_kernel=True,
)
