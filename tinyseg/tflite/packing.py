"""Store weights of few distinct values with 1..7 bits each, for TFLM's operator ``TFLM_DECODE``.

The operator sits in front of the one that uses the weights. It looks packed indices up in
tables of values and writes plain int8 weights into the arena. ``tflite_micro``'s own compressor
packs; what it leaves behind is put in order here. TensorFlow Lite on the host and MLTK lack the
operator: :func:`unpack` gives them the same network without it.

The format is described in ``decode.py`` and ``lut.py`` of the package
``tflite_micro.tensorflow.lite.micro.compression`` and in TFLM's ``decode_state_lut.cc``.
"""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
from tflite_micro.tensorflow.lite.micro.compression import compress, spec

from tinyseg.errors import InputError
from tinyseg.tflite import schema
from tinyseg.tflite.annotate import seal
from tinyseg.tflite.lint import usable
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.registry import op_of
from tinyseg.tflite.tables import drop_buffers_and_codes, drop_tensors, renumber

MAX_BITS = 7
# Bytes of the DECODE Common Metadata (DCM) in front of the tables.
HEADER = 16
# What the operator and its two tensors take in a file, measured, beside a name.
_OPERATOR_BYTES = 128
# The axis in the header that stands for one table.
_WHOLE_TENSOR = 15


def pack(content: bytes) -> bytes:
    """Pack the int8 weights of every convolution and fully connected layer where that is smaller.

    One table for the whole tensor or one per channel, whichever takes fewer bytes. Names,
    metadata, signature and description stay; the checksum in the plan is that of the new file.

    Args:
        content: bytes of a ``.tflite`` file.

    Returns:
        The bytes of the packed file; ``content`` itself if nothing gets smaller.

    Raises:
        InputError: the file is damaged or of a kind that cannot be used.
    """
    model = TfliteModel.parse(content)
    _check(model)
    forms = {w.index: form for w in _weights(model) if (form := _smallest(w)) is not None}
    if not forms:
        return content
    specs = [spec.Tensor(0, index, [form.method()]) for index, form in forms.items()]
    try:
        with warnings.catch_warnings():
            # It names weights that share their bytes with others and stay as they are.
            warnings.simplefilter("ignore")
            compressed = compress(_with_builtin_codes(content), specs)
    # The package's reader checks no more than the schema's, so damage surfaces as anything.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{model.path}: its weights cannot be packed ({reason}); convert it again"
        ) from None
    packed = seal(_tidy(bytes(compressed)))
    return packed if len(packed) < len(content) else content


def unpack(content: bytes) -> bytes:
    """Undo :func:`pack`: remove the ``TFLM_DECODE`` operators, make their outputs constants.

    Args:
        content: bytes of a ``.tflite`` file.

    Returns:
        The bytes of a file with the graph, and so the checksum, from before it was packed;
        ``content`` itself if nothing is packed.

    Raises:
        InputError: the file is damaged, or packed in a way that TFLM would not decode.
    """
    return unpacked(TfliteModel.parse(content)).content


def unpacked(model: TfliteModel) -> TfliteModel:
    """Return a file for interpreters without ``TFLM_DECODE``; itself if nothing is packed.

    Raises:
        InputError: as of :func:`unpack`.
    """
    if not is_packed(model):
        return model
    _check(model)
    return TfliteModel.parse(_unpack(model), model.path)


def is_packed(model: TfliteModel) -> bool:
    """Return whether a file holds packed weights."""
    return any(_decodes(operator) for operator in model.operators)


def packed_bits(model: TfliteModel) -> dict[str, int]:
    """Return the bits a weight of each packed tensor, by its name.

    Raises:
        InputError: a ``TFLM_DECODE`` operator is damaged.
    """
    return {packed.encoded.name: packed.bits for packed in _packed_tensors(model)}


@dataclasses.dataclass(frozen=True)
class _Form:
    """A way to pack a tensor.

    Attributes:
        bits: of an index.
        axis: along which each channel has a table, None for one table.
        size: bytes of indices, header and tables.
    """

    bits: int
    axis: int | None
    size: int

    @classmethod
    def of(cls, channels: np.ndarray, axis: int | None) -> _Form:
        """Measure int8 weights ``(tables, elements)``."""
        used = np.zeros((len(channels), 256), bool)
        used[np.arange(len(channels))[:, None], channels.view(np.uint8)] = True
        stride = int(used.sum(axis=1).max())
        bits = max((stride - 1).bit_length(), 1)
        indices = -(-bits * channels.size // 8)
        return cls(bits, axis, indices + HEADER + stride * len(channels))

    def method(self) -> spec.LookUpTableCompression:
        """Return what the compressor calls it."""
        mode = spec.PerTensor() if self.axis is None else spec.PerChannel(self.axis)
        return spec.LookUpTableCompression(self.bits, mode)


def _weights(model: TfliteModel) -> list[Tensor]:
    """Return the constant int8 weights that TFLM's decoder can produce, each once."""
    found = {}
    for operator in model.operators:
        number = op_of(operator).weights
        if number is not None and len(operator.inputs) > number:
            weights = operator.inputs[number]
            if weights is not None and weights.constant and weights.dtype == "int8":
                found[weights.index] = weights
    return [weights for weights in found.values() if _channel_axis(weights) is not None]


def _channel_axis(weights: Tensor) -> int | None:
    """Return the axis along which TFLM's decoder changes tables, None where it refuses.

    It takes a table for each scale of the tensor, whatever axis the header names.
    """
    last = len(weights.shape) - 1
    if weights.axis == last and weights.scales.size > 1:
        return last
    return 0 if weights.axis == 0 and weights.scales.size else None


def _smallest(weights: Tensor) -> _Form | None:
    """Return the form of the fewest bytes, None if the plain one is."""
    values = weights.array()
    forms = [_Form.of(values.reshape(1, -1), None)]
    if weights.scales.size > 1:
        channels = np.moveaxis(values, weights.axis, 0)
        forms.append(_Form.of(channels.reshape(len(channels), -1), weights.axis))
    forms = [form for form in forms if form.bits <= MAX_BITS]
    best = min(forms, key=lambda form: form.size, default=None)
    if best is None:
        return None
    total = best.size + _OPERATOR_BYTES + len(weights.name.encode())
    return best if total < weights.elements else None


def _with_builtin_codes(content: bytes) -> bytes:
    """Give files of old converters the newer of two fields, the only one that the compressor reads.

    It would take all operators of such a file for the same.
    """
    model = schema.unpack(content)
    old = [code for code in model.operatorCodes if code.builtinCode < code.deprecatedBuiltinCode]
    for code in old:
        code.builtinCode = code.deprecatedBuiltinCode
    return seal(model) if old else content


def _tidy(content: bytes) -> schema.ModelT:
    """Remove what the compressor leaves behind, and make single tables work in TFLM."""
    parsed = TfliteModel.parse(content)
    model = schema.unpack(content)
    tensors = model.subgraphs[0].tensors
    for packed in _packed_tensors(parsed):
        # The scales belong to the decoded weights and fit no shape here.
        tensors[packed.encoded.index].quantization = None
        ancillary = tensors[packed.ancillary.index]
        ancillary.name = None
        buffer = model.buffers[ancillary.buffer]
        data = np.array(buffer.data)
        if data[5] >> 4 == _WHOLE_TENSOR:
            # The decoder ignores that the header asks for one table and goes on to the next
            # with each scale; with a stride of zero that is the same table again.
            data[6] = 0
            buffer.data = data
    return model


@dataclasses.dataclass(frozen=True)
class _Packed:
    """An output of a ``TFLM_DECODE`` operator and what it is made of.

    Attributes:
        encoded: uint8, indices of ``bits`` bits, the most significant first.
        ancillary: uint8, a header and the tables.
        decoded: the weights.
    """

    encoded: Tensor
    ancillary: Tensor
    decoded: Tensor

    @staticmethod
    def _stored(tensor: Tensor) -> bytes:
        """Return the bytes of a constant."""
        return tensor.data or b""

    @property
    def bits(self) -> int:
        """Bits of an index."""
        return self._stored(self.ancillary)[5] & 7

    def weights(self) -> np.ndarray:
        """Look the weights up as TFLM does.

        Returns:
            int8 of the decoded tensor's shape.

        Raises:
            InputError: TFLM would not decode it, or would read beyond its data.
        """
        tables = self._stored(self.ancillary)
        header = tables[:HEADER]
        # Decode type 0 is the table look-up; its version and that of the header are 1.
        known = (header[0], header[1], header[4]) == (0, 1, 1) and self.bits
        axis = _channel_axis(self.decoded)
        if not known or axis is None or self.decoded.dtype != "int8":
            raise InputError(f"tensor '{self.encoded.name}': {_NOT_OURS}")
        count, channels = self.decoded.elements, self.decoded.scales.size
        stream = np.frombuffer(self._stored(self.encoded), np.uint8)
        if 8 * stream.size < count * self.bits:
            raise InputError(f"tensor '{self.encoded.name}': holds too few weights; {_DAMAGED}")
        digits = np.unpackbits(stream, count=count * self.bits).reshape(count, self.bits)
        indices = np.packbits(digits, axis=1)[:, 0] >> (8 - self.bits)
        starts = np.arange(channels) * header[6]
        first = axis == 0
        places = indices.reshape((channels, -1) if first else (-1, channels))
        places = places + (starts[:, None] if first else starts)
        values = np.frombuffer(tables, np.int8, offset=HEADER)
        if places.max() >= values.size:
            raise InputError(f"tensor '{self.encoded.name}': points beyond its table; {_DAMAGED}")
        return values[places].reshape(self.decoded.shape)


_DAMAGED = "pack the plain file again"
_NOT_OURS = f"packed in a way that TFLM does not decode to int8; {_DAMAGED}"


def _decodes(operator: Operator) -> bool:
    return op_of(operator).decodes


def _packed_tensors(model: TfliteModel) -> list[_Packed]:
    found: list[_Packed] = []
    for operator in filter(_decodes, model.operators):
        outputs = operator.outputs
        inputs = [t for t in operator.inputs if t is not None and t.dtype == "uint8"]
        stored = [tensor.data for tensor in inputs if tensor.data is not None]
        sound = len(operator.inputs) == len(stored) == 2 * len(outputs)
        if not sound or any(len(data) < HEADER for data in stored[1::2]):
            raise InputError(
                f"{model.path}: operator {operator.index} {operator.opcode} lacks its data; "
                f"{_DAMAGED}"
            )
        found += map(_Packed, inputs[::2], inputs[1::2], outputs)
    return found


def _check(model: TfliteModel) -> None:
    """Refuse damage; whatever is changed gets a new checksum, with which it would look sound."""
    usable(model, floats=True)
    if schema.has_empty_union(schema.unpack(model.content)):
        raise InputError(f"{model.path}: options or parameters are missing; convert it again")


def _unpack(model: TfliteModel) -> bytes:
    """Return the bytes of a linted file without its ``TFLM_DECODE`` operators."""
    edited = schema.unpack(model.content)
    graph = edited.subgraphs[0]
    stored: dict[bytes, int] = {}
    all_packed = _packed_tensors(model)
    for packed in all_packed:
        try:
            weights = packed.weights().tobytes()
        except InputError as error:
            raise InputError(f"{model.path}: {error}") from None
        if weights not in stored:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(weights, np.uint8)
            stored[weights] = len(edited.buffers)
            edited.buffers.append(buffer)
        # Shape, type and quantization are those of the decoded tensor, name and place are not.
        plain = graph.tensors[packed.decoded.index]
        plain.name, plain.buffer = packed.encoded.name, stored[weights]
        graph.tensors[packed.encoded.index] = plain
    kept = [not _decodes(operator) for operator in model.operators]
    graph.operators = [op for op, keep in zip(graph.operators, kept, strict=True) if keep]
    place = {packed.decoded.index: packed.encoded.index for packed in all_packed}
    renumber(edited, {index: place.get(index, index) for index in range(len(graph.tensors))})
    drop_tensors(edited, {*place, *(packed.ancillary.index for packed in all_packed)})
    drop_buffers_and_codes(edited)
    return seal(edited)
