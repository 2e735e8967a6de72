"""Functions of one int8 value, and of it and its channel, as tables; those in a row become one."""

from __future__ import annotations

import numpy as np

from tinyseg.engine.builder import Builder
from tinyseg.engine.program import Data, Kernel, Link
from tinyseg.engine.rules import factors
from tinyseg.tflite import activations, arithmetic
from tinyseg.tflite.functions import table
from tinyseg.tflite.nodes import Operator, Tensor

_STORED = np.arange(-128, 128)


def unary(builder: Builder, operator: Operator) -> None:
    """Add an operator of one int8 tensor."""
    _add(builder, operator, operator.input(0), table(operator)[None])


def of_constant(builder: Builder, operator: Operator) -> bool:
    """Add an ADD, SUB or MUL with a constant of each channel, or of all; False if it is none."""
    constants = [tensor for tensor in operator.first(2) if tensor.constant]
    if len(constants) != 1:
        return False
    (constant,) = constants
    (data,) = [tensor for tensor in operator.first(2) if not tensor.constant]
    output = operator.outputs[0]
    channels = builder.shape(output)[2]
    last = constant.shape[-1:]
    by_channel = constant.elements in (1, channels) and last in ((), (1,), (channels,))
    if not by_channel or builder.shape(data) != builder.shape(output):
        return False
    values = constant.array().astype(np.int64).reshape(-1, 1)
    stored = {constant.index: (values, *factors.scale_of(constant))}
    stored[data.index] = (_STORED[None], *factors.scale_of(data))
    first, second = (stored[tensor.index] for tensor in operator.first(2))
    target = factors.scale_of(output)
    if operator.opcode == "MUL":
        results = arithmetic.mul(first, second, target)
    else:
        results = arithmetic.add(first, second, target, subtract=operator.opcode == "SUB")
    low, high = activations.clamp_range(output, operator.options)
    _add(builder, operator, data, arithmetic.clamp(results, low, high))
    return True


def cast(builder: Builder, operator: Operator) -> None:
    """Take a CAST of int8 to int32 as the int8 values that it holds."""
    data, output = operator.input(0), operator.outputs[0]
    if (data.dtype, output.dtype) != ("int8", "int32"):
        raise ValueError(f"it casts {data.dtype} to {output.dtype}")
    builder.rename(output, data)


def gather(builder: Builder, operator: Operator) -> None:
    """Add a GATHER from a constant, with the indices that a CAST makes of int8 values."""
    values, indices = operator.first(2)
    cast_of = [o for o in builder.model.operators if indices in o.outputs and o.opcode == "CAST"]
    if not values.constant or values.dtype != "int8" or len(values.shape) != 1 or not cast_of:
        raise ValueError("it looks up other than int8 values in a constant")
    entries = np.zeros(256, np.int8)
    # Indices are never negative.
    found = values.array()[:128]
    entries[128 : 128 + len(found)] = found
    _add(builder, operator, cast_of[0].input(0), entries[None])


def _add(builder: Builder, operator: Operator, data: Tensor, entries: np.ndarray) -> None:
    """Add a table ``(1 or channels, 256)``, or put it into the one before."""
    output = operator.outputs[0]
    before = builder.alone(data)
    if before is not None and before.kernel == Kernel.TABLE:
        stored = before.params[0]
        assert isinstance(stored, Data)  # Of a table it is.
        inner = np.frombuffer(stored.content, np.int8).reshape(-1, 256)
        rows = max(len(inner), len(entries))
        inner, entries = (np.broadcast_to(part, (rows, 256)) for part in (inner, entries))
        both = np.take_along_axis(entries, inner.astype(np.int64) + 128, axis=1)
        builder.replace_last(output, _params(both))
        return
    link = Link(builder.node(data, operator.index))
    builder.add(output, Kernel.TABLE, (link,), _params(entries), op=operator.index)


def _params(entries: np.ndarray) -> tuple[int | Data, ...]:
    return Data(entries.astype(np.int8).tobytes()), int(len(entries) > 1)
