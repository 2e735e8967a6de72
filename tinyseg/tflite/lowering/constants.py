"""Constants that nothing reads, and constants that are stored twice."""

from __future__ import annotations

from tinyseg.tflite.graph import Graph
from tinyseg.tflite.nodes import Buffer, Tensor


def share_constants(graph: Graph) -> list[str]:
    """Remove operators and tensors without use, and share equal constants; exact.

    A tensor costs the arena 24 bytes on the host and 12 on Cortex-M, even if it is constant.

    Returns:
        Names of the constants that gave way to equal ones.
    """
    graph.remove_dead()
    buffers: dict[bytes, Buffer] = {}
    tensors: dict[tuple, Tensor] = {}
    merged = []
    for operator in graph.operators:
        for position, tensor in enumerate(operator.inputs):
            if tensor is None or tensor.variable or tensor.buffer is None or not tensor.constant:
                continue
            tensor.buffer = buffers.setdefault(tensor.buffer.data, tensor.buffer)
            first = tensors.setdefault(_key(tensor), tensor)
            if first is not tensor:
                operator.inputs[position] = first
                merged.append(tensor.name)
    graph.remove_dead()
    return merged


def _key(tensor: Tensor) -> tuple:
    scheme = tensor.quantization
    quantized = scheme and (tuple(scheme.scales), tuple(scheme.zero_points), scheme.axis)
    return id(tensor.buffer), tuple(tensor.shape), tensor.dtype, quantized
