"""Compute shapes once: what only depends on the sizes of tensors becomes constant.

Keras asks for the batch size where it transposes a convolution, so the converter writes SHAPE,
STRIDED_SLICE and PACK; a microcontroller's batch is always one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyseg.tflite.graph import Graph, is_constant
from tinyseg.tflite.nodes import Buffer, Operator


def fix_batch(graph: Graph) -> list[str]:
    """Replace operators on shapes by constants; exact.

    Returns:
        Names of the tensors that became constant.
    """
    folded = []
    for operator in list(graph.operators):
        values = _evaluate(operator)
        if values is None:
            continue
        (target,) = operator.outputs
        target.buffer = Buffer(np.ascontiguousarray(values, np.int32).tobytes())
        graph.operators.remove(operator)
        folded.append(target.name)
    return folded


def _evaluate(operator: Operator) -> np.ndarray | None:
    name = operator.opcode
    if name == "SHAPE":
        return np.array(operator.input(0).shape) if operator.outputs[0].dtype == "int32" else None
    if name not in ("STRIDED_SLICE", "PACK") or not all(map(is_constant, operator.inputs)):
        return None
    arrays = [tensor.array() for tensor in operator.first(len(operator.inputs))]
    if any(array.dtype != np.int32 for array in arrays):
        return None
    if name == "PACK":
        return np.stack(arrays, operator.options.axis)
    values, begin, end, strides = arrays
    return _strided_slice(values, begin, end, strides, operator.options)


def _strided_slice(
    values: np.ndarray, begin: np.ndarray, end: np.ndarray, strides: np.ndarray, masks: Any
) -> np.ndarray | None:
    if masks.ellipsisMask or masks.newAxisMask or masks.offset:
        return None
    selection: list[slice | int] = []
    for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << axis
        if masks.shrinkAxisMask & bit:
            # Interpreters heed the mask here too, other than TensorFlow.
            selection.append(0 if masks.beginMask & bit else int(first))
            continue
        start = None if masks.beginMask & bit else int(first)
        stop = None if masks.endMask & bit else int(last)
        selection.append(slice(start, stop, int(step)))
    return values[tuple(selection)]
