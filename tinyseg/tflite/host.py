"""The form of a file that TensorFlow Lite on the host takes, which computes the same."""

from __future__ import annotations

from tinyseg.tflite import schema
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Tensor
from tinyseg.tflite.packing import unpacked


def for_host(model: TfliteModel) -> TfliteModel:
    """Return a file for interpreters that know less than TFLM; itself if they take it as it is.

    Packed weights are unpacked. Biases of old converters name the axis of their kernel's channels,
    which newer interpreters refuse in a tensor of one axis. Names that are no UTF-8 are replaced.

    Raises:
        InputError: as of :func:`tinyseg.tflite.packing.unpack`.
    """
    model = unpacked(model)
    strange = [tensor for tensor in model.tensors if _beyond(tensor) or "\ufffd" in tensor.name]
    if not strange:
        return model
    edited = schema.unpack(model.content)
    for tensor in strange:
        table = edited.subgraphs[0].tensors[tensor.index]
        table.name = tensor.name
        if _beyond(tensor):
            table.quantization.quantizedDimension = 0
    return TfliteModel.parse(schema.pack(edited), model.path)


def _beyond(tensor: Tensor) -> bool:
    return len(tensor.shape) == 1 and tensor.scales.size > 0 and tensor.axis > 0
