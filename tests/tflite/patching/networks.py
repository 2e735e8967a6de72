"""Small networks to be executed in strips, as other passes leave them."""

import functools

import numpy as np

from tests.tflite.drafts import SAME, VALID, File, conv, options
from tinyseg.tflite import TfliteModel

PLACED = {"scale": 0.1, "zero_point": -3}


def _pool(file, source):
    _, height, width, depth = file.graph.tensors[source].shape
    target = file.tensor((1, height // 2, width // 2, depth), **PLACED)
    window = {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2}
    how = options("Pool2D", padding=VALID, **window)
    return file.operator("MAX_POOL_2D", [source], target, how)


def _enlarge(file, source):
    _, height, width, depth = file.graph.tensors[source].shape
    target = file.tensor((1, 2 * height, 2 * width, depth), **PLACED)
    size = file.constant([2 * height, 2 * width], "int32")
    how = options("ResizeNearestNeighbor", halfPixelCenters=True)
    return file.operator("RESIZE_NEAREST_NEIGHBOR", [source, size], target, how)


def _shuffle(file, source):
    """A sub-pixel convolution to as many channels."""
    _, height, width, depth = file.graph.tensors[source].shape
    deep = conv(file, source, 4 * depth, (2, 2), seed=source)
    target = file.tensor((1, 2 * height, 2 * width, depth), **PLACED)
    return file.operator("DEPTH_TO_SPACE", [deep], target, options("DepthToSpace", blockSize=2))


def _join(file, sources):
    shapes = [file.graph.tensors[source].shape for source in sources]
    depth = sum(shape[3] for shape in shapes)
    target = file.tensor((*shapes[0][:3], depth), **PLACED)
    return file.operator("CONCATENATION", sources, target, options("Concatenation", axis=3))


def _gate(file, skip, gating):
    """An attention gate of all channels."""
    depth = file.graph.tensors[skip].shape[3]
    shape = file.graph.tensors[skip].shape
    first, second = (conv(file, tensor, depth, seed=tensor) for tensor in (skip, gating))
    total, weight = file.tensor(shape, **PLACED), file.tensor(shape, scale=1 / 256, zero_point=-128)
    how = options("Add", fusedActivationFunction=1)
    file.operator("ADD", [first, second], total, how)
    file.operator("LOGISTIC", [total], weight)
    target = file.tensor(shape, **PLACED)
    return file.operator("MUL", [skip, weight], target, options("Mul"))


@functools.cache
def unet(height=16, width=12, depth=2, gates=False, shuffled=False, base=4):
    """A U-Net of one convolution a stage.

    Args:
        height, width: of the image; multiples of ``2 ** depth``.
        depth: stages below the first.
        gates: whether skips pass attention gates.
        shuffled: whether it enlarges by sub-pixel convolutions.
        base: channels of the first stage.
    """
    file = File()
    source = current = file.tensor((1, height, width, 2), zero_point=5)
    skips = []
    for stage in range(depth):
        skips.append(conv(file, current, base + 2 * stage, (3, 3), seed=stage))
        current = _pool(file, skips[-1])
    current = conv(file, current, base + 2 * depth, (3, 3), seed=depth)
    for stage in reversed(range(depth)):
        up = (_shuffle if shuffled else _enlarge)(file, current)
        skip = _gate(file, skips[stage], up) if gates else skips[stage]
        current = conv(file, _join(file, [skip, up]), base + stage, (3, 3), seed=10 + stage)
    logits = conv(file, current, 1, seed=20)
    mask = file.tensor((1, height, width, 1), scale=1 / 256, zero_point=-128)
    file.operator("LOGISTIC", [logits], mask)
    return TfliteModel.parse(file.content([source], [mask]))


@functools.cache
def chain(height=23, width=9, padding=SAME):
    """Windows and strides of all kinds, one after the other."""
    random = np.random.default_rng(0)
    file = File()
    source = current = file.tensor((1, height, width, 2), zero_point=5)
    for (rows, columns), stride, dilation in (((5, 3), 1, 1), ((3, 3), 2, 1), ((2, 1), 1, 2)):
        _, high, wide, depth = file.graph.tensors[current].shape
        sides = []
        for side, taps in ((high, rows), (wide, columns)):
            extent = 1 + (taps - 1) * dilation
            room = side if padding == SAME else side - extent + 1
            sides.append(-(-room // stride))
        kernel = file.constant(random.integers(-127, 128, (3, rows, columns, depth)), scale=0.01)
        bias = file.constant(random.integers(-500, 500, 3), "int32")
        how = {"strideH": stride, "strideW": stride}
        how |= {"dilationHFactor": dilation, "dilationWFactor": dilation}
        target = file.tensor((1, *sides, 3), **PLACED)
        settings = options("Conv2D", padding=padding, **how)
        current = file.operator("CONV_2D", [current, kernel, bias], target, settings)
    return TfliteModel.parse(file.content([source], [current]))


@functools.cache
def lopsided(height=23, width=10):
    """Rows and columns that differ in everything: padding, windows, strides, enlargement.

    A convolution of three rows and two columns after uneven padding; a mean of windows that
    overlap along the rows alone; a detour through float32; three rows for one; a gate of one
    channel, constants of the channels and a constant of every pixel; one tensor read thrice.
    """
    random = np.random.default_rng(5)
    file = File()
    source = file.tensor((1, height, width, 2), zero_point=5)
    padded = file.tensor((1, height + 5, width + 4, 2), zero_point=5)
    margins = file.constant([[0, 0], [3, 2], [1, 3], [0, 0]], "int32")
    file.operator("PAD", [source, margins], padded, options("Pad"))
    high, wide = height + 3, width // 2 + 2
    kernel = file.constant(random.integers(-127, 128, (3, 3, 2, 2)), scale=[0.01, 0.02, 0.015])
    bias = file.constant(random.integers(-500, 500, 3), "int32")
    first = file.tensor((1, high, wide, 3), **PLACED)
    how = options("Conv2D", padding=VALID, strideW=2)
    file.operator("CONV_2D", [padded, kernel, bias], first, how)
    low = (high - 3) // 2 + 1
    mean = file.tensor((1, low, wide // 2, 3), **PLACED)
    window = {"filterHeight": 3, "filterWidth": 2, "strideH": 2, "strideW": 2}
    file.operator("AVERAGE_POOL_2D", [first], mean, options("Pool2D", padding=VALID, **window))
    fine = file.tensor((1, low, wide // 2, 3), "float32")
    back = file.tensor((1, low, wide // 2, 3), scale=0.2, zero_point=11)
    file.operator("DEQUANTIZE", [mean], fine)
    file.operator("QUANTIZE", [fine], back)
    sides = 3 * low, 2 * (wide // 2)
    large = file.tensor((1, *sides, 3), scale=0.2, zero_point=11)
    size = file.constant(sides, "int32")
    how = options("ResizeNearestNeighbor", halfPixelCenters=True)
    file.operator("RESIZE_NEAREST_NEIGHBOR", [back, size], large, how)
    gate = conv(file, large, 1, (5, 1), seed=7)
    gated = file.tensor((1, *sides, 3), **PLACED)
    file.operator("MUL", [large, gate], gated, options("Mul"))
    factor = file.constant([90, -70, 3], scale=0.02)
    scaled = file.tensor((1, *sides, 3), **PLACED)
    file.operator("MUL", [factor, gated], scaled, options("Mul"))
    total = file.tensor((1, *sides, 3), scale=0.15, zero_point=-3)
    file.operator("ADD", [scaled, large], total, options("Add"))
    pixel = file.constant(np.reshape([90, -70, 3], (1, 1, 1, 3)), scale=0.01)
    pixels = file.tensor((1, *sides, 3), scale=0.01)
    file.operator(
        "RESIZE_NEAREST_NEIGHBOR", [pixel, size], pixels, options("ResizeNearestNeighbor")
    )
    shifted = file.tensor((1, *sides, 3), scale=0.15, zero_point=2)
    file.operator("ADD", [total, pixels], shifted, options("Add"))
    deep = random.integers(-127, 128, (1, 2, 3, 3))
    kernel = file.constant(deep, scale=[0.02, 0.03, 0.01], axis=3)
    last = file.tensor((1, -(-sides[0] // 3), sides[1], 3), **PLACED)
    how = options("DepthwiseConv2D", padding=SAME, strideH=3)
    file.operator("DEPTHWISE_CONV_2D", [shifted, kernel, bias], last, how)
    return TfliteModel.parse(file.content([source], [last]))
