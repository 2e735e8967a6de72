"""Files of one operator, of shapes like those of networks, to fit the engine's cost model to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.engine.cases import places
from tests.tflite.drafts import SAME, VALID, File, conv, options
from tinyseg.tflite.packing import pack

_CHANNELS = (1, 2, 3, 4, 6, 8, 12, 16, 16, 24, 32, 32, 48, 64, 64, 96, 128)
_WIDTHS = (3, 4, 5, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 64, 72, 96, 128)
_WINDOWS = ((1, 1), (1, 1), (1, 1), (3, 3), (3, 3), (2, 2), (2, 1), (1, 2), (5, 5))
# Weights beyond this many, and multiply-accumulates, take long to send and to run.
_WEIGHTS, _MACS = 60_000, 2_000_000
_EACH = 24


def contents() -> Iterator[bytes]:
    """Yield the files, the same ones each time."""
    random = np.random.default_rng(0)
    for make, count in (
        (_convolution, 6 * _EACH),
        (_packed, 2 * _EACH),
        (_still, _EACH),
        (_joined, 2 * _EACH),
        (_pixels, 2 * _EACH),
        (_depthwise, 4 * _EACH),
        (_transposed, 2 * _EACH),
        (_gate, 2 * _EACH),
        (_connected, _EACH),
        (_elementwise, 3 * _EACH),
        (_table, 2 * _EACH),
        (_pool, 2 * _EACH),
        (_resized, 2 * _EACH),
        (_moved, 4 * _EACH),
        (_mean, _EACH // 2),
        (_softmax, _EACH // 2),
    ):
        for _ in range(count):
            yield make(random)


def _pick(random: np.random.Generator, values: tuple) -> int:
    return values[random.integers(len(values))]


def _factors(random: np.random.Generator, count: int) -> np.ndarray:
    return 2.0 ** random.uniform(-9, -7, count)


def _image(
    file: File, random: np.random.Generator, channels: int, least: int = 1
) -> tuple[int, int, int]:
    width = max(_pick(random, _WIDTHS), least)
    rows = max(int(random.integers(3, 7)), least)
    return file.tensor((1, rows, width, channels), scale=0.1, zero_point=-3), rows, width


def _convolution(random: np.random.Generator) -> bytes:
    return _windowed(random, "CONV_2D", [_pick(random, _CHANNELS)], _pick(random, _WINDOWS))


def _packed(random: np.random.Generator) -> bytes:
    """Weights of few values, which stay packed in flash."""
    window = _pick(random, ((1, 1), (1, 1), (3, 3)))
    channels = _pick(random, _CHANNELS[5:])
    bits = int(random.integers(1, 6))
    return pack(_windowed(random, "CONV_2D", [channels], window, bits=bits))


def _still(random: np.random.Generator) -> bytes:
    """A convolution of a constant, which has no faster kernel, beside a table of the input."""
    file, channels = File(), _pick(random, _CHANNELS[:10])
    source, rows, width = _image(file, random, 1)
    table = file.tensor((1, rows, width, 1), scale=1 / 256, zero_point=-128)
    file.operator("LOGISTIC", [source], table)
    image = random.integers(-128, 128, (1, rows, width, channels))
    constant = file.constant(image, scale=0.1, zero_point=-3)
    return file.content([source], [table, conv(file, constant, _pick(random, (4, 8, 16)))])


def _joined(random: np.random.Generator) -> bytes:
    kind = ("CONV_2D", "DEPTHWISE_CONV_2D")[random.integers(2)]
    channels = _pick(random, _CHANNELS[2:14])
    window = _pick(random, _WINDOWS) if kind == "CONV_2D" else (3, 3)
    return _windowed(random, kind, [channels, channels], window)


def _pixels(random: np.random.Generator) -> bytes:
    """A window of one pixel, from one channel or to one."""
    if random.integers(2):
        return _windowed(random, "CONV_2D", [1], (1, 1), _pick(random, (8, 16)))
    return _windowed(random, "CONV_2D", [_pick(random, _CHANNELS[3:])], (1, 1), 1)


def _depthwise(random: np.random.Generator) -> bytes:
    window = _pick(random, ((3, 3), (3, 3), (3, 3), (3, 3), (2, 2), (5, 5), (1, 1)))
    return _windowed(random, "DEPTHWISE_CONV_2D", [_pick(random, _CHANNELS)], window)


def _windowed(
    random: np.random.Generator,
    kind: str,
    parts: list[int],
    window: tuple[int, int],
    wanted: int = 0,
    bits: int = 8,
) -> bytes:
    file, depth = File(), sum(parts)
    stride = int(random.integers(4) == 0) + 1
    padding = VALID if random.integers(4) == 0 else SAME
    first, rows, width = _image(file, random, parts[0], max(window))
    inputs = [first]
    while len(inputs) < len(parts):
        inputs.append(file.tensor((1, rows, width, parts[0]), scale=0.1, zero_point=-3))
    source = first
    if len(inputs) > 1:
        source = file.tensor((1, rows, width, depth), scale=0.1, zero_point=-3)
        file.operator("CONCATENATION", inputs, source, options("Concatenation", axis=3))
    out = [
        places(size, k, stride, 1, padding) for size, k in zip((rows, width), window, strict=True)
    ]
    area = window[0] * window[1]
    channels = depth
    if kind == "CONV_2D":
        most = min(_WEIGHTS // (area * depth), _MACS // (area * depth * out[0] * out[1]))
        channels = min(wanted or _pick(random, _CHANNELS), max(most, 1))
    shape = (channels, *window, depth) if kind == "CONV_2D" else (1, *window, channels)
    values = random.choice(255, min(1 << bits, 255), replace=False) - 127
    weights = file.constant(
        random.choice(values, shape), scale=_factors(random, channels),
        axis=0 if kind == "CONV_2D" else 3,
    )  # fmt: skip
    bias = file.constant(random.integers(-500, 500, channels), "int32")
    zero, activation = ((-128, 1), (-128, 3), (4, 0))[random.integers(3)]
    target = file.tensor((1, *out, channels), scale=0.1, zero_point=zero)
    setting = options(
        "Conv2D" if kind == "CONV_2D" else "DepthwiseConv2D",
        padding=padding, strideH=stride, strideW=stride, fusedActivationFunction=activation,
    )  # fmt: skip
    file.operator(kind, [source, weights, bias], target, setting)
    return file.content(inputs, [target])


def _transposed(random: np.random.Generator) -> bytes:
    file = File()
    depth, size = _pick(random, _CHANNELS[3:]), int(random.integers(2, 4))
    source, rows, width = _image(file, random, depth)
    area = size * size * depth
    most = min(_WEIGHTS // area, _MACS // (area * rows * width))
    channels = min(_pick(random, _CHANNELS), max(most, 1))
    grown = (1, 2 * rows, 2 * width, channels)
    weights = file.constant(
        random.integers(-127, 128, (channels, size, size, depth)), scale=_factors(random, channels)
    )
    bias = file.constant(random.integers(-500, 500, channels), "int32")
    target = file.tensor(grown, scale=0.1, zero_point=4)
    setting = options("TransposeConv", padding=SAME, strideH=2, strideW=2)
    file.operator(
        "TRANSPOSE_CONV", [file.constant(grown, "int32"), weights, source, bias], target, setting
    )
    return file.content([source], [target])


def _connected(random: np.random.Generator) -> bytes:
    file = File()
    depth, channels = (int(2 ** random.uniform(3, 9.3)) // 4 * 4 for _ in range(2))
    channels = max(min(channels, _WEIGHTS // depth), 2)
    source = file.tensor((1, depth), scale=0.1, zero_point=-3)
    weights = file.constant(random.integers(-127, 128, (channels, depth)), scale=0.005)
    bias = file.constant(random.integers(-500, 500, channels), "int32")
    target = file.tensor((1, channels), scale=0.1, zero_point=4)
    file.operator("FULLY_CONNECTED", [source, weights, bias], target, options("FullyConnected"))
    return file.content([source], [target])


def _elementwise(random: np.random.Generator) -> bytes:
    file = File()
    channels = _pick(random, _CHANNELS)
    first, rows, width = _image(file, random, channels)
    whole = (1, rows, width, channels)
    kind = ("ADD", "MUL", "MUL", "SUB")[random.integers(4)]
    other = (whole, whole, (1, rows, width, 1))[random.integers(3)]
    second = file.tensor(other, scale=0.07, zero_point=8)
    target = file.tensor(whole, scale=0.12, zero_point=-4)
    inputs = [first, second] if random.integers(2) or kind == "SUB" else [second, first]
    file.operator(kind, inputs, target, options(kind.title()))
    return file.content([first, second], [target])


def _gate(random: np.random.Generator) -> bytes:
    """A MUL by a value for each pixel, with no output below zero, and a MUL by channels behind."""
    file = File()
    channels = _pick(random, _CHANNELS[3:])
    first, rows, width = _image(file, random, 1)
    whole = (1, rows, width, channels)
    second = file.tensor(whole, scale=0.07, zero_point=-128)
    target = file.tensor(whole, scale=0.12, zero_point=-128)
    file.operator("MUL", [first, second], target, options("Mul"))
    if random.integers(2):
        source, target = target, file.tensor(whole, scale=0.05, zero_point=7)
        factors = file.constant(random.integers(-128, 128, channels), scale=0.02, zero_point=3)
        file.operator("MUL", [source, factors], target, options("Mul"))
    return file.content([first, second], [target])


def _table(random: np.random.Generator) -> bytes:
    file = File()
    channels = _pick(random, _CHANNELS)
    source, rows, width = _image(file, random, channels)
    shape = (1, rows, width, channels)
    if random.integers(2):
        target = file.tensor(shape, scale=1 / 256, zero_point=-128)
        file.operator("LOGISTIC", [source], target)
    else:
        factors = file.constant(random.integers(-128, 128, channels), scale=0.02, zero_point=3)
        target = file.tensor(shape, scale=0.05, zero_point=7)
        file.operator("MUL", [source, factors], target, options("Mul"))
    return file.content([source], [target])


def _pool(random: np.random.Generator) -> bytes:
    file = File()
    kind = ("MAX_POOL_2D", "AVERAGE_POOL_2D")[random.integers(2)]
    channels = _pick(random, _CHANNELS)
    source, rows, width = _image(file, random, channels, 4)
    window, stride = ((2, 2), 2) if random.integers(3) else ((rows, width), 1)
    if kind == "MAX_POOL_2D":
        window, stride = (2, 2), 2
    out = [places(size, k, stride, 1, VALID) for size, k in zip((rows, width), window, strict=True)]
    target = file.tensor((1, *out, channels), scale=0.1, zero_point=-3)
    setting = options("Pool2D", padding=VALID, strideH=stride, strideW=stride)
    setting.filterHeight, setting.filterWidth = window
    file.operator(kind, [source], target, setting)
    return file.content([source], [target])


def _resized(random: np.random.Generator) -> bytes:
    file = File()
    channels = _pick(random, (1, 2, 3, 5, 6, 7, 8, 10, 12, 14, 16, 24, 28, 32, 56, 64, 112))
    source, rows, width = _image(file, random, channels)
    grown = (2 * rows, 2 * width)
    target = file.tensor((1, *grown, channels), scale=0.1, zero_point=-3)
    nearest = bool(random.integers(4))
    setting = options("ResizeNearestNeighbor" if nearest else "ResizeBilinear")
    opcode = "RESIZE_NEAREST_NEIGHBOR" if nearest else "RESIZE_BILINEAR"
    file.operator(opcode, [source, file.constant(grown, "int32")], target, setting)
    return file.content([source], [target])


def _moved(random: np.random.Generator) -> bytes:
    """A PAD, a SLICE, a DEPTH_TO_SPACE, or a CONCATENATION that is an output."""
    file = File()
    channels = _pick(random, _CHANNELS)
    kind = ("pad", "join", "slice", "blocks")[random.integers(4)]
    channels *= 4 if kind == "blocks" else 1
    source, rows, width = _image(file, random, channels)
    inputs = [source]
    if kind == "pad":
        amounts = random.integers(0, 4, 4).reshape(2, 2)
        shape = (1, rows + amounts[0].sum(), width + amounts[1].sum(), channels)
        target = file.tensor(shape, scale=0.1, zero_point=-3)
        pads = file.constant([[0, 0], *amounts, [0, 0]], "int32")
        file.operator("PAD", [source, pads], target, options("Pad"))
    elif kind == "slice":
        begin = [0, int(random.integers(2)), int(random.integers(2)), 0]
        size = [1, rows - begin[1], width - begin[2], channels]
        target = file.tensor(size, scale=0.1, zero_point=-3)
        ends = [file.constant(part, "int32") for part in (begin, size)]
        file.operator("SLICE", [source, *ends], target, options("Slice"))
    elif kind == "blocks":
        shape = (1, 2 * rows, 2 * width, channels // 4)
        target = file.tensor(shape, scale=0.1, zero_point=-3)
        file.operator("DEPTH_TO_SPACE", [source], target, options("DepthToSpace", blockSize=2))
    else:
        more = _pick(random, _CHANNELS)
        inputs.append(file.tensor((1, rows, width, more), scale=0.1, zero_point=-3))
        target = file.tensor((1, rows, width, channels + more), scale=0.1, zero_point=-3)
        file.operator("CONCATENATION", inputs, target, options("Concatenation", axis=3))
    return file.content(inputs, [target])


def _mean(random: np.random.Generator) -> bytes:
    file = File()
    channels = _pick(random, _CHANNELS)
    source, _, _ = _image(file, random, channels)
    target = file.tensor((1, 1, 1, channels), scale=0.1, zero_point=-3)
    axes = file.constant([1, 2], "int32")
    file.operator("MEAN", [source, axes], target, options("Reducer", keepDims=True))
    return file.content([source], [target])


def _softmax(random: np.random.Generator) -> bytes:
    file = File()
    source, _, _ = _image(file, random, int(random.integers(2, 20)))
    shape = file.graph.tensors[source].shape
    target = file.tensor(shape, scale=1 / 256, zero_point=-128)
    file.operator("SOFTMAX", [source], target, options("Softmax", beta=1.0))
    return file.content([source], [target])
