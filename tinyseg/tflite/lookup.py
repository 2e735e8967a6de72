"""Tables instead of operators: any function of an int8 value, in standard operators.

A CAST turns the stored integers into indices, a GATHER looks them up. TensorFlow Lite Micro
takes indices of int32 only, from zero up, so the values looked up are 0..127.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tinyseg.tflite.graph import Graph, constant, make, scale_of
from tinyseg.tflite.nodes import Operator, Tensor, layer_of, new_tensor
from tinyseg.tflite.schema import TensorType

_ENTRIES = 128


def replace_by_tables(
    content: bytes, functions: Mapping[str, Callable[[np.ndarray], np.ndarray]]
) -> bytes:
    """Put tables in the place of int8 operators.

    Args:
        content: bytes of a ``.tflite`` file. The operators have one input, an int8 tensor of zero
            point 0 that is never negative.
        functions: what to compute instead, from real to real values, by the name of the layer
            whose operator is replaced.

    Returns:
        The bytes of the new file.

    Raises:
        ValueError: there is no such operator, or its input is not as required.
    """
    graph = Graph(content)
    missing = set(functions)
    operators = []
    for operator in graph.operators:
        layer = layer_of(operator.outputs[0].name)
        if layer in missing and operator.opcode == "LEAKY_RELU":
            missing.remove(layer)
            operators += _look_up(operator.input(0), operator.outputs[0], functions[layer], layer)
        else:
            operators.append(operator)
    if missing:
        raise ValueError(f"no operator of layer {', '.join(sorted(missing))}")
    graph.operators[:] = operators
    return graph.to_bytes()


def _look_up(
    source: Tensor,
    target: Tensor,
    function: Callable[[np.ndarray], np.ndarray],
    layer: str,
) -> list[Operator]:
    scale, zero_point = scale_of(source)
    if zero_point != 0:
        raise ValueError(f"{layer}: the zero point of its input is {zero_point}, not 0")
    reals = function(np.arange(_ENTRIES, dtype=np.float32) * np.float32(scale))
    values = _quantize(reals, target)
    table = constant(f"{target.name}_table", values, target.quantization)
    indices = new_tensor(f"{target.name}_indices", source.shape, "int32")
    types = {"inDataType": TensorType.INT8, "outDataType": TensorType.INT32}
    return [make("CAST", [source], indices, **types), make("GATHER", [table, indices], target)]


def _quantize(reals: np.ndarray, target: Tensor) -> np.ndarray:
    stored = np.round(reals / target.scales[0]) + target.zero_points[0]
    return np.clip(stored, -128, 127).astype(np.int8)
