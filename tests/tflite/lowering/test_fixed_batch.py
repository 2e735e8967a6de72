"""Shapes as constants: TensorFlow Lite's own evaluation of SHAPE, STRIDED_SLICE and PACK."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import fixtures
from tests.tflite.drafts import File, assert_same, conv, on_reference, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph, is_constant
from tinyseg.tflite.lowering.fixed_batch import fix_batch

SHAPE = (1, 7, 5, 3)
INT32 = fixtures.schema.TensorType.INT32


def folded(content):
    """The constant that a file's only output becomes, and TensorFlow Lite's result of it."""
    inputs = [np.zeros(SHAPE, np.int8)]
    (expected,) = on_reference(content, inputs)
    graph = Graph(content)
    fix_batch(graph)
    (output,) = graph.outputs
    assert is_constant(output)
    assert not graph.operators
    return np.frombuffer(output.buffer.data, np.int32), expected


def shape_of(file):
    source, shape = file.tensor(SHAPE), file.tensor((4,), "int32")
    return source, file.operator("SHAPE", [source], shape, options("Shape", outType=INT32))


def test_shape():
    file = File()
    source, shape = shape_of(file)
    made, expected = folded(file.content([source], [shape]))
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(made, SHAPE)


LIMITS = st.integers(-6, 6)


@settings(max_examples=60)
@given(LIMITS, LIMITS, st.sampled_from([1, 2, 3, -1, -2]), st.integers(0, 1), st.integers(0, 1))
def test_strided_slices(begin, end, stride, begin_mask, end_mask):
    limits = [begin, end, stride]
    chosen = slice(None if begin_mask else begin, None if end_mask else end, stride)
    assume(SHAPE[chosen])  # Interpreters do not return empty tensors.
    file = File()
    source, shape = shape_of(file)
    starts, stops, steps = (file.constant([value], "int32") for value in limits)
    masks = options("StridedSlice", beginMask=begin_mask, endMask=end_mask)
    target = file.tensor((1,), "int32")
    file.operator("STRIDED_SLICE", [shape, starts, stops, steps], target, masks)
    made, expected = folded(file.content([source], [target]))
    np.testing.assert_array_equal(made, expected)
    assert tuple(made) == SHAPE[chosen]


@pytest.mark.parametrize("index", [0, 1, 3, -1, -4])
def test_single_elements(index):
    file = File()
    source, shape = shape_of(file)
    starts, stops, steps = (file.constant([v], "int32") for v in (index, index + 1, 1))
    masks = options("StridedSlice", shrinkAxisMask=1)
    target = file.tensor((), "int32")
    file.operator("STRIDED_SLICE", [shape, starts, stops, steps], target, masks)
    made, expected = folded(file.content([source], [target]))
    np.testing.assert_array_equal(made, expected.reshape(-1))
    assert made == SHAPE[index]


TABLE = np.arange(2 * 3 * 5, dtype=np.int32).reshape(2, 3, 5) ** 2


@pytest.mark.parametrize("shrink", range(8))
@pytest.mark.parametrize("masks", [(0, 0), (1, 2), (2, 4), (4, 1), (6, 5)], ids=str)
def test_slices_of_several_axes(shrink, masks):
    """Bits of the masks stand for axes of their own."""
    file = File()
    source = file.tensor(SHAPE)
    begin, end, strides = [1, -2, 3], [2, 3, 5], [1, 1, 1] if shrink else [1, 1, 2]
    chosen = tuple(
        (0 if masks[0] >> axis & 1 else first)
        if shrink >> axis & 1
        else slice(
            None if masks[0] >> axis & 1 else first, None if masks[1] >> axis & 1 else last, step
        )
        for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True))
    )
    inputs = [file.constant(values, "int32") for values in (TABLE, begin, end, strides)]
    target = file.tensor(TABLE[chosen].shape, "int32")
    how = options("StridedSlice", beginMask=masks[0], endMask=masks[1], shrinkAxisMask=shrink)
    file.operator("STRIDED_SLICE", inputs, target, how)
    made, expected = folded(file.content([source], [target]))
    np.testing.assert_array_equal(made, expected.reshape(-1))
    np.testing.assert_array_equal(made, TABLE[chosen].reshape(-1))


@pytest.mark.parametrize("mask", ["ellipsisMask", "newAxisMask", "offset"])
def test_slices_of_other_kinds_stay(mask):
    """No interpreter here runs all of these on a vector; only that nothing is done matters."""
    file = File()
    source = file.tensor(SHAPE)
    inputs = [file.constant(values, "int32") for values in ([7, 8, 9], [1], [3], [1])]
    target = file.tensor((2,), "int32")
    for masks in ({}, {mask: 1}):
        file.graph.operators.clear()
        file.operator("STRIDED_SLICE", inputs, target, options("StridedSlice", **masks))
        graph = Graph(file.content([source], [target]))
        assert len(fix_batch(graph)) == (not masks)


@pytest.mark.parametrize("other", range(4))
def test_what_is_not_int32_stays(other):
    """One input of another type is enough."""
    file = File()
    source = file.tensor(SHAPE)
    inputs = [
        file.constant(values, "int64" if position == other else "int32")
        for position, values in enumerate(([7, 8, 9], [1], [3], [1]))
    ]
    target = file.tensor((2,), "int32")
    file.operator("STRIDED_SLICE", inputs, target, options("StridedSlice"))
    graph = Graph(file.content([source], [target]))
    assert not fix_batch(graph)
    assert [operator.opcode for operator in graph.operators] == ["STRIDED_SLICE"]


@pytest.mark.parametrize("computed", [0, 1])
def test_packs_of_what_is_computed_stay(computed):
    file = File()
    sources = [file.tensor((4,), "int32"), file.constant([9, 8, 7, 6], "int32")]
    target = file.tensor((2, 4), "int32")
    inputs = sources if computed == 0 else sources[::-1]
    file.operator("PACK", inputs, target, options("Pack", axis=0, valuesCount=2))
    graph = Graph(file.content(sources[:1], [target]))
    assert not fix_batch(graph)
    assert not is_constant(graph.outputs[0])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_packs(axis):
    file = File()
    source, shape = shape_of(file)
    other = file.constant([9, 8, 7, 6], "int32")
    target = file.tensor((2, 4) if axis == 0 else (4, 2), "int32")
    packed = options("Pack", axis=axis, valuesCount=2)
    file.operator("PACK", [shape, other], target, packed)
    made, expected = folded(file.content([source], [target]))
    np.testing.assert_array_equal(made, expected.reshape(-1))


def resized(dtype="int32"):
    """A network that asks for its own size, twice as much of it, to enlarge a picture."""
    file = File()
    source = file.tensor(SHAPE, scale=0.1, zero_point=-3)
    image = conv(file, source, 3)
    shape = file.tensor((4,), dtype)
    kind = getattr(fixtures.schema.TensorType, dtype.upper())
    file.operator("SHAPE", [image], shape, options("Shape", outType=kind))
    size = file.tensor((2,), dtype)
    limits = [file.constant([value], "int32") for value in (1, 3, 1)]
    file.operator("STRIDED_SLICE", [shape, *limits], size, options("StridedSlice"))
    target = file.tensor(SHAPE, scale=0.1, zero_point=-3)
    resize = options("ResizeNearestNeighbor", halfPixelCenters=True)
    file.operator("RESIZE_NEAREST_NEIGHBOR", [image, size], target, resize)
    return file.content([source], [target])


def test_network_needs_no_shapes_any_more():
    content = resized()
    graph = Graph(content)
    names = [operator.outputs[0].name for operator in TfliteModel.parse(content).operators]
    assert fix_batch(graph) == names[1:3]
    made = graph.to_bytes()
    assert TfliteModel.parse(made).opcodes == ["CONV_2D", "RESIZE_NEAREST_NEIGHBOR"]
    inputs = [np.random.default_rng(0).integers(-128, 128, SHAPE, np.int8)]
    # TFLM refuses sizes that are not constant: the original only runs on TensorFlow Lite.
    np.testing.assert_array_equal(on_reference(made, inputs), on_reference(content, inputs))
    assert_same(made, made)


def test_shapes_of_int64_stay():
    graph = Graph(resized("int64"))
    assert not fix_batch(graph)
    assert [operator.opcode for operator in graph.operators][1] == "SHAPE"


def test_slices_of_values_stay():
    file = File()
    source, target = file.tensor(SHAPE), file.tensor((1, 2, 5, 3))
    limits = [file.constant(v, "int32") for v in ([0] * 4, [1, 2, 5, 3], [1] * 4)]
    file.operator("STRIDED_SLICE", [source, *limits], target, options("StridedSlice"))
    content = file.content([source], [target])
    graph = Graph(content)
    assert not fix_batch(graph)
    assert_same(content, graph.to_bytes())


def test_slice_that_adds_an_axis_stays():
    file = File()
    source, shape = shape_of(file)
    limits = [file.constant([value], "int32") for value in (0, 1, 1)]
    target = file.tensor((1, 4), "int32")
    masks = options("StridedSlice", newAxisMask=1)
    file.operator("STRIDED_SLICE", [shape, *limits], target, masks)
    graph = Graph(file.content([source], [target]))
    assert len(fix_batch(graph)) == 1
    assert [operator.opcode for operator in graph.operators] == ["STRIDED_SLICE"]
