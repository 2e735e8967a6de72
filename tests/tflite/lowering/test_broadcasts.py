"""Operands of equal shapes: nothing is broadcast any more, and no byte changes."""

import numpy as np
import pytest

from tests.tflite.drafts import File, assert_same, conv, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering.broadcasts import match_shapes

NAMES = ["MUL", "ADD"]


def lowered(content):
    graph = Graph(content)
    changed = match_shapes(graph)
    return graph.to_bytes(), changed


def assert_no_broadcast(content, names=NAMES):
    for operator in TfliteModel.parse(content).operators:
        if operator.opcode in names:
            assert {t.shape for t in operator.inputs} == {operator.outputs[0].shape}


def gated(name="MUL", swapped=False, upsample=0, half_pixels=True, readers=1, shared=False):
    """An image of three channels and a gate of one, of the input's size or made larger.

    Args:
        name: operator.
        swapped: whether the gate comes first.
        upsample: factor by which the gate is enlarged; 0 for none.
        half_pixels: how.
        readers: images that the gate meets.
        shared: whether the gate itself is returned too.
    """
    file = File()
    source = file.tensor((1, 6, 9, 3), scale=0.05, zero_point=9)
    scheme = {"scale": 1 / 256, "zero_point": -128}
    if upsample:
        small = file.tensor((1, 6 // upsample, 9 // upsample, 1), **scheme)
        gate = file.tensor((1, 6, 9, 1), **scheme)
        size = file.constant([6, 9], "int32")
        settings = options("ResizeNearestNeighbor", halfPixelCenters=half_pixels)
        file.operator("RESIZE_NEAREST_NEIGHBOR", [small, size], gate, settings)
    else:
        small = gate = file.tensor((1, 6, 9, 1), **scheme)
    targets = []
    for number in range(readers):
        image = conv(file, source, 5, seed=number)
        target = file.tensor((1, 6, 9, 5), scale=0.08, zero_point=-20)
        inputs = [gate, image] if swapped else [image, gate]
        file.operator(name, inputs, target, options(name.capitalize()))
        targets.append(target)
    return file.content([source, small], [*targets, *[gate] * shared])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("swapped", [False, True], ids=["second", "first"])
def test_gates(name, swapped):
    content = gated(name, swapped)
    made, changed = lowered(content)
    assert len(changed) == 1
    assert_no_broadcast(made)
    assert_same(content, made)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("half_pixels", [True, False], ids=["half_pixels", "corners"])
@pytest.mark.parametrize("readers", [1, 2])
def test_enlarged_gates_are_repeated_before(name, half_pixels, readers):
    content = gated(name, upsample=3, half_pixels=half_pixels, readers=readers)
    made, changed = lowered(content)
    assert len(changed) == readers
    assert_no_broadcast(made)
    assert_same(content, made)
    model = TfliteModel.parse(made)
    enlarged = [o for o in model.operators if o.opcode == "RESIZE_NEAREST_NEIGHBOR"]
    assert [o.inputs[0].shape for o in enlarged] == [(1, 2, 3, 5)] * readers


def test_enlarged_gate_that_is_returned_stays():
    content = gated(upsample=3, shared=True)
    made, _ = lowered(content)
    assert_no_broadcast(made)
    assert_same(content, made)


def with_constant(name, values, batch=1, dtype="int8"):
    file = File()
    zero = 9 if dtype == "int8" else 0
    source = file.tensor((batch, 5, 4, 3), dtype, scale=0.05, zero_point=zero)
    target = file.tensor((batch, 5, 4, 3), dtype, scale=0.08, zero_point=-zero)
    other = file.constant(values, dtype, scale=0.02, zero_point=zero)
    file.operator(name, [source, other], target, options(name.capitalize()))
    return file.content([source], [target])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3,), (1, 1, 1, 3)], ids=str)
def test_constants_of_channels(name, shape):
    content = with_constant(name, np.reshape([100, -60, 3], shape))
    made, changed = lowered(content)
    assert len(changed) == 1
    assert_no_broadcast(made)
    assert_same(content, made)


def test_both_operands():
    """A gate, and a constant of its channel, in one graph."""
    file = File()
    image, gate = file.tensor((1, 4, 4, 3)), file.tensor((1, 4, 4, 1), scale=0.004)
    scaled, target = (file.tensor((1, 4, 4, 3), scale=0.1) for _ in range(2))
    file.operator("MUL", [image, file.constant([4, 90, -3])], scaled, options("Mul"))
    file.operator("MUL", [gate, scaled], target, options("Mul"))
    content = file.content([image, gate], [target])
    made, changed = lowered(content)
    assert len(changed) == 2
    assert_no_broadcast(made)
    assert_same(content, made)


@pytest.mark.parametrize(
    "content",
    [
        with_constant("MUL", np.array([7])),
        with_constant("MUL", np.ones((5, 1, 1))),
        with_constant("ADD", np.ones((1, 5, 4, 1))),
        with_constant("MUL", np.array([1, 2, 3]), dtype="int16"),
        with_constant("MUL", np.array([1, 2, 3]), batch=2),
        with_constant("ADD", np.ones((1, 5, 4, 3))),
    ],
    ids=["one_value", "rows", "pixels", "int16", "batch", "equal"],
)
def test_others_keep_their_results(content):
    made, _ = lowered(content)
    assert_same(content, made)
