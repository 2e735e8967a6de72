"""Take integers in and give integers out, without QUANTIZE and DEQUANTIZE at the border.

The firmware, and every runner here, converts with the scale that the border tensor names, as
those operators do; float32 input and output take four times the memory. Border tensors of uint8
become int8, which the firmware takes.
"""

from __future__ import annotations

from tinyseg.tflite.graph import Graph, scale_of
from tinyseg.tflite.nodes import Tensor


def make_border_integer(graph: Graph) -> list[str]:
    """Remove conversions from and to float32 or uint8 at the border; exact.

    Returns:
        Names of the tensors that are the new border.
    """
    made = []
    for tensor in list(graph.inputs):
        readers = graph.consumers()[id(tensor)]
        made_first = len(readers) == 1 and readers[0].opcode == "QUANTIZE"
        if made_first and _same_values(tensor, readers[0].outputs[0]):
            _move(graph, tensor, readers[0].outputs[0])
            graph.operators.remove(readers[0])
            made.append(readers[0].outputs[0].name)
    for tensor in list(graph.outputs):
        producer = graph.producers().get(id(tensor))
        read = graph.consumers()[id(tensor)]
        made_last = producer and producer.opcode in ("DEQUANTIZE", "QUANTIZE") and not read
        if producer and made_last and _same_values(tensor, producer.input(0)):
            _move(graph, tensor, producer.input(0))
            graph.operators.remove(producer)
            made.append(producer.input(0).name)
    return made


def _same_values(outer: Tensor, inner: Tensor) -> bool:
    """Return whether the border is float32, or uint8 that only counts from another zero."""
    if outer.dtype != "uint8" or inner.dtype != "int8":
        return outer.dtype == "float32"
    if outer.quantization is None or inner.quantization is None:
        return False
    (scale, zero), (other, shifted) = scale_of(outer), scale_of(inner)
    return scale == other and zero - 128 == shifted


def _move(graph: Graph, old: Tensor, new: Tensor) -> None:
    """Make another tensor the border; it takes the name, by which users know it."""
    graph.redirect(old, new)
    new.name = old.name
