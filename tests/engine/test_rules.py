"""Each operator on the engine, row by row, against TensorFlow Lite Micro."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.cases import ZERO_POINTS, places
from tests.tflite.drafts import SAME, VALID, File, on_tflm, options, random_inputs
from tinyseg.engine.compiled import compiled
from tinyseg.errors import InputError
from tinyseg.runtime.engine import HostProgram
from tinyseg.tflite import TfliteModel

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
SIDES = st.integers(1, 9)
CHANNELS = st.sampled_from([1, 2, 3, 4, 5, 8, 17])
ACTIVATIONS = st.sampled_from([NONE, RELU, RELU6, RELU_N1_TO_1])
SEEDS = st.integers(0, 1 << 16)


def check(file, inputs, outputs):
    """The engine's bytes are TFLM's, for two inputs."""
    content = file.content(inputs, outputs)
    runner = HostProgram(compiled(TfliteModel.parse(content)))
    for seed in range(2):
        values = random_inputs(content, seed)
        for made, expected in zip(runner.run(values), on_tflm(content, values), strict=True):
            np.testing.assert_array_equal(made, expected.reshape(made.shape))


def scales(random, count):
    """Factors with shifts from 0 to -26."""
    return 2.0 ** random.uniform(-16, -1, count)


@settings(max_examples=60)
@given(st.data())
def test_convolutions(data):
    draw = data.draw
    kind = draw(st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D"]))
    random = np.random.default_rng(draw(SEEDS))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride, dilation = draw(st.sampled_from([((1, 1), (1, 1)), ((2, 1), (1, 1)), ((1, 1), (2, 2))]))
    padding = draw(st.sampled_from([SAME, VALID]))
    least = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [draw(st.integers(low, low + 6)) for low in least]
    depth, channels = draw(CHANNELS), draw(CHANNELS)
    multiplier = draw(st.sampled_from([1, 1, 2]))
    if kind == "DEPTHWISE_CONV_2D":
        channels = depth * multiplier
    out = [places(*axis, padding) for axis in zip(size, kernel, stride, dilation, strict=True)]
    file = File()
    source = file.tensor((1, *size, depth), scale=0.1, zero_point=draw(ZERO_POINTS))
    shape = (channels, *kernel, depth) if kind == "CONV_2D" else (1, *kernel, channels)
    weights = random.integers(-128, 128, shape)
    axis = 0 if kind == "CONV_2D" else 3
    filters = file.constant(weights, scale=scales(random, channels), axis=axis)
    bias = file.constant(random.integers(-999, 999, channels), "int32")
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
    check(file, [source], [target])


@settings(max_examples=40)
@given(
    SIDES, SIDES, CHANNELS, CHANNELS, st.integers(1, 4), st.integers(1, 3), ZERO_POINTS, SEEDS,
    st.sampled_from([SAME, VALID]),
)  # fmt: skip
def test_transposed_convolutions(rows, columns, depth, channels, kernel, stride, zero, seed, pads):
    random = np.random.default_rng(seed)
    kernel = max(kernel, stride)
    grow = [n * stride if pads == SAME else (n - 1) * stride + kernel for n in (rows, columns)]
    file = File()
    source = file.tensor((1, rows, columns, depth), scale=0.1, zero_point=zero)
    shape = file.constant([1, *grow, channels], "int32")
    weights = file.constant(
        random.integers(-127, 128, (channels, kernel, kernel, depth)),
        scale=scales(random, channels),
    )
    bias = file.constant(random.integers(-999, 999, channels), "int32")
    target = file.tensor((1, *grow, channels), scale=0.1, zero_point=3)
    setting = options("TransposeConv", padding=pads, strideH=stride, strideW=stride)
    file.operator("TRANSPOSE_CONV", [shape, weights, source, bias], target, setting)
    check(file, [source], [target])


@settings(max_examples=40)
@given(
    st.sampled_from(["ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"]),
    st.sampled_from([(1, 5, 4, 3), (1, 1, 1, 3), (1, 5, 4, 1), (1, 1, 1, 1)]),
    st.booleans(),
    st.lists(ZERO_POINTS, min_size=3, max_size=3),
    st.lists(st.floats(0.02, 0.5), min_size=3, max_size=3),
    SEEDS,
)
def test_elementwise(name, shape, constant, zeros, steps, seed):
    random = np.random.default_rng(seed)
    file = File()
    quantized = [
        {"scale": float(np.float32(scale)), "zero_point": zero}
        for scale, zero in zip(steps, zeros, strict=True)
    ]
    source = file.tensor((1, 5, 4, 3), **quantized[0])
    values = random.integers(-128, 128, shape)
    other = (
        file.constant(values, **quantized[1]) if constant else file.tensor(shape, **quantized[1])
    )
    target = file.tensor((1, 5, 4, 3), **quantized[2])
    kinds = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul"}
    setting = options(kinds[name]) if name in kinds else None
    file.operator(name, [source, other], target, setting)
    check(file, [source] if constant else [source, other], [target])


@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM"])
def test_extremes(name):
    file = File()
    first, second = file.tensor((1, 4, 3, 5)), file.tensor((1, 4, 3, 5))
    target = file.tensor((1, 4, 3, 5))
    file.operator(name, [first, second], target)
    check(file, [first, second], [target])


@settings(max_examples=30)
@given(
    st.sampled_from(["MAX_POOL_2D", "AVERAGE_POOL_2D"]),
    st.tuples(st.integers(3, 9), st.integers(3, 9)),
    st.integers(1, 3),
    st.integers(1, 3),
    CHANNELS,
    st.sampled_from([SAME, VALID]),
    ACTIVATIONS,
)
def test_pools(name, size, window, stride, channels, padding, activation):
    file = File()
    source = file.tensor((1, *size, channels), zero_point=-9)
    out = [places(side, window, stride, 1, padding) for side in size]
    target = file.tensor((1, *out, channels), zero_point=-9)
    setting = options("Pool2D", padding=padding, strideH=stride, strideW=stride)
    setting.filterHeight = setting.filterWidth = window
    setting.fusedActivationFunction = activation
    file.operator(name, [source], target, setting)
    check(file, [source], [target])


@settings(max_examples=40)
@given(
    st.sampled_from(["RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"]),
    st.tuples(SIDES, SIDES),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from(["plain", "align", "half"]),
)
def test_resizing(name, size, target_size, mode):
    file = File()
    source = file.tensor((1, *size, 3), zero_point=5)
    shape = file.constant(target_size, "int32")
    target = file.tensor((1, *target_size, 3), zero_point=5)
    nearest = name == "RESIZE_NEAREST_NEIGHBOR"
    setting = options("ResizeNearestNeighbor" if nearest else "ResizeBilinear")
    setting.alignCorners, setting.halfPixelCenters = mode == "align", mode == "half"
    file.operator(name, [source, shape], target, setting)
    content = file.content([source], [target])
    try:
        HostProgram(compiled(TfliteModel.parse(content)))
    except InputError as error:
        # Rows in an order that is not a line: said, not wrong.
        if not nearest or "order that the engine does not know" not in str(error):
            raise
        return
    check(file, [source], [target])


def moved(name, source, target_shape, constants=(), setting=None, before=True):
    file = File()
    data = file.tensor(source, zero_point=-3)
    others = [file.constant(values, "int32") for values in constants]
    target = file.tensor(target_shape, zero_point=-3)
    file.operator(name, [data, *others] if before else [*others, data], target, setting)
    return file, [data], [target]


MOVES = {
    "pad": ("PAD", (1, 3, 4, 5), (1, 6, 6, 5), [[[0, 0], [1, 2], [0, 2], [0, 0]]], "Pad"),
    "slice": ("SLICE", (1, 6, 7, 5), (1, 3, 4, 2), [[0, 2, 1, 3], [1, 3, 4, 2]], "Slice"),
    "strided": (
        "STRIDED_SLICE", (1, 8, 8, 4), (1, 3, 2, 4),
        [[0, 1, 2, 0], [1, 7, 8, 4], [1, 2, 3, 1]], "StridedSlice",
    ),
    "transpose": ("TRANSPOSE", (1, 3, 4, 5), (1, 5, 3, 4), [[0, 3, 1, 2]], None),
    "reshape": ("RESHAPE", (1, 4, 6, 5), (1, 3, 4, 10), [[1, 3, 4, 10]], None),
    "flatten": ("RESHAPE", (1, 4, 6, 5), (1, 120), [[1, 120]], None),
    "depth_to_space": ("DEPTH_TO_SPACE", (1, 3, 4, 8), (1, 6, 8, 2), [], "DepthToSpace"),
    "space_to_depth": ("SPACE_TO_DEPTH", (1, 6, 8, 2), (1, 3, 4, 8), [], "SpaceToDepth"),
    "mean": ("MEAN", (1, 5, 6, 7), (1, 7), [[1, 2]], "Reducer"),
    "mean_of_channels": ("MEAN", (1, 5, 6, 7), (1, 5, 6), [[3]], "Reducer"),
    "mean_of_rows": ("MEAN", (1, 5, 6, 7), (1, 6, 7), [[1]], "Reducer"),
    "sum": ("SUM", (1, 5, 6, 7), (1, 7), [[1, 2]], "Reducer"),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVES)
def test_moving_and_reducing(case):
    name, source, target, constants, kind = MOVES[case]
    setting = None if kind is None else options(kind)
    if hasattr(setting, "blockSize"):
        setting.blockSize = 2
    check(*moved(name, source, target, constants, setting))


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_concatenation_and_what_reads_it(axis):
    """A pool needs it in one piece; a convolution reads its parts."""
    file = File()
    shapes = [[1, 4, 5, 3], [1, 4, 5, 3]]
    shapes[1][axis] += 2
    sources = [file.tensor(shape) for shape in shapes]
    whole = [*shapes[0]]
    whole[axis] += shapes[1][axis]
    joined = file.tensor(whole)
    file.operator("CONCATENATION", sources, joined, options("Concatenation", axis=axis))
    random = np.random.default_rng(0)
    weights = file.constant(random.integers(-99, 99, (4, 3, 3, whole[3])), scale=[0.01] * 4)
    bias = file.constant([1, 2, 3, 4], "int32")
    convolved = file.tensor((*whole[:3], 4), scale=0.3)
    file.operator("CONV_2D", [joined, weights, bias], convolved, options("Conv2D"))
    pooled = file.tensor((1, whole[1] // 2, whole[2] // 2, whole[3]))
    setting = options("Pool2D", padding=VALID, strideH=2, strideW=2)
    setting.filterHeight = setting.filterWidth = 2
    file.operator("MAX_POOL_2D", [joined], pooled, setting)
    check(file, sources, [convolved, pooled])


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(2, 33), st.floats(0.01, 0.4), st.sampled_from([1.0, 0.5]))
def test_softmax(width, classes, scale, beta):
    file = File()
    source = file.tensor((1, 1, width, classes), scale=float(np.float32(scale)), zero_point=4)
    target = file.tensor((1, 1, width, classes), scale=1 / 256, zero_point=-128)
    file.operator("SOFTMAX", [source], target, options("Softmax", beta=beta))
    check(file, [source], [target])


@pytest.mark.parametrize("classes", [511, 512, 1024, 2000])
def test_softmax_of_many_equal_values(classes):
    """A share below half of the output's scale; the reference kernel ends the program there."""
    file = File()
    source = file.tensor((1, 1, 1, classes), scale=0.1)
    target = file.tensor((1, 1, 1, classes), scale=1 / 256, zero_point=-128)
    file.operator("SOFTMAX", [source], target, options("Softmax", beta=1.0))
    content = file.content([source], [target])
    runner = HostProgram(compiled(TfliteModel.parse(content)))
    (made,) = runner.run([np.full((1, 1, 1, classes), 5, np.int8)])
    assert set(made.ravel()) == ({-127} if classes < 512 else {-128})


@pytest.mark.parametrize("transposed", [False, True])
def test_products_of_matrices(transposed):
    file = File()
    first = file.tensor((1, 2, 5, 8), scale=0.05, zero_point=3)
    second = file.tensor((1, 2, 6, 8) if transposed else (1, 2, 8, 6), scale=0.03, zero_point=-7)
    target = file.tensor((1, 2, 5, 6), scale=0.1, zero_point=2)
    file.operator("BATCH_MATMUL", [first, second], target, options("BatchMatMul", adjY=transposed))
    check(file, [first, second], [target])


@settings(max_examples=20)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 12), ZERO_POINTS, ACTIVATIONS, SEEDS)
def test_fully_connected(batch, depth, features, zero, activation, seed):
    random = np.random.default_rng(seed)
    file = File()
    source = file.tensor((batch, depth), scale=0.1, zero_point=zero)
    weights = file.constant(random.integers(-127, 128, (features, depth)), scale=0.01)
    bias = file.constant(random.integers(-999, 999, features), "int32")
    target = file.tensor((batch, features), scale=0.2, zero_point=-5)
    setting = options("FullyConnected", fusedActivationFunction=activation)
    file.operator("FULLY_CONNECTED", [source, weights, bias], target, setting)
    check(file, [source], [target])


def test_what_the_engine_lacks_names_operator_layer_and_cure():
    file = File()
    source, target = file.tensor((1, 4, 4, 3)), file.tensor((1, 4, 4, 3), name="net/block/Abs")
    file.operator("ABS", [source], target)
    model = TfliteModel.parse(file.content([source], [target]), "abs.tflite")
    message = (
        r"abs.tflite: operator 0 ABS \(layer 'block'\): the engine has no such operator; "
        r"take --engine tflm"
    )
    with pytest.raises(InputError, match=message):
        compiled(model)
