"""FULLY_CONNECTED."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.checks import full_integer
from tinyseg.tflite.ops.cost import Cost, activation_ops
from tinyseg.tflite.ops.memory import Memory, channel_arrays, is_integer, unpacked_int4
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.ops.scales import Scales
from tinyseg.tflite.target import Target


def _cost(operator: Operator) -> Cost:
    output = operator.outputs[0]
    macs = operator.input(1).shape[-1] * output.elements
    bias = output.elements if any(tensor is not None for tensor in operator.inputs[2:]) else 0
    return Cost(macs, 2 * macs + bias + activation_ops(operator))


def _more(operator: Operator, target: Target) -> list[int]:
    data, weights = operator.first(2)
    per_channel = weights.scales.size > 1 and is_integer(data)
    arrays = channel_arrays(weights.scales.size) if per_channel else []
    return arrays + (_kernel_sums(operator, target.mve) if target.cmsis else [])


def _scratch(operator: Operator, target: Target) -> list[int]:
    if target.cmsis:
        return _cmsis_nn(operator, target.mve)
    return unpacked_int4(operator)


def _cmsis_nn(operator: Operator, mve: bool) -> list[int]:
    """Return the buffers that fake scales of one a channel."""
    data, weights = operator.first(2)
    if data.dtype != "int8" or weights.dtype == "int4":
        return []
    output = operator.outputs[0]
    if _as_convolution(operator):
        return [] if weights.scales.size > 1 else [8 * output.shape[-1]]
    return [4 * output.shape[-1]] if mve and not _constant(operator) else []


def _kernel_sums(operator: Operator, mve: bool) -> list[int]:
    """Return the sums of weights that a vectorized kernel keeps."""
    data, weights = operator.first(2)
    if not mve or data.dtype != "int8" or weights.dtype == "int4" or _as_convolution(operator):
        return []
    return [4 * operator.outputs[0].shape[-1]] if _constant(operator) else []


def _as_convolution(operator: Operator) -> bool:
    return len(operator.outputs[0].shape) > 2 and operator.input(1).shape[-1] % 4 == 0


def _constant(operator: Operator) -> bool:
    return all(tensor is None or tensor.constant for tensor in operator.inputs[1:])


FULLY_CONNECTED = Op(
    "FULLY_CONNECTED",
    inputs=("data", "weights"),
    cost=_cost,
    types=(INT8, INT16, FLOAT32),
    # The sources have 16 bytes of options on hosts; the interpreter on the host takes 32.
    memory=Memory((32, 5), (72, 72), more=_more, scratch=_scratch, alignment=8),
    quantization=Scales(needed=True, channels=0),
    checks=(full_integer,),
    int8_kernel=True,
    differs="TFLite's reference kernel rounds once, TFLM twice",
    rounds_once=True,
)
