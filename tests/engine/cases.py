"""Files of one operator, drawn: shapes, strides, paddings, scales and zero points at their ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from tests.tflite.drafts import SAME, VALID, File, options

ZERO_POINTS = st.sampled_from([-128, -7, 0, 31, 127])
# Around the sizes of vectors and of blocks of channels.
CHANNELS = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 12, 14, 16, 17, 24, 28, 32, 40])
FEW_CHANNELS = st.sampled_from([1, 3, 4, 8, 17])
SIDES = st.integers(1, 11)
SEEDS = st.integers(0, 1 << 16)
ACTIVATIONS = st.sampled_from([0, 0, 0, 1, 2, 3])
PADDINGS = st.sampled_from([SAME, VALID])
# The largest magnitude of weights; -128 is apart.
WEIGHTS = st.sampled_from([40, 85, 127, 128])


class Case(NamedTuple):
    """A file, its input and output tensors."""

    file: File
    inputs: list[int]
    outputs: list[int]

    @property
    def content(self) -> bytes:
        return self.file.content(self.inputs, self.outputs)


def scales(draw: st.DrawFn, random: np.random.Generator, count: int) -> np.ndarray:
    """Factors with shifts from 0 to -26, near each other or not."""
    lowest, highest = draw(st.sampled_from([(-16, -1), (-9, -6), (-26, -1), (-2, 0)]))
    return 2.0 ** random.uniform(lowest, highest, count)


def places(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """Output places along an axis."""
    extent = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else (size - extent) // stride + 1


def integers(random: np.random.Generator, most: int, shape: tuple[int, ...]) -> np.ndarray:
    """Weights up to a magnitude, with the ends among them."""
    found = random.integers(-most, min(most, 127) + 1, shape)
    found.flat[0] = -most
    return found


@st.composite
def _windowed(draw: st.DrawFn, kind: str) -> Case:
    random = np.random.default_rng(draw(SEEDS))
    sides = st.sampled_from([1, 2, 3, 3, 5, 7])
    kernel = draw(st.one_of(st.sampled_from([(3, 3), (1, 1)]), st.tuples(sides, sides)))
    stride = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (2, 1)]))
    dilation = (
        draw(st.sampled_from([(1, 1), (1, 1), (1, 1), (2, 2)])) if stride == (1, 1) else (1, 1)
    )
    padding = draw(PADDINGS)
    least = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [draw(st.integers(low if padding == VALID else 1, low + 6)) for low in least]
    # An emulated core takes long for large ones.
    some = FEW_CHANNELS if kernel[0] * kernel[1] > 3 and kind == "CONV_2D" else CHANNELS
    parts = draw(st.lists(some, min_size=1, max_size=draw(st.sampled_from([1, 1, 2]))))
    depth, channels = sum(parts), draw(some)
    multiplier = draw(st.sampled_from([1, 1, 1, 2]))
    if kind == "DEPTHWISE_CONV_2D":
        channels = depth * multiplier
    out = [places(*axis, padding) for axis in zip(size, kernel, stride, dilation, strict=True)]
    file = File()
    zero = draw(ZERO_POINTS)
    inputs = [file.tensor((1, *size, part), scale=0.1, zero_point=zero) for part in parts]
    source = inputs[0]
    if len(parts) > 1:
        source = file.tensor((1, *size, depth), scale=0.1, zero_point=zero)
        file.operator("CONCATENATION", inputs, source, options("Concatenation", axis=3))
    shape = (channels, *kernel, depth) if kind == "CONV_2D" else (1, *kernel, channels)
    axis = 0 if kind == "CONV_2D" else 3
    weights = integers(random, draw(WEIGHTS), shape)
    filters = file.constant(weights, scale=scales(draw, random, channels), axis=axis)
    bias = file.constant(random.integers(-9999, 9999, channels), "int32")
    target = file.tensor((1, *out, channels), scale=0.1, zero_point=draw(ZERO_POINTS))
    setting = options(
        "Conv2D" if kind == "CONV_2D" else "DepthwiseConv2D",
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=draw(ACTIVATIONS),
    )
    if kind == "DEPTHWISE_CONV_2D":
        setting.depthMultiplier = multiplier
    file.operator(kind, [source, filters, bias], target, setting)
    return Case(file, inputs, [target])


@st.composite
def transposed(draw: st.DrawFn) -> Case:
    """A TRANSPOSE_CONV."""
    random = np.random.default_rng(draw(SEEDS))
    rows, columns, depth, channels = draw(SIDES), draw(SIDES), draw(CHANNELS), draw(CHANNELS)
    stride, pads = draw(st.sampled_from([1, 2, 2, 3])), draw(PADDINGS)
    kernel = max(draw(st.sampled_from([2, 3, 3, 4, 5])), stride)
    grow = [n * stride if pads == SAME else (n - 1) * stride + kernel for n in (rows, columns)]
    file = File()
    source = file.tensor((1, rows, columns, depth), scale=0.1, zero_point=draw(ZERO_POINTS))
    shape = file.constant([1, *grow, channels], "int32")
    weights = integers(random, draw(WEIGHTS), (channels, kernel, kernel, depth))
    filters = file.constant(weights, scale=scales(draw, random, channels))
    bias = file.constant(random.integers(-9999, 9999, channels), "int32")
    target = file.tensor((1, *grow, channels), scale=0.1, zero_point=draw(ZERO_POINTS))
    setting = options("TransposeConv", padding=pads, strideH=stride, strideW=stride)
    file.operator("TRANSPOSE_CONV", [shape, filters, source, bias], target, setting)
    return Case(file, [source], [target])


@st.composite
def elementwise(draw: st.DrawFn, name: str) -> Case:
    """ADD, SUB or MUL of two tensors, or of a gate and a tensor."""
    rows, columns, channels = draw(SIDES), draw(SIDES), draw(CHANNELS)
    whole = (1, rows, columns, channels)
    shape = draw(
        st.sampled_from([whole, whole, (1, rows, columns, 1), (1, 1, 1, channels), (1, 1, 1, 1)])
    )
    file = File()
    quantized = [
        {"scale": float(np.float32(draw(st.floats(0.02, 0.5)))), "zero_point": draw(ZERO_POINTS)}
        for _ in range(3)
    ]
    first, second = file.tensor(whole, **quantized[0]), file.tensor(shape, **quantized[1])
    target = file.tensor(whole, **quantized[2])
    setting = options(name.title(), fusedActivationFunction=draw(ACTIVATIONS))
    operands = draw(st.permutations([first, second]))
    file.operator(name, operands, target, setting)
    return Case(file, [first, second], [target])


@st.composite
def _pooled(draw: st.DrawFn, name: str) -> Case:
    size = draw(st.tuples(st.integers(3, 9), st.integers(3, 9)))
    window, stride = draw(st.sampled_from([(2, 2), (2, 2), (2, 1), (3, 2), (3, 3), (1, 2)]))
    channels, padding = draw(CHANNELS), draw(PADDINGS)
    file = File()
    source = file.tensor((1, *size, channels), zero_point=-9)
    out = [places(side, window, stride, 1, padding) for side in size]
    target = file.tensor((1, *out, channels), zero_point=-9)
    setting = options("Pool2D", padding=padding, strideH=stride, strideW=stride)
    setting.filterHeight = setting.filterWidth = window
    setting.fusedActivationFunction = draw(ACTIVATIONS)
    file.operator(name, [source], target, setting)
    return Case(file, [source], [target])


@st.composite
def _table(draw: st.DrawFn) -> Case:
    """A LOGISTIC, or a MUL by a constant for each channel."""
    shape = (1, draw(SIDES), draw(SIDES), draw(CHANNELS))
    file = File()
    source = file.tensor(shape, scale=0.05, zero_point=draw(ZERO_POINTS))
    if draw(st.booleans()):
        target = file.tensor(shape, scale=1 / 256, zero_point=-128)
        file.operator("LOGISTIC", [source], target)
    else:
        random = np.random.default_rng(draw(SEEDS))
        factors = file.constant(random.integers(-128, 128, shape[3:]), scale=0.02, zero_point=3)
        target = file.tensor(shape, scale=0.05, zero_point=draw(ZERO_POINTS))
        file.operator("MUL", [source, factors], target, options("Mul"))
    return Case(file, [source], [target])


@st.composite
def _moved(draw: st.DrawFn) -> Case:
    """A nearest resize, a PAD or a CONCATENATION that is an output."""
    size = (draw(SIDES), draw(SIDES))
    channels = draw(CHANNELS)
    file = File()
    source = file.tensor((1, *size, channels), zero_point=5)
    kind = draw(st.sampled_from(["resize", "pad", "join"]))
    if kind == "resize":
        grown = [2 * side for side in size]
        target = file.tensor((1, *grown, channels), zero_point=5)
        setting = options("ResizeNearestNeighbor")
        file.operator(
            "RESIZE_NEAREST_NEIGHBOR", [source, file.constant(grown, "int32")], target, setting
        )
        return Case(file, [source], [target])
    if kind == "pad":
        pads = draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))
        grown = [size[0] + pads[0] + pads[1], size[1] + pads[2] + pads[3]]
        target = file.tensor((1, *grown, channels), zero_point=5)
        amounts = file.constant([[0, 0], pads[:2], pads[2:], [0, 0]], "int32")
        file.operator("PAD", [source, amounts], target, options("Pad"))
        return Case(file, [source], [target])
    more = draw(CHANNELS)
    other = file.tensor((1, *size, more), zero_point=5)
    target = file.tensor((1, *size, channels + more), zero_point=5)
    file.operator("CONCATENATION", [source, other], target, options("Concatenation", axis=3))
    return Case(file, [source, other], [target])


KINDS: dict[str, Callable[[], st.SearchStrategy[Case]]] = {
    "convolution": lambda: _windowed("CONV_2D"),
    "depthwise": lambda: _windowed("DEPTHWISE_CONV_2D"),
    "transposed": transposed,
    "add": lambda: elementwise("ADD"),
    "multiply": lambda: elementwise("MUL"),
    "max_pool": lambda: _pooled("MAX_POOL_2D"),
    "average_pool": lambda: _pooled("AVERAGE_POOL_2D"),
    "table": _table,
    "moved": _moved,
}
