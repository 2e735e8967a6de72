"""CONV_2D."""

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


def _cost(operator: Operator) -> Cost:
    _, height, width, channels = operator.input(1).shape
    return convolution_cost(operator, height * width * channels)


def _cmsis_nn(operator: Operator, mve: bool) -> int:
    """Return the im2col buffer."""
    data, weights = operator.first(2)
    if data.dtype not in ("int8", "int16"):
        return 0
    _, rows, columns, _ = weights.shape
    channels = data.shape[3]
    length = rows * columns * channels
    if data.dtype == "int16":
        return 4 * 2 * cmsis_nn.up(length, 8) if mve else 4 * length
    options = operator.options
    dilated = (options.dilationHFactor, options.dilationWFactor) != (1, 1)
    pad_rows, pad_columns = padding_before(operator, rows, columns)
    whole = channels == weights.shape[3]
    if (rows, columns, pad_rows, pad_columns) == (1, 1, 0, 0) and not dilated and whole:
        return 0
    flat = data.shape[1] == rows == 1 and options.dilationWFactor == 1
    if mve and flat and whole and options.strideW * channels % 4 == 0:
        return _row(operator, columns, pad_columns)
    return cmsis_nn.im2col(length, mve)


def _row(operator: Operator, columns: int, pad: int) -> int:
    """Return the buffer of ``arm_convolve_1_x_n_s8``."""
    data, output = operator.input(0), operator.outputs[0]
    channels, stride, places = data.shape[3], operator.options.strideW, output.shape[2]
    total = (places - 1) * stride + columns - data.shape[2]
    # C's remainder takes the sign of the dividend.
    odd = total % 2 if total >= 0 else -(-total % 2)
    right = max(1, (pad + odd + stride - 1) // stride) if pad + odd else 0
    left = max(1, (pad + stride - 1) // stride) if pad else 0
    inner = max(places - right - left, 0)
    if right + inner + left != places:
        return cmsis_nn.im2col(channels * columns, True)
    pad_right = right * channels if odd else pad * channels
    return max((columns + pad) * channels, (columns - 1) * channels + pad_right)


CONV_2D = Op(
    "CONV_2D",
    inputs=("data", "weights"),
    options="Conv2DOptions",
    cost=_cost,
    types=(INT8, INT16, FLOAT32),
    memory=Memory(
        same(28), (80, 60), more=convolution_arrays(0), scratch=convolution_scratch(_cmsis_nn)
    ),
    rows=convolution,
    padding=True,
    quantization=Scales(needed=True, channels=0),
    checks=(full_integer,),
    int8_kernel=True,
)
