"""Scratch memory of CMSIS-NN's kernels, in bytes, as its ``*_get_buffer_size`` functions give it.

Sources: ``Source/ConvolutionFunctions/arm_*_get_buffer_sizes_*.c`` and
``Source/FullyConnectedFunctions/arm_fully_connected_get_buffer_sizes_*.c`` of CMSIS-NN, built
with GCC for cores with the DSP extension (Cortex-M4, M7, M33) or with MVE (M55, M85), and the
callers in ``tensorflow/lite/micro/kernels/cmsis_nn`` of TensorFlow Lite Micro.
"""

from __future__ import annotations

from typing import Any

from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg.tflite.model import Operator

# Above so many input channels a transposed convolution runs as a convolution.
_REVERSE_THRESHOLD = 16
# Channels that a vectorized depthwise convolution takes at a time.
_CHANNEL_BLOCK = 124


def conv(operator: Operator, mve: bool) -> int:
    """Return the im2col buffer of a ``CONV_2D``."""
    data, weights = operator.inputs[:2]
    if data.dtype not in ("int8", "int16"):
        return 0
    _, rows, columns, _ = weights.shape
    channels = data.shape[3]
    length = rows * columns * channels
    if data.dtype == "int16":
        return 4 * 2 * _up(length, 8) if mve else 4 * length
    options = operator.options
    dilated = (options.dilationHFactor, options.dilationWFactor) != (1, 1)
    pad_rows, pad_columns = _padding(operator, rows, columns)
    whole = channels == weights.shape[3]
    if (rows, columns, pad_rows, pad_columns) == (1, 1, 0, 0) and not dilated and whole:
        return 0
    flat = data.shape[1] == rows == 1 and options.dilationWFactor == 1
    if mve and flat and whole and options.strideW * channels % 4 == 0:
        return _conv_1_x_n(operator, columns, pad_columns)
    return _im2col(length, mve)


def _conv_1_x_n(operator: Operator, columns: int, pad: int) -> int:
    data, output = operator.inputs[0], operator.outputs[0]
    channels, stride, places = data.shape[3], operator.options.strideW, output.shape[2]
    total = (places - 1) * stride + columns - data.shape[2]
    # C's remainder takes the sign of the dividend.
    odd = total % 2 if total >= 0 else -(-total % 2)
    right = max(1, (pad + odd + stride - 1) // stride) if pad + odd else 0
    left = max(1, (pad + stride - 1) // stride) if pad else 0
    inner = max(places - right - left, 0)
    if right + inner + left != places:
        return _im2col(channels * columns, True)
    pad_right = right * channels if odd else pad * channels
    return max((columns + pad) * channels, (columns - 1) * channels + pad_right)


def depthwise_conv(operator: Operator, mve: bool) -> int:
    """Return the buffer of a ``DEPTHWISE_CONV_2D``."""
    data, weights = operator.inputs[:2]
    if data.dtype != "int8":
        return 0
    _, rows, columns, channels = weights.shape
    options = operator.options
    dilated = (options.dilationHFactor, options.dilationWFactor) != (1, 1)
    pad_rows, pad_columns = _padding(operator, rows, columns)
    if mve and data.shape[3] == 1 and channels > 1:
        plain = (rows, columns, pad_rows, pad_columns) == (1, 1, 0, 0) and not dilated
        return channels * rows * columns + (0 if plain else _im2col(rows * columns, True))
    if data.shape[3] != channels or data.shape[0] != 1 or dilated:
        return 0
    if mve:
        return 4 * _CHANNEL_BLOCK * rows * columns
    small = (rows, columns) == (3, 3) and pad_rows <= 1 and pad_columns <= 1
    return 0 if small else 2 * channels * rows * columns


def transpose_conv(operator: Operator, mve: bool) -> list[int]:
    """Return both buffers of an int8 ``TRANSPOSE_CONV``; either may be empty."""
    data, weights, output = operator.inputs[2], operator.inputs[1], operator.outputs[0]
    out_channels, rows, columns, _ = weights.shape
    options, channels = operator.options, data.shape[3]
    if max(options.strideH, options.strideW) <= 2 and channels > _REVERSE_THRESHOLD:
        length = rows * columns * channels
        return [_im2col(length, mve), length * out_channels]
    # The width is compared with the vertical stride there, too.
    width = (data.shape[2] - 1) * options.strideW + max(columns, options.strideH)
    return [4 * width * output.shape[3] * max(rows, options.strideH), 0]


def fully_connected(operator: Operator, mve: bool) -> list[int]:
    """Return the buffers of a ``FULLY_CONNECTED``: those that fake scales of one a channel."""
    data, weights = operator.inputs[:2]
    if data.dtype != "int8" or weights.dtype == "int4":
        return []
    output = operator.outputs[0]
    if _as_conv(operator):
        return [] if weights.scales.size > 1 else [8 * output.shape[-1]]
    return [4 * output.shape[-1]] if mve and not _constant(operator) else []


def kernel_sums(operator: Operator, mve: bool) -> list[int]:
    """Return the sums of weights that a vectorized ``FULLY_CONNECTED`` keeps."""
    data, weights = operator.inputs[:2]
    if not mve or data.dtype != "int8" or weights.dtype == "int4" or _as_conv(operator):
        return []
    return [4 * operator.outputs[0].shape[-1]] if _constant(operator) else []


def _as_conv(operator: Operator) -> bool:
    return len(operator.outputs[0].shape) > 2 and operator.inputs[1].shape[-1] % 4 == 0


def _constant(operator: Operator) -> bool:
    return all(tensor is None or tensor.constant for tensor in operator.inputs[1:])


def _im2col(length: int, mve: bool) -> int:
    return 4 * _up(length, 16) if mve else 4 * _up(length, 4)


def _padding(operator: Operator, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of padding before the image: ``tensorflow/lite/kernels/padding.h``."""
    options = operator.options
    if options.padding != schema.Padding.SAME:
        return 0, 0
    sides = operator.inputs[0].shape[1:3]
    steps = zip(
        sides,
        (rows, columns),
        (options.strideH, options.strideW),
        (options.dilationHFactor, options.dilationWFactor),
        strict=True,
    )
    rows, columns = (_before(*step) for step in steps)
    return rows, columns


def _before(side: int, kernel: int, stride: int, dilation: int) -> Any:
    places = -(-side // stride)
    return max((places - 1) * stride + (kernel - 1) * dilation + 1 - side, 0) // 2


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
