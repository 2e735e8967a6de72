"""Predict the tensor arena that TensorFlow Lite Micro takes for a file, without running it.

The arena's head holds activations and scratch buffers, placed by TFLM's greedy planner; its tail
holds what stays: tensor and node structures, options, and the kernels' own data. Sources:
``micro_allocation_info.cc`` (lifetimes), ``memory_planner/greedy_memory_planner.cc``,
``micro_allocator.cc`` and ``micro_interpreter.cc`` (the order of allocations) in
``tensorflow/lite/micro``; what a kernel asks for stands in ``op_memory.py``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg.errors import InputError
from tinyseg.tflite.memory_target import Target, target_of
from tinyseg.tflite.model import OFFLINE_PLAN, Operator, Tensor, TfliteModel
from tinyseg.tflite.op_memory import (
    example,
    options_bytes,
    persistent,
    scratch,
    tensor_bytes,
)

ALIGNMENT = 16
# Graph inputs are there before the first operator; what no operator makes or reads comes earlier.
_INPUT, _NEVER = -1, -2
# TFLM keeps room for the requests of one more operator, and its planner this much a buffer.
_SPARE_REQUESTS, _PLANNER_BYTES = 12, 40


@dataclasses.dataclass(frozen=True)
class Buffer:
    """Bytes that the planner places in the arena's head.

    Attributes:
        size: bytes, a multiple of 16.
        first, last: operators between which it lives, inclusive; ``first`` is -1 for an input of
            the graph, and both are -2 for a tensor that no operator touches.
        tensor: the activation that it holds, None for a scratch buffer.
        operator: index of the operator that asked for a scratch buffer, None for a tensor.
        offset: where the file's own plan wants it, None to leave it to the planner.
    """

    size: int
    first: int
    last: int
    tensor: Tensor | None = None
    operator: int | None = None
    offset: int | None = None


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
    buffers: tuple[Buffer, ...]
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

    def alive(self, operator: int) -> list[Buffer]:
        """Return the buffers alive at an operator, the largest first."""
        found = [buffer for buffer in self.buffers if buffer.first <= operator <= buffer.last]
        return sorted(found, key=lambda buffer: -buffer.size)

    @property
    def peak(self) -> list[Buffer]:
        """The buffers alive at the peak, the largest first."""
        return self.alive(self.peak_operator)


def predict(model: TfliteModel, target: str = "host") -> MemoryPlan:
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
    times = _live(placed, len(model.operators))
    return MemoryPlan(
        target,
        head,
        *_sizes(model, target_of(target), len(placed)),
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
        first), ``operators`` with ``index``, ``opcode``, ``layer``, ``live_bytes`` and
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
        "operators": operators,
        "buffers": rows,
    }


def _row(model: TfliteModel, buffer: Buffer, offset: int) -> dict[str, Any]:
    tensor = buffer.tensor
    if tensor is None:
        operator = model.operators[buffer.operator]
        what = f"scratch of {operator.opcode}", _layer(operator), None, "bytes"
    else:
        what = tensor.name, tensor.layer, list(tensor.shape), tensor.dtype
    place = buffer.size, offset, buffer.first, buffer.last
    keys = ["name", "layer", "shape", "dtype", "size_bytes", "offset_bytes", "first", "last"]
    return dict(zip(keys, (*what, *place), strict=True))


def _layer(operator: Operator) -> str:
    return operator.outputs[0].layer if operator.outputs else ""


def buffers(model: TfliteModel, target: str = "host") -> list[Buffer]:
    """List what TFLM's planner has to place: tensors by index, then scratch by operator.

    Raises:
        InputError: no such target, or the file lacks what a kernel needs.
    """
    build = target_of(target)
    variable, wanted = _variables(model), _offline_offsets(model)
    first = {tensor.index: _INPUT for tensor in model.inputs}
    last = dict(first)
    for operator in model.operators:
        for tensor in operator.outputs:
            first.setdefault(tensor.index, operator.index)
        for tensor in (*operator.inputs, *operator.outputs):
            if tensor is not None:
                last[tensor.index] = operator.index
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
        found.append(Buffer(size, *ends, tensor=tensor, offset=offset))
    for operator in model.operators:
        at = operator.index
        for size in scratch(operator, build):
            found.append(Buffer(align(size), at, at, operator=at))
    return found


def plan(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """Place buffers as TFLM's ``GreedyMemoryPlanner`` does, to the byte.

    Buffers with an offset of their own come first, in order. The others follow by falling
    size, of equals the last one first, each into the lowest gap between the buffers alive at
    the same time.

    Returns:
        The offset of each buffer, and the bytes of the whole.
    """
    count = len(buffers)
    fixed = [i for i in range(count) if buffers[i].offset is not None]
    free = [i for i in reversed(range(count)) if buffers[i].offset is None]
    free.sort(key=lambda i: -buffers[i].size)
    offsets = [0] * count
    # What is placed, by rising offset: start, end, first and last use.
    placed = np.empty((4, count), np.int64)
    for done, index in enumerate(fixed + free):
        buffer, rows = buffers[index], placed[:, :done]
        offset = buffer.offset
        if offset is None:
            together = (rows[2] <= buffer.last) & (rows[3] >= buffer.first)
            offset = lowest_gap(rows[0][together], rows[1][together], buffer.size)
        offsets[index] = offset
        place = int(np.searchsorted(rows[0], offset, side="right"))
        placed[:, place + 1 : done + 1] = placed[:, place:done].copy()
        placed[:, place] = offset, offset + buffer.size, buffer.first, buffer.last
    ends = (offset + buffer.size for offset, buffer in zip(offsets, buffers, strict=True))
    return offsets, max(ends, default=0)


def lowest_gap(starts: np.ndarray, ends: np.ndarray, size: int) -> int:
    """Return the lowest offset for a buffer between placed ones, sorted by their starts."""
    if not len(starts):
        return 0
    before = np.maximum.accumulate(np.concatenate(([0], ends)))
    fits = starts - before[:-1] >= size
    return int(before[np.argmax(fits)] if fits.any() else before[-1])


def live_bytes(buffers: Sequence[Buffer], operators: int) -> list[int]:
    """Return the bytes alive at each operator; no plan needs less than the largest of them."""
    return _live(buffers, operators)[2:]


def _live(buffers: Sequence[Buffer], operators: int) -> list[int]:
    changes = np.zeros(operators + 3, np.int64)
    for buffer in buffers:
        changes[buffer.first + 2] += buffer.size
        changes[buffer.last + 3] -= buffer.size
    return np.cumsum(changes)[:-1].tolist()


class _Tail:
    """Counts allocations as they grow down from the arena's end."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, size: int, alignment: int = ALIGNMENT) -> None:
        self.used = align(self.used + size, alignment)


def _sizes(model: TfliteModel, build: Target, planned: int) -> tuple[int, int]:
    """Bytes of the tail, and of the whole arena while so many buffers are planned."""
    arena = _Tail()
    for size in build.start:
        arena.take(size, build.pointer)
    arena.take(build.subgraph * model.subgraphs, build.pointer)
    arena.take(build.eval_tensor * len(model.tensors), build.pointer)
    arena.take(build.node * len(model.operators), build.pointer)
    for operator in model.operators:
        size = options_bytes(operator.opcode, build)
        arena.take(size, 4 if size % 4 == 0 else 1)
    for operator in model.operators:
        for size in persistent(operator, build):
            arena.take(size)
    requests = sum(len(scratch(operator, build)) for operator in model.operators)
    arena.take(build.pointer * requests, build.pointer)
    variable, offsets = _variables(model), _offline_offsets(model)
    for index in sorted(variable - offsets.keys()):
        arena.take(tensor_bytes(model.tensors[index]))
    lists = build.request * (requests + _SPARE_REQUESTS)
    lists += build.allocation * (len(model.tensors) + requests) + build.pointer * model.subgraphs
    setup = align(arena.used) + align(lists) + align(_PLANNER_BYTES * planned)
    for border in (model.inputs, model.outputs):
        arena.take(build.pointer * len(border))
        for tensor in border:
            _take_tensor(arena, tensor, build)
    return arena.used, setup


def _take_tensor(arena: _Tail, tensor: Tensor, build: Target) -> None:
    arena.take(build.tensor, build.pointer)
    if tensor.scales.size and tensor.zero_points.size:
        arena.take(build.quantization, build.pointer)
        arena.take(4 * (1 + tensor.scales.size), 4)


def persistent_bytes(operator: Operator, target: str = "host") -> int:
    """Return what an operator adds to the arena's tail, without its tensors.

    That is its node, its options, its kernel's data, and the handles of its scratch buffers.

    Raises:
        InputError: no such target, or the operator lacks what its kernel needs.
    """
    build = target_of(target)
    kernel = sum(align(size) for size in persistent(operator, build))
    handles = build.pointer * len(scratch(operator, build))
    return build.node + options_bytes(operator.opcode, build) + kernel + handles


def operator_overhead(
    opcode: str, channels: int, outputs: int = 1, target: str = "host", constants: int = 0
) -> int:
    """Return what one more int8 operator of a kind adds to the arena's tail, before it exists.

    Args:
        opcode: builtin name such as ``CONV_2D``.
        channels: output channels; convolutions keep a multiplier and a shift for each.
        outputs: tensors that it writes; each takes a structure.
        target: as for :func:`predict`.
        constants: constant tensors that only it reads; each takes a structure too.

    Returns:
        Bytes; alignment may make up to 15 more.

    Raises:
        InputError: no such target.
    """
    tensors = (outputs + constants) * target_of(target).eval_tensor
    return tensors + persistent_bytes(example(opcode, channels, outputs), target)


def align(size: int, alignment: int = ALIGNMENT) -> int:
    """Round up to a multiple of the alignment."""
    return -(-size // alignment) * alignment


def _offline_offsets(model: TfliteModel) -> dict[int, int]:
    """Offsets by tensor in the file's own plan: ``micro/docs/memory_management.md``."""
    content = model.metadata.get(OFFLINE_PLAN)
    if not content:
        return {}
    words = np.frombuffer(content[: len(content) // 4 * 4], "<i4")
    if len(words) < 3 or words[2] != len(model.tensors) or len(words) < 3 + words[2]:
        raise InputError(f"{model.path}: its offline memory plan is for another graph; damaged")
    return {index: int(word) for index, word in enumerate(words[3:]) if word != -1}


@functools.lru_cache(maxsize=4)
def _variables_of(content: bytes) -> frozenset[int]:
    graph = schema.Model.GetRootAsModel(content, 0).Subgraphs(0)
    return frozenset(i for i in range(graph.TensorsLength()) if graph.Tensors(i).IsVariable())


def _variables(model: TfliteModel) -> frozenset[int]:
    return _variables_of(model.content)
