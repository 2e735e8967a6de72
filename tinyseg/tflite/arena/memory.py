"""Predict the tensor arena that TensorFlow Lite Micro takes for a file, without running it.

The arena's head holds activations and scratch buffers, placed by TFLM's greedy planner; its tail
holds what stays: tensor and node structures, options, and the kernels' own data. Source of the
lifetimes: ``micro_allocation_info.cc`` in ``tensorflow/lite/micro``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tinyseg.tflite.arena.planner import PlannedBuffer, align, live_bytes_from_start, plan
from tinyseg.tflite.arena.tail import offline_offsets, persistent_bytes, tail_bytes, variables
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.memory import tensor_bytes
from tinyseg.tflite.ops.registry import op_of, scratch
from tinyseg.tflite.target import target_of

# Graph inputs are there before the first operator; what no operator makes or reads comes earlier.
_INPUT, _NEVER = -1, -2


@dataclasses.dataclass(frozen=True)
class MemoryPlan:
    """The arena of a file.

    Attributes:
        target: ``host``, ``cortex_m`` or ``cortex_m55``.
        head: bytes for activations and scratch.
        tail: bytes for what stays, alignment included.
        setup: bytes of arena while TFLM plans it, which in graphs of many small tensors are more
            than it uses afterwards.
        buffers: in TFLM's order.
        offsets: of each buffer in the head.
        live: bytes of the buffers alive at each operator.
        lower_bound: bytes that no plan can beat: the most that is ever alive at once.
    """

    target: str
    head: int
    tail: int
    setup: int
    buffers: tuple[PlannedBuffer, ...]
    offsets: tuple[int, ...]
    live: tuple[int, ...]
    lower_bound: int

    @property
    def total(self) -> int:
        """Bytes of tensor arena in use, as TFLM reports them."""
        return self.head + self.tail

    @property
    def needed(self) -> int:
        """Bytes of the smallest arena in which TFLM can plan and run."""
        return max(self.total, self.setup)

    @property
    def peak_operator(self) -> int:
        """The first operator at which most bytes are alive."""
        return int(np.argmax(self.live)) if self.live else 0

    def alive(self, operator: int) -> list[PlannedBuffer]:
        """Return the buffers alive at an operator, the largest first."""
        found = [buffer for buffer in self.buffers if buffer.first <= operator <= buffer.last]
        return sorted(found, key=lambda buffer: -buffer.size)

    @property
    def peak(self) -> list[PlannedBuffer]:
        """The buffers alive at the peak, the largest first."""
        return self.alive(self.peak_operator)


def predict_arena(model: TfliteModel, target: str = "host") -> MemoryPlan:
    """Predict the tensor arena.

    Args:
        model: a parsed and linted file.
        target: ``host`` (the interpreter of the ``tflite-micro`` package, reference kernels),
            ``cortex_m`` (CMSIS-NN on cores with the DSP extension: M4, M7, M33) or
            ``cortex_m55`` (CMSIS-NN with MVE).

    Raises:
        InputError: no such target, or the file lacks what a kernel needs.
    """
    placed = buffers(model, target)
    offsets, head = plan(placed)
    times = live_bytes_from_start(placed, len(model.operators))
    return MemoryPlan(
        target,
        head,
        *tail_bytes(model, target_of(target), len(placed)),
        tuple(placed),
        tuple(offsets),
        tuple(times[2:]),
        max(times),
    )


def facts(model: TfliteModel, plan: MemoryPlan) -> dict[str, Any]:
    """Return a plan as plain values for JSON and reports; sizes and offsets are in bytes.

    Returns:
        ``file``, ``target``, ``total_bytes``, ``head_bytes``, ``tail_bytes``, ``setup_bytes``,
        ``needed_bytes``, ``lower_bound_bytes`` (of the head), ``peak`` with ``operator``,
        ``opcode``, ``layer``, ``live_bytes`` and ``tensors`` (rows of ``buffers``, the largest
        first), ``uncounted`` (operators whose kernels may take more: all sizes are then
        lower bounds), ``operators`` with ``index``, ``opcode``, ``layer``, ``live_bytes`` and
        ``persistent_bytes``, and ``buffers`` with ``name``, ``layer``, ``shape`` (None for
        scratch), ``dtype``, ``size_bytes``, ``offset_bytes``, ``first`` and ``last``.
    """
    operators = [
        {
            "index": operator.index,
            "opcode": operator.opcode,
            "layer": _layer(operator),
            "live_bytes": live,
            "persistent_bytes": persistent_bytes(operator, plan.target),
        }
        for operator, live in zip(model.operators, plan.live, strict=True)
    ]
    rows = [_row(model, *pair) for pair in zip(plan.buffers, plan.offsets, strict=True)]
    at = plan.peak_operator
    here = [row for row in rows if row["first"] <= at <= row["last"]]
    peak = operators[at]
    return {
        "file": model.path,
        "target": plan.target,
        "total_bytes": plan.total,
        "head_bytes": plan.head,
        "tail_bytes": plan.tail,
        "setup_bytes": plan.setup,
        "needed_bytes": plan.needed,
        "lower_bound_bytes": plan.lower_bound,
        "peak": {
            "operator": at,
            **{key: peak[key] for key in ("opcode", "layer", "live_bytes")},
            "tensors": sorted(here, key=lambda row: -row["size_bytes"]),
        },
        "uncounted": sorted({op.opcode for op in model.operators if not op_of(op).counted}),
        "operators": operators,
        "buffers": rows,
    }


def _row(model: TfliteModel, buffer: PlannedBuffer, offset: int) -> dict[str, Any]:
    tensor = buffer.tensor
    what: tuple[str, str, list[int] | None, str]
    if tensor is not None:
        what = tensor.name, tensor.layer, list(tensor.shape), tensor.dtype
    else:
        operator = model.operators[buffer.operator or 0]
        what = f"scratch of {operator.opcode}", _layer(operator), None, "bytes"
    place = buffer.size, offset, buffer.first, buffer.last
    keys = ["name", "layer", "shape", "dtype", "size_bytes", "offset_bytes", "first", "last"]
    return dict(zip(keys, (*what, *place), strict=True))


def _layer(operator: Operator) -> str:
    return operator.outputs[0].layer if operator.outputs else ""


def buffers(model: TfliteModel, target: str = "host") -> list[PlannedBuffer]:
    """List what TFLM's planner has to place: tensors by index, then scratch by operator.

    Raises:
        InputError: no such target, or the file lacks what a kernel needs.
    """
    build = target_of(target)
    variable, wanted = variables(model), offline_offsets(model)
    first = {tensor.index: _INPUT for tensor in model.inputs}
    last = dict(first)
    for operator in model.operators:
        for tensor in operator.outputs:
            first.setdefault(tensor.index, operator.index)
        for used in (*operator.inputs, *operator.outputs):
            if used is not None:
                last[used.index] = operator.index
    for tensor in model.outputs:
        first.setdefault(tensor.index, len(model.operators) - 1)
        last[tensor.index] = len(model.operators) - 1
    found = []
    for tensor in model.tensors:
        offset = wanted.get(tensor.index)
        size = align(tensor_bytes(tensor))
        if tensor.constant or not size or (tensor.index in variable and offset is None):
            continue
        index = tensor.index
        ends = first.get(index, _NEVER), last.get(index, _NEVER)
        found.append(PlannedBuffer(size, *ends, tensor=tensor, offset=offset))
    for operator in model.operators:
        at = operator.index
        for size in scratch(operator, build):
            found.append(PlannedBuffer(align(size), at, at, operator=at))
    return found
