"""The arena's tail: what stays there as long as the interpreter does.

Sources: ``micro_allocator.cc`` and ``micro_interpreter.cc`` (the order of allocations) in
``tensorflow/lite/micro``; what a kernel asks for stands with its operator.
"""

from __future__ import annotations

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite.arena.planner import ALIGNMENT, align
from tinyseg.tflite.model import OFFLINE_PLAN, TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.memory import tensor_bytes
from tinyseg.tflite.ops.registry import (
    example,
    options_alignment,
    options_bytes,
    persistent,
    scratch,
)
from tinyseg.tflite.target import Target, target_of

# TFLM keeps room for the requests of one more operator, and its planner this much a buffer.
_SPARE_REQUESTS, _PLANNER_BYTES = 12, 40


class _Tail:
    """Counts allocations as they grow down from the arena's end."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, size: int, alignment: int = ALIGNMENT) -> None:
        self.used = align(self.used + size, alignment)


def tail_bytes(model: TfliteModel, build: Target, planned: int) -> tuple[int, int]:
    """Return the bytes of the tail, and of the whole arena while so many buffers are planned."""
    arena = _Tail()
    for size in build.start:
        arena.take(size, build.pointer)
    arena.take(build.subgraph * model.subgraphs, build.pointer)
    arena.take(build.eval_tensor * len(model.tensors), build.pointer)
    arena.take(build.node * len(model.operators), build.pointer)
    for operator in model.operators:
        if size := options_bytes(operator.opcode, build):
            arena.take(size, options_alignment(operator.opcode, build))
    requests = sum(len(scratch(operator, build)) for operator in model.operators)
    asked = align(build.request * (requests + _SPARE_REQUESTS))
    prepared = 0
    for operator in model.operators:
        for size in persistent(operator, build):
            arena.take(size)
        prepared = max(prepared, align(arena.used) + asked + _temporary(operator, build))
    arena.take(build.pointer * requests, build.pointer)
    variable, offsets = variables(model), offline_offsets(model)
    for index in sorted(variable - offsets.keys()):
        arena.take(tensor_bytes(model.tensors[index]))
    lists = build.request * (requests + _SPARE_REQUESTS)
    lists += build.allocation * (len(model.tensors) + requests) + build.pointer * model.subgraphs
    setup = align(arena.used) + align(lists) + align(_PLANNER_BYTES * planned)
    for border in (model.inputs, model.outputs):
        arena.take(build.pointer * len(border))
        for tensor in border:
            _take_tensor(arena, tensor, build)
    return arena.used, max(setup, prepared)


def _temporary(operator: Operator, build: Target) -> int:
    """Return the bytes of an operator's tensors while its kernel prepares.

    They lie at the arena's other end. TFLM does not notice if what the kernel keeps runs into them.
    """
    tensors = _Tail()
    for tensor in (*operator.inputs, *operator.outputs):
        if tensor is not None:
            _take_tensor(tensors, tensor, build)
    return align(tensors.used)


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
        opcode: builtin name such as ``ADD``.
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


def offline_offsets(model: TfliteModel) -> dict[int, int]:
    """Return offsets by tensor in the file's own plan: ``micro/docs/memory_management.md``.

    Raises:
        InputError: the plan does not fit the graph.
    """
    content = model.metadata.get(OFFLINE_PLAN)
    if not content:
        return {}
    words = np.frombuffer(content[: len(content) // 4 * 4], "<i4")
    if len(words) < 3 or words[2] != len(model.tensors) or len(words) < 3 + words[2]:
        raise InputError(f"{model.path}: its offline memory plan is for another graph; damaged")
    return {index: int(word) for index, word in enumerate(words[3:]) if word != -1}


def variables(model: TfliteModel) -> frozenset[int]:
    """Return the indices of tensors in which kernels keep state."""
    return frozenset(tensor.index for tensor in model.tensors if tensor.variable)
