"""The operators that are known, and what is known of their uses.

Support is that of the interpreter in the ``tflite-micro`` package (its
``python_ops_resolver.cc``). Add an operator: a file, and a line in ``_LISTED``.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.batch_matmul import BATCH_MATMUL
from tinyseg.tflite.ops.binary_conv_2d import BINARY_CONV_2D
from tinyseg.tflite.ops.concatenation import CONCATENATION, PACK
from tinyseg.tflite.ops.control import CONTROL
from tinyseg.tflite.ops.conv_2d import CONV_2D
from tinyseg.tflite.ops.cost import Cost
from tinyseg.tflite.ops.decode import DECODE
from tinyseg.tflite.ops.depth_to_space import BLOCKS
from tinyseg.tflite.ops.depthwise_conv_2d import DEPTHWISE_CONV_2D
from tinyseg.tflite.ops.elementwise_binary import ELEMENTWISE_BINARY
from tinyseg.tflite.ops.elementwise_unary import ELEMENTWISE_UNARY
from tinyseg.tflite.ops.fully_connected import FULLY_CONNECTED
from tinyseg.tflite.ops.gather import LOOKUPS
from tinyseg.tflite.ops.memory import Memory, Sizes
from tinyseg.tflite.ops.normalization import NORMALIZATIONS
from tinyseg.tflite.ops.op import Op
from tinyseg.tflite.ops.pad import PADS
from tinyseg.tflite.ops.pool_2d import POOLS
from tinyseg.tflite.ops.quantize import CAST, DEQUANTIZE, QUANTIZE
from tinyseg.tflite.ops.recurrent import RECURRENT
from tinyseg.tflite.ops.reduction import REDUCTIONS
from tinyseg.tflite.ops.resize import RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR
from tinyseg.tflite.ops.rows import RowRule, activations
from tinyseg.tflite.ops.shape import SHAPES
from tinyseg.tflite.ops.signal import SIGNAL
from tinyseg.tflite.ops.slice import SLICES
from tinyseg.tflite.ops.transpose_conv import TRANSPOSE_CONV
from tinyseg.tflite.schema import Padding
from tinyseg.tflite.target import Target

_LISTED = (
    BATCH_MATMUL,
    CAST,
    CONCATENATION,
    CONV_2D,
    DEPTHWISE_CONV_2D,
    DEQUANTIZE,
    FULLY_CONNECTED,
    PACK,
    QUANTIZE,
    RESIZE_BILINEAR,
    RESIZE_NEAREST_NEIGHBOR,
    TRANSPOSE_CONV,
    *BLOCKS,
    *CONTROL,
    *ELEMENTWISE_BINARY,
    *ELEMENTWISE_UNARY,
    *LOOKUPS,
    *NORMALIZATIONS,
    *PADS,
    *POOLS,
    *RECURRENT,
    *REDUCTIONS,
    *SHAPES,
    *SLICES,
)
# Builtin operators by name, custom ones of TFLM, and our own, which are in firmware/ops.
OPS: dict[str, Op] = {op.name: op for op in _LISTED}
TFLM_CUSTOM_OPS: dict[str, Op] = {op.name: op for op in (DECODE, *SIGNAL)}
FIRMWARE_OPS: dict[str, Op] = {op.name: op for op in (BINARY_CONV_2D,)}
# What nobody has looked at costs a node of the arena and no counted work.
_UNKNOWN = Op("", inputs=(), tflm=False)


def named(name: str) -> Op:
    """Return what is known of an operator by name, builtin or custom."""
    found = OPS.get(name) or TFLM_CUSTOM_OPS.get(name) or FIRMWARE_OPS.get(name)
    return found or _UNKNOWN


def op_of(operator: Operator) -> Op:
    """Return what is known of an operator; a custom one is not the builtin whose name it bears."""
    if operator.custom:
        name = operator.opcode
        return TFLM_CUSTOM_OPS.get(name) or FIRMWARE_OPS.get(name) or _UNKNOWN
    return OPS.get(operator.opcode, _UNKNOWN)


def cost(operator: Operator) -> Cost:
    """Return an operator's work; unknown operators count nothing."""
    return op_of(operator).cost(operator)


def total_cost(model: TfliteModel) -> Cost:
    """Return the work of one inference."""
    costs = [cost(operator) for operator in model.operators]
    return Cost(sum(c.macs for c in costs), sum(c.ops for c in costs))


def supported(operator: Operator) -> bool:
    """Return whether TFLM has a kernel for an operator with its element types."""
    return missing_kernel(operator) is None


def missing_kernel(operator: Operator) -> str | None:
    """Return in words which kernel TFLM lacks for a use of an operator, None if it has it."""
    op = op_of(operator)
    if not op.tflm:
        return "kernel"
    found = [t for t in operator.inputs[op.data : op.data + 1] or operator.outputs[:1] if t]
    if not found:
        return None
    data = found[0].dtype
    if op.types is not None and data not in op.types:
        return f"{data} kernel"
    results = op.results.get(data) if isinstance(op.results, Mapping) else op.results
    for output in operator.outputs[:1]:
        if results is not None and output.dtype not in results:
            return f"kernel from {data} to {output.dtype}"
    for role, tensor in zip(op.inputs, operator.inputs, strict=False):
        if tensor is not None and role in op.int32 and tensor.dtype != "int32":
            return f"kernel with {role} of {tensor.dtype}"
    return None


def registration(uses: Sequence[Operator]) -> str | None:
    """Return the call that registers an operator with TFLM's ``MicroMutableOpResolver``.

    Args:
        uses: all uses of one operator in a model.

    Returns:
        The call without the object, None if neither TFLM nor our firmware has the operator.
    """
    op = op_of(uses[0])
    if op.registration is not None:
        return op.registration
    if not all(map(supported, uses)) or (uses[0].custom and op.method is None):
        return None
    parts = (part if part == "2D" else part.capitalize() for part in op.name.split("_"))
    method = op.method or f"Add{''.join(parts)}"
    if not op.int8_kernel:
        return f"{method}()"
    # Constants may be int32 too: biases, paddings, axes.
    tensors = [t for use in uses for t in (*use.inputs, *use.outputs) if t is not None]
    constants = {tensor.dtype for tensor in tensors if tensor.constant}
    computed = {tensor.dtype for tensor in tensors if not tensor.constant}
    int8 = computed == {"int8"} and constants <= {"int8", "int32"}
    return f"{method}(tflite::Register_{op.name}_INT8())" if int8 else f"{method}()"


def rule(operator: Operator) -> RowRule | None:
    """Return how rows of an operator follow from rows of its inputs; None: not in strips."""
    rows = op_of(operator).rows
    if rows is None or len(operator.outputs) != 1:
        return None
    tensors = (*activations(operator), operator.outputs[0])
    if any(len(tensor.shape) != 4 or tensor.shape[0] != 1 for tensor in tensors):
        return None
    return rows(operator)


def options_bytes(opcode: str, target: Target) -> int:
    """Return the bytes of an operator's parsed options."""
    return _pick(_memory(opcode).options, target)


def options_alignment(opcode: str, target: Target) -> int:
    """Return what the address of an operator's parsed options is a multiple of."""
    memory = _memory(opcode)
    return (memory.alignment if target.wide else 4) if options_bytes(opcode, target) % 4 == 0 else 1


def persistent(operator: Operator, target: Target) -> list[int]:
    """Return the sizes of the buffers that a kernel keeps, in bytes.

    Raises:
        InputError: the operator lacks a tensor, dimension or option that its kernel needs.
    """
    memory = _memory(operator.opcode)
    own = _pick(memory.data, target)
    return ([own] if own else []) + _ask(memory.more, operator, target)


def scratch(operator: Operator, target: Target) -> list[int]:
    """Return the sizes of the scratch buffers that a kernel requests, in bytes and in order.

    Raises:
        InputError: the operator lacks a tensor, dimension or option that its kernel needs.
    """
    return _ask(_memory(operator.opcode).scratch, operator, target)


def example(opcode: str, channels: int, outputs: int) -> Operator:
    """Return an int8 operator of a kind, for kernels whose data depend on nothing else.

    Args:
        opcode: builtin name, or that of a custom operator.
        channels: of its input, output and weights; the weights have scales of one a channel.
        outputs: tensors that it writes.
    """
    scales, zeros = np.ones(channels, np.float32), np.zeros(channels, np.int64)
    tensor = Tensor(0, "", (channels, 1, 1, channels), "int8", scales, zeros)
    options = types.SimpleNamespace(
        padding=Padding.VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1,
        adjX=False, adjY=True, rank=1,
    )  # fmt: skip
    # An LSTM has the most inputs.
    return Operator(0, opcode, [tensor for _ in range(24)], outputs * [tensor], options)


def _memory(opcode: str) -> Memory:
    return named(opcode).memory or Memory()


def _ask(sizes: Sizes, operator: Operator, target: Target) -> list[int]:
    try:
        return sizes(operator, target)
    except (AttributeError, IndexError, TypeError, ValueError, ZeroDivisionError):
        raise InputError(
            f"operator {operator.index} {operator.opcode}: lacks a tensor, dimension or option "
            "that it needs; damaged"
        ) from None


def _pick(pair: tuple[int, int], target: Target) -> int:
    return pair[0 if target.wide else 1]
