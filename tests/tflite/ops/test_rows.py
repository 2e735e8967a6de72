"""Rows that operators need: a strip with its margins gives exactly the rows of the whole."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.tflite.drafts import SAME, VALID, File, on_reference, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import rule
from tinyseg.tflite.ops.rows import Margin, Rows

ZERO, WIDTH, CHANNELS = 9, 7, 4
SETTINGS = settings(max_examples=40)


def run(name, inputs, output, constants=(), settings=None, scale=0.05):
    """Run one operator on activations, and return its model and its result.

    Args:
        name: of the operator.
        inputs: values of the activations, which come first.
        output: shape.
        constants: values and settings of the others.
        settings: options.
        scale: of the result.
    """
    file = File()
    made = [file.tensor(values.shape, scale=0.05, zero_point=ZERO) for values in inputs]
    others = [file.constant(values, **kind) for values, kind in constants]
    target = file.tensor(output, scale=scale, zero_point=ZERO)
    file.operator(name, [*made, *others], target, settings)
    content = file.content(made, [target])
    return TfliteModel.parse(content).operators[0], on_reference(content, inputs)[0]


def picture(height, seed=0, channels=CHANNELS, width=WIDTH):
    random = np.random.default_rng(seed)
    return random.integers(-128, 128, (1, height, width, channels), np.int8)


def strip(values, rows, margin):
    """Rows of a picture between zeros."""
    cut = values[:, rows.first : rows.last]
    around = ((0, 0), margin[:2], margin[2:], (0, 0))
    return np.pad(cut, around, constant_values=ZERO)


def chosen(data, height, step=1):
    """Some rows, at multiples of a step."""
    first = data.draw(st.integers(0, height // step - 1))
    last = data.draw(st.integers(first + 1, height // step))
    return Rows(first * step, last * step)


def sides(size, kernel, stride, padding, dilation=1):
    extent = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else (size - extent) // stride + 1


@SETTINGS
@given(
    st.data(),
    st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D"]),
    st.integers(3, 20),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from([SAME, VALID]),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_convolutions(data, name, height, kernel, stride, padding, dilation):
    # TensorFlow has no dilated convolution with strides.
    assume(dilation == (1, 1) or stride == (1, 1))
    image = picture(height)
    inner = zip((height, WIDTH), kernel, stride, (padding,) * 2, dilation, strict=True)
    shape = (1, *(sides(*values) for values in inner), CHANNELS)
    assume(min(shape) > 0)
    random = np.random.default_rng(1)
    depthwise = name == "DEPTHWISE_CONV_2D"
    form = (1, *kernel, CHANNELS) if depthwise else (CHANNELS, *kernel, CHANNELS)
    scales = random.uniform(0.003, 0.01, CHANNELS)
    weights = random.integers(-127, 128, form), {"scale": scales, "axis": 3 * depthwise}
    bias = random.integers(-500, 500, CHANNELS), {"dtype": "int32"}

    def convolve(values, output, padding):
        kind = "DepthwiseConv2D" if depthwise else "Conv2D"
        how = options(
            kind,
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
            dilationHFactor=dilation[0],
            dilationWFactor=dilation[1],
        )
        return run(name, [values], output, [weights, bias], how, scale=0.1)

    operator, whole = convolve(image, shape, padding)
    rows = chosen(data, shape[1])
    needed, margin = rule(operator).needs(rows, height)
    part = strip(image, needed, margin)
    _, made = convolve(part, (1, rows.height, *shape[2:]), VALID)
    np.testing.assert_array_equal(made, whole[:, rows.first : rows.last])


@SETTINGS
@given(
    st.data(),
    st.sampled_from(["MAX_POOL_2D", "AVERAGE_POOL_2D"]),
    st.integers(4, 20),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from([SAME, VALID]),
)
def test_pools(data, name, height, window, stride, padding):
    image = picture(height)
    inner = zip((height, WIDTH), window, stride, (padding,) * 2, strict=True)
    shape = (1, *(sides(*values) for values in inner), CHANNELS)

    def pool(values, output, padding):
        how = options(
            "Pool2D",
            padding=padding,
            filterHeight=window[0],
            filterWidth=window[1],
            strideH=stride[0],
            strideW=stride[1],
        )
        return run(name, [values], output, settings=how)

    operator, whole = pool(image, shape, padding)
    how = rule(operator)
    if how is None:
        # Windows that reach beyond the image: zeros there would count.
        reach = [(n - 1) * s + w for n, s, w in zip(shape[1:3], stride, window, strict=True)]
        assert padding == SAME
        assert reach[0] > height or reach[1] > WIDTH
        return
    rows = chosen(data, shape[1])
    needed, margin = how.needs(rows, height)
    assert margin == Margin()
    _, made = pool(strip(image, needed, margin), (1, rows.height, *shape[2:]), VALID)
    np.testing.assert_array_equal(made, whole[:, rows.first : rows.last])


@SETTINGS
@given(
    st.data(), st.integers(1, 12), st.tuples(*[st.tuples(st.integers(0, 4), st.integers(0, 4))] * 2)
)
def test_padding(data, height, paddings):
    image = picture(height)
    shape = (1, height + sum(paddings[0]), WIDTH + sum(paddings[1]), CHANNELS)
    constants = [(np.array([(0, 0), *paddings, (0, 0)]), {"dtype": "int32"})]
    operator, whole = run("PAD", [image], shape, constants, options("Pad"))
    how, rows = rule(operator), chosen(data, shape[1])
    wide = how.reaching(rows, height)
    needed, margin = how.needs(wide, height)
    made = strip(image, needed, margin)
    np.testing.assert_array_equal(made, whole[:, wide.first : wide.last])
    # No more than what PAD cannot do without: one row that is not padding.
    assert wide.first <= rows.first < rows.last <= wide.last
    top = paddings[0][0]
    if rows.first < top + height and rows.last > top:
        assert wide == rows
    else:
        assert needed.height == 1


@pytest.mark.parametrize(
    ("rows", "wide", "needed", "margin"),
    [
        (Rows(0, 2), Rows(0, 4), Rows(0, 1), Margin(3, 0, 1, 4)),
        (Rows(1, 4), Rows(1, 4), Rows(0, 1), Margin(2, 0, 1, 4)),
        (Rows(2, 6), Rows(2, 6), Rows(0, 3), Margin(1, 0, 1, 4)),
        (Rows(7, 10), Rows(7, 10), Rows(4, 5), Margin(0, 2, 1, 4)),
        (Rows(8, 10), Rows(7, 10), Rows(4, 5), Margin(0, 2, 1, 4)),
        (Rows(9, 10), Rows(7, 10), Rows(4, 5), Margin(0, 2, 1, 4)),
    ],
    ids=str,
)
def test_strips_in_the_margin(rows, wide, needed, margin):
    """Five rows below three of padding and above two, which PAD does not give alone."""
    paddings = [[0, 0], [3, 2], [1, 4], [0, 0]]
    how = rule_of("PAD", [(1, 5, 4, 2)], (1, 10, 9, 2), [(paddings, INT32)], options("Pad"))
    assert how.reaching(rows, 5) == wide
    assert how.needs(wide, 5) == (needed, margin)


@SETTINGS
@given(st.data(), st.integers(1, 8), st.integers(2, 4), st.booleans())
def test_nearest_neighbours(data, height, scale, half_pixels):
    image = picture(height)

    def resize(values, output):
        size = np.array(output[1:3]), {"dtype": "int32"}
        how = options("ResizeNearestNeighbor", halfPixelCenters=half_pixels)
        return run("RESIZE_NEAREST_NEIGHBOR", [values], output, [size], how)

    shape = (1, height * scale, WIDTH * 2, CHANNELS)
    operator, whole = resize(image, shape)
    rows = chosen(data, shape[1], scale)
    needed, margin = rule(operator).needs(rows, height)
    assert margin == Margin()
    _, made = resize(strip(image, needed, margin), (1, rows.height, *shape[2:]))
    np.testing.assert_array_equal(made, whole[:, rows.first : rows.last])


@SETTINGS
@given(st.data(), st.integers(1, 8), st.integers(2, 3))
def test_depth_to_space_and_back(data, height, block):
    image = picture(height, channels=block**2 * 2)
    shape = (1, height * block, WIDTH * block, 2)

    def deep(values, output):
        return run(
            "DEPTH_TO_SPACE", [values], output, settings=options("DepthToSpace", blockSize=block)
        )

    def flat(values, output):
        return run(
            "SPACE_TO_DEPTH", [values], output, settings=options("SpaceToDepth", blockSize=block)
        )

    operator, whole = deep(image, shape)
    rows = chosen(data, shape[1], block)
    needed, margin = rule(operator).needs(rows, height)
    _, made = deep(strip(image, needed, margin), (1, rows.height, *shape[2:]))
    np.testing.assert_array_equal(made, whole[:, rows.first : rows.last])

    operator, back = flat(whole, image.shape)
    rows = chosen(data, height)
    needed, margin = rule(operator).needs(rows, shape[1])
    _, made = flat(strip(whole, needed, margin), (1, rows.height, *image.shape[2:]))
    np.testing.assert_array_equal(made, back[:, rows.first : rows.last])


POINTWISE = {
    "ADD": options("Add"),
    "MUL": options("Mul"),
    "SUB": options("Sub"),
    "MAXIMUM": options("MaximumMinimum"),
    "CONCATENATION": options("Concatenation", axis=3),
}


@pytest.mark.parametrize("name", POINTWISE)
@settings(max_examples=8)
@given(st.data(), st.integers(1, 9))
def test_two_pictures(name, data, height):
    images = [picture(height, seed) for seed in (0, 1)]
    channels = CHANNELS * (2 if name == "CONCATENATION" else 1)

    def apply(values):
        shape = (*values[0].shape[:3], channels)
        return run(name, values, shape, settings=POINTWISE[name])

    operator, whole = apply(images)
    rows = chosen(data, height)
    needed, margin = rule(operator).needs(rows, height)
    _, made = apply([strip(image, needed, margin) for image in images])
    np.testing.assert_array_equal(made, whole[:, rows.first : rows.last])


def rule_of(name, inputs, output, constants=(), settings=None):
    """The rule of an operator that need not run."""
    file = File()
    made = [file.tensor(shape) for shape in inputs]
    others = [file.constant(values, **kind) for values, kind in constants]
    target = file.tensor(output)
    file.operator(name, [*made, *others], target, settings)
    return rule(TfliteModel.parse(file.content(made, [target])).operators[0])


FOUR = (1, 4, 4, 2)
INT32 = {"dtype": "int32"}


@pytest.mark.parametrize(
    "case",
    [
        ("FULLY_CONNECTED", [(1, 32)], (1, 8), [(np.ones((8, 32)), {})]),
        ("MEAN", [FOUR], (1, 2), [([1, 2], INT32)]),
        ("SOFTMAX", [FOUR], FOUR),
        ("TRANSPOSE", [FOUR], FOUR, [([0, 2, 1, 3], INT32)]),
        ("RESIZE_BILINEAR", [FOUR], (1, 8, 8, 2), [([8, 8], INT32)]),
        ("RESHAPE", [FOUR], (1, 32), [([1, 32], INT32)]),
        ("ADD", [(2, 4, 4, 2)] * 2, (2, 4, 4, 2), [], options("Add")),
        ("ADD", [(1, 4)] * 2, (1, 4), [], options("Add")),
        ("ADD", [FOUR, (1, 1, 4, 2)], FOUR, [], options("Add")),
        ("MUL", [FOUR], FOUR, [(np.ones((1, 4, 1, 2)), {})], options("Mul")),
        ("CONCATENATION", [FOUR] * 2, (1, 8, 4, 2), [], options("Concatenation", axis=1)),
        ("CONCATENATION", [FOUR] * 2, (1, 8, 4, 2), [], options("Concatenation", axis=-3)),
        ("PAD", [FOUR], (1, 4, 4, 4), [([[0, 0], [0, 0], [0, 0], [1, 1]], INT32)]),
        ("CONV_2D", [FOUR, (2, 3, 3, 2)], FOUR, [], options("Conv2D")),
        (
            "RESIZE_NEAREST_NEIGHBOR",
            [FOUR],
            (1, 6, 8, 2),
            [([6, 8], INT32)],
            options("ResizeNearestNeighbor"),
        ),
        (
            "RESIZE_NEAREST_NEIGHBOR",
            [FOUR],
            (1, 8, 8, 2),
            [([8, 8], INT32)],
            options("ResizeNearestNeighbor", alignCorners=True),
        ),
    ],
    ids=lambda case: f"{case[0]}-{case[2]}",
)
def test_what_cannot_be_cut(case):
    assert rule_of(*case) is None


def test_constants_that_are_the_same_in_every_row():
    for values in (np.ones(2), np.ones((1, 1, 2)), np.ones((1, 1, 4, 2))):
        how = rule_of("MUL", [FOUR], FOUR, [(values, {})], options("Mul"))
        assert how.needs(Rows(1, 3), 4) == (Rows(1, 3), Margin())


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 5))
def test_aligned_rows(first, count, step):
    height = 64 // step * step
    rows = Rows(first, first + count)
    made = rows.aligned(step, height)
    assert made.first % step == 0
    assert made.last % step == 0
    assert made.first <= rows.first < made.first + step
    assert made.last - step < rows.last <= made.last
    assert rows.hull(made) == made
    assert rows.hull(None) == rows
    assert made.height == made.last - made.first


def test_custom_operators_cannot_be_cut():
    file = File()
    source, target = file.tensor(FOUR), file.tensor(FOUR)
    file.operator("CUSTOM", [source], target)
    file.model.operatorCodes[0].customCode = "LOGISTIC"
    (operator,) = TfliteModel.parse(file.content([source], [target])).operators
    assert operator.opcode == "LOGISTIC"
    assert rule(operator) is None
    assert rule_of("LOGISTIC", [FOUR], FOUR).needs(Rows(2, 4), 4)[0] == Rows(2, 4)
