"""Take integers in and give integers out, without QUANTIZE and DEQUANTIZE at the border.

The firmware, and every runner here, converts with the scale that the border tensor names, as
those operators do; float32 input and output take four times the memory.
"""

from __future__ import annotations

from tinyseg.tflite.graph import Graph
from tinyseg.tflite.nodes import Tensor


def make_border_integer(graph: Graph) -> list[str]:
    """Remove conversions from and to float32 at the border; exact.

    Returns:
        Names of the tensors that are the new border.
    """
    made = []
    for tensor in list(graph.inputs):
        readers = graph.consumers()[id(tensor)]
        if len(readers) == 1 and readers[0].opcode == "QUANTIZE" and _is_float(tensor):
            _move(graph, tensor, readers[0].outputs[0])
            graph.operators.remove(readers[0])
            made.append(readers[0].outputs[0].name)
    for tensor in list(graph.outputs):
        producer = graph.producers().get(id(tensor))
        read = graph.consumers()[id(tensor)]
        if producer and producer.opcode == "DEQUANTIZE" and _is_float(tensor) and not read:
            _move(graph, tensor, producer.input(0))
            graph.operators.remove(producer)
            made.append(producer.input(0).name)
    return made


def _is_float(tensor: Tensor) -> bool:
    return tensor.dtype == "float32"


def _move(graph: Graph, old: Tensor, new: Tensor) -> None:
    """Make another tensor the border; it takes the name, by which users know it."""
    graph.redirect(old, new)
    new.name = old.name
