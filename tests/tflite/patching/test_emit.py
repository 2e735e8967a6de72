"""Schedules as files: operators, options and names, and the same bytes."""

import numpy as np
import pytest

from tests.tflite.drafts import SAME, VALID, File, conv, options
from tests.tflite.patching.networks import unet
from tests.tflite.patching.schedules import NETWORKS, assert_as_said, random_regions, whole
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.patching.emit import emit
from tinyseg.tflite.patching.schedule import Assessor
from tinyseg.tflite.patching.unroll import StripNetwork, StripRegion


def written(model, *regions):
    return TfliteModel.parse(emit(model, Assessor(StripNetwork(model)).assess(regions)))


def constants(operator):
    return [t.array().tolist() for t in operator.inputs if t is not None and t.constant]


def shapes(model):
    return [(op.opcode, op.outputs[0].shape) for op in model.operators]


def padded_network():
    """PAD of three rows above and one below, two columns left and none right; then a window."""
    file = File()
    source = file.tensor((1, 9, 5, 2), zero_point=5, name="image")
    padded = file.tensor((1, 13, 7, 2), zero_point=5, name="padded")
    margins = file.constant([[0, 0], [3, 1], [2, 0], [0, 0]], "int32")
    file.operator("PAD", [source, margins], padded, options("Pad"))
    last = file.tensor((1, 13, 7, 3), scale=0.1, name="last")
    conv(file, padded, 3, (3, 3), target=last)
    file.graph.operators[-1].builtinOptions.fusedActivationFunction = 1
    return TfliteModel.parse(file.content([source], [last]))


def test_operators_and_their_constants():
    """Two strips of 6 and 7 rows, counted by hand."""
    model = padded_network()
    made = written(model, whole(model, 2))
    assert shapes(made) == [
        # Rows 0 to 7 of the padded image, of which 0 to 4 are the image's.
        ("SLICE", (1, 4, 5, 2)),
        ("PAD", (1, 7, 7, 2)),
        ("PAD", (1, 8, 9, 2)),
        ("CONV_2D", (1, 6, 7, 3)),
        # Rows 5 to 13 of the padded image, of which 5 to 12 are rows 2 to 9 of the image.
        ("SLICE", (1, 7, 5, 2)),
        ("PAD", (1, 8, 7, 2)),
        ("PAD", (1, 9, 9, 2)),
        ("CONV_2D", (1, 7, 7, 3)),
        ("CONCATENATION", (1, 13, 7, 3)),
    ]
    cut, pad, around, first, cut_below, pad_below, around_below, second, join = made.operators
    assert constants(cut) == [[0, 0, 0, 0], [1, 4, 5, 2]]
    assert constants(pad) == [[[0, 0], [3, 0], [2, 0], [0, 0]]]
    assert constants(around) == [[[0, 0], [1, 0], [1, 1], [0, 0]]]
    assert constants(cut_below) == [[0, 2, 0, 0], [1, 7, 5, 2]]
    assert constants(pad_below) == [[[0, 0], [0, 1], [2, 0], [0, 0]]]
    assert constants(around_below) == [[[0, 0], [0, 1], [1, 1], [0, 0]]]
    for operator in (first, second):
        assert operator.options.padding == VALID
        assert operator.options.fusedActivationFunction == 1
    assert join.options.axis == 1
    assert list(join.inputs) == [first.outputs[0], second.outputs[0]]
    assert made.outputs[0].name == "last"
    assert {tensor.index for tensor in made.inputs} == {cut.inputs[0].index}
    assert [tensor.name for tensor in made.inputs] == ["image"]
    assert_as_said(model, [whole(model, 2)])


def test_names_tell_the_rows():
    model = padded_network()
    names = [op.outputs[0].name for op in written(model, whole(model, 2)).operators]
    assert names == [
        "image/rows_0_4",
        "padded/rows_0_7",
        "padded/rows_0_7/padded",
        "last/rows_0_6",
        "image/rows_2_9",
        "padded/rows_5_13",
        "padded/rows_5_13/padded",
        "last/rows_6_13",
        "last",
    ]


def test_what_is_not_cut_keeps_its_options():
    """The file itself, in regions of one strip each."""
    model = padded_network()
    source, padded, last = model.inputs[0].index, 1, model.outputs[0].index
    assert model.tensors[padded].name == "padded"
    head = StripRegion((padded,), frozenset({source}))
    made = written(model, head, StripRegion((last,), frozenset({padded})))
    assert shapes(made) == shapes(model)
    assert made.checksum() == model.checksum()
    assert made.operators[1].options.padding == SAME


def test_equal_constants_are_stored_once():
    model = padded_network()
    made = written(model, whole(model, 4))
    held = [t for t in made.tensors if t.constant]
    # By name, for PAD and SLICE hold equal numbers for other ends.
    assert len({tensor.name for tensor in held}) == len(held)
    kernels = {op.inputs[1].index for op in made.operators if op.opcode == "CONV_2D"}
    assert len(kernels) == 1
    margins = [op.inputs[1] for op in made.operators if op.opcode == "PAD"]
    different = {str(tensor.array().tolist()) for tensor in margins}
    assert len({tensor.index for tensor in margins}) == len(different) < len(margins)


@pytest.mark.parametrize("strips", [3, 13])
def test_strips_in_the_margin(strips):
    model = padded_network()
    assert_as_said(model, [whole(model, strips)])


@pytest.mark.parametrize("strips", [1, 2])
def test_what_is_computed_twice_is_two_tensors(strips):
    """A skip that is not kept for the tail is computed again, as a whole.

    As one it would be alive in between, and with it the arena larger than was said.
    """
    model = unet(16, 16, depth=1)
    image, output = model.inputs[0].index, model.outputs[0].index
    skip, pooled = (model.operators[number].outputs[0].index for number in (0, 1))
    head = StripRegion((pooled,), frozenset({image}), strips)
    made = assert_as_said(model, [head, StripRegion((output,), frozenset({image, pooled}))])
    windows = [
        op for op in made.operators if op.opcode == "CONV_2D" and op.inputs[0].index == image
    ]
    assert len({op.outputs[0].index for op in windows}) == len(windows) == 3 - strips
    both = StripRegion((skip, pooled), frozenset({image}), strips)
    assert_as_said(model, [both, StripRegion((output,), frozenset({skip, pooled}))])


def test_enlarged_rows_have_the_size_of_the_strip():
    file = File()
    source = file.tensor((1, 4, 3, 2), name="image")
    last = file.tensor((1, 12, 6, 2), name="last")
    size = file.constant([12, 6], "int32")
    how = options("ResizeNearestNeighbor", halfPixelCenters=True)
    file.operator("RESIZE_NEAREST_NEIGHBOR", [source, size], last, how)
    model = TfliteModel.parse(file.content([source], [last]))
    made = written(model, whole(model, 5))
    # Rows 0 to 2, 2 to 4, 4 to 7, 7 to 9 and 9 to 12: computed in threes, then cut.
    assert [op.inputs[1].array().tolist() for op in made.operators if op.opcode[0] == "R"] == [
        *([3, 6], [6, 6], [6, 6], [3, 6], [3, 6])
    ]
    assert_as_said(model, [whole(model, 5)])


@pytest.mark.parametrize("name", ["both", "odd below", "chain", "lopsided"])
@pytest.mark.parametrize("seed", range(200, 204))
def test_random_regions_keep_the_bytes(name, seed):
    model = NETWORKS[name]()
    assert_as_said(model, random_regions(model, np.random.default_rng(seed)))
