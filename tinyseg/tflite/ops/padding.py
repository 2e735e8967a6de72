"""TensorFlow's SAME and VALID padding, and TFLM's."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.schema import Padding


def same_padding(padding: int, size: int, output: int, extent: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's padding before and after an axis."""
    if padding == Padding.VALID:
        return 0, 0
    total = max((output - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def padding_before(operator: Operator, rows: int, columns: int) -> tuple[int, int]:
    """Return rows and columns of padding before the image: ``tensorflow/lite/kernels/padding.h``.

    Args:
        operator: a convolution.
        rows, columns: of its kernel.
    """
    options = operator.options
    if options.padding != Padding.SAME:
        return 0, 0
    sides = operator.input(0).shape[1:3]
    steps = zip(
        sides,
        (rows, columns),
        (options.strideH, options.strideW),
        (options.dilationHFactor, options.dilationWFactor),
        strict=True,
    )
    rows, columns = (_before(*step) for step in steps)
    return rows, columns


def _before(side: int, kernel: int, stride: int, dilation: int) -> int:
    places = -(-side // stride)
    return max((places - 1) * stride + (kernel - 1) * dilation + 1 - side, 0) // 2
