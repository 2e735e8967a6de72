"""Facts of a file's input and outputs: shape, stored range, and which operator made them."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor

# They move values and change none, or only how they are stored.
_PASSING = frozenset(
    (
        "BATCH_TO_SPACE_ND",
        "CAST",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "EXPAND_DIMS",
        "PACK",
        "QUANTIZE",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "SLICE",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TRANSPOSE",
        "UNPACK",
    )
)
_COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
_ACTIVATIONS = {
    "LOGISTIC": "sigmoid",
    "SOFTMAX": "softmax",
    "LOG_SOFTMAX": "log_softmax",
    "ARG_MAX": "labels",
    "ARG_MIN": "labels",
    "TANH": "tanh",
    "RELU": "relu",
    "RELU6": "relu",
    **dict.fromkeys(
        ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), "bool"
    ),
}
_MAX_CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class Range:
    """Real values that a tensor can hold.

    Attributes:
        low, high: of its smallest and largest stored value.
        symmetric: whether the type forces ``low`` to be ``-high``, as int16 does.
    """

    low: float
    high: float
    symmetric: bool = False


@dataclasses.dataclass(frozen=True)
class Outline:
    """What is known of an output without running anything.

    Attributes:
        name: of the tensor.
        shape: with the batch of 1 in front.
        dtype: NumPy type name.
        activation: ``sigmoid``, ``softmax``, ``log_softmax``, ``labels`` (the place of the
            largest), ``bool``, ``tanh``, ``relu``, ``linear``, or ``unknown``.
        classes: length of the axis that softmax or arg max went along; 0 for none.
        range: that it can hold, None for floats.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    activation: str = "unknown"
    classes: int = 0
    range: Range | None = None


def batched(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape with the batch of 1 in front, where a file left it out."""
    return shape if shape[:1] == (1,) else (1, *shape)


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return height, width and channels of an input that takes an image, None of any other.

    Channels are last, or first, or there is no axis of them.

    Args:
        shape: with the batch in front.
    """
    sizes = shape[1:]
    if len(sizes) == 2 and min(sizes) > 1:
        return sizes[0], sizes[1], 1
    if len(sizes) != 3:
        return None
    if sizes[2] <= _MAX_CHANNELS and min(sizes[:2]) > 1:
        return sizes
    if sizes[0] <= _MAX_CHANNELS and min(sizes[1:]) > sizes[0]:
        return sizes[1], sizes[2], sizes[0]
    return None


def input_range(model: TfliteModel) -> Range | None:
    """Return the range of a file's first input; None if the file does not state it.

    A float input that is quantized at once has the range of its integers.
    """
    tensor = model.inputs[0]
    if tensor.dtype == "float32":
        readers = [op for op in model.operators if tensor in op.inputs]
        if len(readers) != 1 or readers[0].opcode != "QUANTIZE":
            return None
        tensor = readers[0].outputs[0]
    return range_of(tensor)


def range_of(tensor: Tensor) -> Range | None:
    """Return the range of a tensor of integers of 8 or 16 bits, None of others."""
    if tensor.dtype not in ("int8", "uint8", "int16"):
        return None
    limits = np.iinfo(tensor.dtype)
    scale, zero_point = 1.0, 0
    if tensor.scales.size and tensor.zero_points.size:
        scale, zero_point = float(tensor.scales[0]), int(tensor.zero_points[0])
    low, high = ((end - zero_point) * scale for end in (limits.min, limits.max))
    return Range(low, high, tensor.dtype == "int16")


def outlines(model: TfliteModel) -> tuple[Outline, ...]:
    """Return what is known of each output of a file."""
    origins = _Origins(model)
    return tuple(_outline(tensor, *origins.of(tensor)) for tensor in model.outputs)


def _outline(tensor: Tensor, activation: str, classes: int, source: Tensor) -> Outline:
    stored = tensor if tensor.scales.size else source
    limits = range_of(stored) if stored.scales.size else None
    return Outline(tensor.name, batched(tensor.shape), tensor.dtype, activation, classes, limits)


class _Origins:
    """Finds the operator that computed a tensor, behind those that only move values."""

    def __init__(self, model: TfliteModel) -> None:
        self._makers = {tensor.index: op for op in model.operators for tensor in op.outputs}
        self._known: dict[int, tuple[str, int, Tensor]] = {}

    def of(self, tensor: Tensor) -> tuple[str, int, Tensor]:
        """Return the activation, the length of its axis, and the tensor that it wrote."""
        if tensor.index not in self._known:
            # Damaged files may have circles.
            self._known[tensor.index] = ("unknown", 0, tensor)
            self._known[tensor.index] = self._find(tensor)
        return self._known[tensor.index]

    def _find(self, tensor: Tensor) -> tuple[str, int, Tensor]:
        maker = self._makers.get(tensor.index)
        if maker is None:
            return "unknown", 0, tensor
        if maker.opcode not in _PASSING:
            return _activation(maker), _classes(maker), tensor
        sources = [t for t in maker.inputs if t is not None and t.index in self._makers]
        found = [self.of(source) for source in sources]
        if not found or len({origin[:2] for origin in found}) > 1:
            return "unknown", 0, tensor
        return found[0]


def _activation(maker: Operator) -> str:
    fused = getattr(maker.options, "fusedActivationFunction", None)
    if fused is not None and maker.opcode not in _ACTIVATIONS:
        return "relu" if fused else "linear"
    return _ACTIVATIONS.get(maker.opcode, "unknown" if fused is None else "linear")


def _classes(maker: Operator) -> int:
    source = maker.inputs[0] if maker.inputs else None
    if source is None or not source.shape:
        return 0
    axis = -1
    if maker.opcode in ("ARG_MAX", "ARG_MIN"):
        place = maker.inputs[1] if len(maker.inputs) > 1 else None
        axis = int(place.array().ravel()[0]) if place is not None and place.constant else -1
    elif maker.opcode not in ("SOFTMAX", "LOG_SOFTMAX"):
        return 0
    return source.shape[axis] if -len(source.shape) <= axis < len(source.shape) else 0
