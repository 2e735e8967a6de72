"""TRANSPOSE_CONV."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops import cmsis_nn
from tinyseg.tflite.ops.checks import Severity
from tinyseg.tflite.ops.cost import Cost
from tinyseg.tflite.ops.memory import Memory, channel_arrays
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.ops.scales import Scales
from tinyseg.tflite.schema import Padding
from tinyseg.tflite.target import Target

# Above so many input channels CMSIS-NN runs it as a convolution.
_REVERSE_THRESHOLD = 16


def _cost(operator: Operator) -> Cost:
    out_channels, height, width, _ = operator.input(1).shape
    data = operator.input(2)
    macs = height * width * out_channels * data.elements
    if len(operator.inputs) < 4:
        return Cost(macs, 2 * macs)
    # MLTK counts the bias as if this were an ordinary convolution of the same options.
    options = operator.options
    valid = options.padding == Padding.VALID
    rows = -(-(data.shape[1] - valid * (height - 1)) // options.strideH)
    columns = -(-(data.shape[2] - valid * (width - 1)) // options.strideW)
    return Cost(macs, 2 * macs + out_channels * rows * columns)


def _arrays(operator: Operator, target: Target) -> list[int]:
    return channel_arrays(operator.input(1).shape[0])


def _scratch(operator: Operator, target: Target) -> list[int]:
    data, output = operator.input(2), operator.outputs[0]
    if data.dtype == "int16":
        short = [t for t in operator.inputs[3:4] if t is not None and t.dtype == "int16"]
        return [8 * output.elements, *(8 * bias.elements for bias in short)]
    if data.dtype != "int8":
        return []
    if target.cmsis:
        # Both are requested even if they are empty.
        return _cmsis_nn(operator, target.mve)
    return [4 * output.elements]


def _cmsis_nn(operator: Operator, mve: bool) -> list[int]:
    """Return both buffers of the int8 kernel; either may be empty."""
    data, weights, output = operator.input(2), operator.input(1), operator.outputs[0]
    out_channels, rows, columns, _ = weights.shape
    options, channels = operator.options, data.shape[3]
    if max(options.strideH, options.strideW) <= 2 and channels > _REVERSE_THRESHOLD:
        length = rows * columns * channels
        return [cmsis_nn.im2col(length, mve), length * out_channels]
    # The width is compared with the vertical stride there, too.
    width = (data.shape[2] - 1) * options.strideW + max(columns, options.strideH)
    return [4 * width * output.shape[3] * max(rows, options.strideH), 0]


def _right_in_cmsis_nn(operator: Operator) -> tuple[Severity, str] | None:
    _, height, width, channels = operator.input(1).shape
    options = operator.options
    if (height, width, options.strideH) != (4, 4, 2) or channels > 16:
        return None
    if options.padding != Padding.SAME:
        return None
    return "warning", (
        "4x4 stride-2 SAME with at most 16 input channels is wrong in CMSIS-NN before July 2026 "
        "(CMSIS-NN #233); use a 2x2 or 3x3 kernel"
    )


TRANSPOSE_CONV = Op(
    "TRANSPOSE_CONV",
    inputs=("shape", "weights", "data"),
    options="TransposeConvOptions",
    cost=_cost,
    types=(INT8, INT16, FLOAT32),
    memory=Memory((20, 16), (88, 76), more=_arrays, scratch=_scratch),
    padding=True,
    image_size=(0, 1),
    quantization=Scales(needed=True, channels=0),
    checks=(_right_in_cmsis_nn,),
    int8_kernel=True,
)
