"""Strips, step by step: counted by hand, and written as files that give the same bytes."""

import itertools

import numpy as np
import pytest

from tests.tflite.drafts import SAME, File, conv, options
from tests.tflite.patching.networks import unet
from tests.tflite.patching.schedules import (
    NETWORKS,
    assert_as_said,
    cuttable,
    random_regions,
    whole,
)
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.rows import Margin, Rows
from tinyseg.tflite.patching.unroll import (
    StripNetwork,
    StripPiece,
    StripRegion,
    StripStep,
    _cut_early,
)

IMAGE, MIDDLE, LAST = "image", "middle", "last"


def two_windows():
    """Ten rows; windows of three, then windows of three rows with a stride of two."""
    file = File()
    source = file.tensor((1, 10, 4, 2), zero_point=5, name=IMAGE)
    middle = file.tensor((1, 10, 4, 3), scale=0.1, zero_point=-3, name=MIDDLE)
    conv(file, source, 3, (3, 3), target=middle)
    last = file.tensor((1, 5, 4, 3), scale=0.2, name=LAST)
    conv(file, middle, 3, (3, 1), seed=1, target=last)
    how = file.graph.operators[-1].builtinOptions
    how.padding, how.strideH = SAME, 2
    return TfliteModel.parse(file.content([source], [last]))


def told(model, steps):
    """Steps as ``(kind, inputs, output)`` of name, rows and margin."""
    names = [tensor.name for tensor in model.tensors]

    def of(piece):
        margin = (tuple(piece.margin),) if any(piece.margin) else ()
        return (names[piece.tensor], *piece.rows, *margin)

    return [(step.kind, *map(of, (*step.inputs, step.output))) for step in steps]


def region_of(model, strips=1, waist=None, finer=1):
    index = {tensor.name: tensor.index for tensor in model.tensors}
    return whole(model, strips)._replace(waist=index.get(waist), finer=finer)


def indices(model):
    index = {tensor.name: tensor.index for tensor in model.tensors}
    return [index[name] for name in (IMAGE, MIDDLE, LAST)]


# Of five rows, the first two and the last three; the window of three ends one row below.
TOP = [
    ("slice", (IMAGE, 0, 10), (IMAGE, 0, 6)),
    ("pad", (IMAGE, 0, 6), (IMAGE, 0, 6, (1, 0, 1, 1))),
    ("op", (IMAGE, 0, 6, (1, 0, 1, 1)), (MIDDLE, 0, 5)),
    ("op", (MIDDLE, 0, 5), (LAST, 0, 2)),
]
BOTTOM = [
    ("slice", (IMAGE, 0, 10), (IMAGE, 3, 10)),
    ("pad", (IMAGE, 3, 10), (IMAGE, 3, 10, (0, 1, 1, 1))),
    ("op", (IMAGE, 3, 10, (0, 1, 1, 1)), (MIDDLE, 4, 10)),
    ("pad", (MIDDLE, 4, 10), (MIDDLE, 4, 10, (0, 1, 0, 0))),
    ("op", (MIDDLE, 4, 10, (0, 1, 0, 0)), (LAST, 2, 5)),
]


def test_two_strips():
    model = two_windows()
    steps = StripNetwork(model).unroll(region_of(model, 2))
    joined = ("concat", (LAST, 0, 2), (LAST, 2, 5), (LAST, 0, 5))
    assert told(model, steps) == [*TOP, *BOTTOM, joined]
    assert [step.operator and step.operator.index for step in steps] == [
        *(None, None, 0, 1),
        *(None, None, 0, None, 1),
        None,
    ]


@pytest.mark.parametrize(("number", "steps"), enumerate([TOP, BOTTOM]), ids=["top", "bottom"])
def test_one_strip_of_two(number, steps):
    model = two_windows()
    made, pieces = StripNetwork(model).strip(region_of(model, 2), number)
    assert told(model, made) == steps
    (piece,) = pieces
    assert piece.rows == (Rows(0, 2), Rows(2, 5))[number]


def test_as_a_whole():
    model = two_windows()
    steps = StripNetwork(model).unroll(region_of(model))
    assert told(model, steps) == [
        ("op", (IMAGE, 0, 10), (MIDDLE, 0, 10)),
        ("op", (MIDDLE, 0, 10), (LAST, 0, 5)),
    ]


def test_finer_strips_from_a_waist():
    """The rows of the waist are computed once for the strip, and cut for each of its parts.

    The last cut stands right after the one before: the waist is not kept any longer.
    """
    model = two_windows()
    steps = StripNetwork(model).unroll(region_of(model, 2, MIDDLE, 2))
    assert told(model, steps) == [
        *TOP[:3],
        ("slice", (MIDDLE, 0, 5), (MIDDLE, 0, 3)),
        ("slice", (MIDDLE, 0, 5), (MIDDLE, 2, 5)),
        ("op", (MIDDLE, 0, 3), (LAST, 0, 1)),
        ("op", (MIDDLE, 2, 5), (LAST, 1, 2)),
        *BOTTOM[:3],
        ("slice", (MIDDLE, 4, 10), (MIDDLE, 4, 7)),
        ("slice", (MIDDLE, 4, 10), (MIDDLE, 6, 10)),
        ("op", (MIDDLE, 4, 7), (LAST, 2, 3)),
        ("pad", (MIDDLE, 6, 10), (MIDDLE, 6, 10, (0, 1, 0, 0))),
        ("op", (MIDDLE, 6, 10, (0, 1, 0, 0)), (LAST, 3, 5)),
        ("concat", (LAST, 0, 1), (LAST, 1, 2), (LAST, 2, 3), (LAST, 3, 5), (LAST, 0, 5)),
    ]


def test_finer_strips_of_the_whole():
    model = two_windows()
    steps = told(model, StripNetwork(model).unroll(region_of(model, 1, MIDDLE, 2)))
    assert steps[:2] == [
        ("pad", (IMAGE, 0, 10), (IMAGE, 0, 10, (1, 1, 1, 1))),
        ("op", (IMAGE, 0, 10, (1, 1, 1, 1)), (MIDDLE, 0, 10)),
    ]
    assert [kind for kind, *_ in steps[2:]] == ["slice", "slice", "op", "pad", "op", "concat"]


def test_parts_of_strips_do_not_share_pieces():
    """Equal rows of two strips are computed twice: nothing is kept from one to the next."""
    model = two_windows()
    for region in (region_of(model, 5), region_of(model, 2, MIDDLE, 2)):
        steps = StripNetwork(model).unroll(region)
        outputs = [step.output for step in steps]
        assert len(set(outputs)) == len(outputs)


def test_parts_of_one_strip_do_not_share_pieces_with_the_next():
    """Each row of the windows needs all rows below: every part and every waist does."""
    file = File()
    source = file.tensor((1, 4, 3, 2), zero_point=5)
    below = conv(file, source, 2)
    sides = []
    for seed, name in ((1, MIDDLE), (2, "side")):
        target = file.tensor((1, 4, 3, 2), scale=0.1, zero_point=-3, name=name)
        sides.append(conv(file, below, 2, (7, 1), seed, target))
    last = file.tensor((1, 4, 3, 2), scale=0.2, name=LAST)
    file.operator("ADD", sides, last, options("Add"))
    model = TfliteModel.parse(file.content([source], [last]))
    region = region_of(model, 2, MIDDLE, 2)
    steps = StripNetwork(model).unroll(region)
    # All rows once for the waist and once for each of its two parts, in both strips.
    whole_again = [step.output for step in steps if step.operator is model.operators[0]]
    assert [(piece.tensor, *piece.rows) for piece in whole_again] == 6 * [(below, 0, 4)]
    assert len({step.output for step in steps}) == len(steps)
    assert_as_said(model, [region])


def test_several_sinks():
    """Both are computed in strips, with nothing but what they need, and joined in their order."""
    model = two_windows()
    image, middle, last = indices(model)
    region = StripRegion((middle, last), frozenset({image}), 2)
    steps = told(model, StripNetwork(model).unroll(region))
    # The waist's rows 0 to 5 are a strip, which the second sink needs just so.
    assert steps[:4] == TOP
    # Of rows 4 to 10, which the second sink needs, 5 to 10 are the first sink's.
    assert ("slice", (MIDDLE, 4, 10), (MIDDLE, 5, 10)) in steps
    assert steps[-2:] == [
        ("concat", (MIDDLE, 0, 5), (MIDDLE, 5, 10), (MIDDLE, 0, 10)),
        ("concat", (LAST, 0, 2), (LAST, 2, 5), (LAST, 0, 5)),
    ]


def test_what_is_stored_is_cut_not_computed():
    model = two_windows()
    _, middle, last = indices(model)
    network = StripNetwork(model)
    steps = told(model, network.unroll(StripRegion((last,), frozenset({middle}), 2)))
    assert steps == [
        ("slice", (MIDDLE, 0, 10), (MIDDLE, 0, 5)),
        ("op", (MIDDLE, 0, 5), (LAST, 0, 2)),
        ("slice", (MIDDLE, 0, 10), (MIDDLE, 4, 10)),
        *BOTTOM[3:],
        ("concat", (LAST, 0, 2), (LAST, 2, 5), (LAST, 0, 5)),
    ]


def test_shapes_and_sizes():
    """Multiples of 16 bytes, counted by hand."""
    model = two_windows()
    network = StripNetwork(model)
    image, middle, last = indices(model)
    assert [network.bytes[tensor] for tensor in (image, middle, last)] == [80, 128, 64]
    assert [network.height(tensor) for tensor in (image, middle, last)] == [10, 10, 5]
    assert network.whole(last) == StripPiece(last, Rows(0, 5))
    piece = StripPiece(image, Rows(3, 7), Margin(1, 2, 3, 5), 4)
    assert network.shape(piece) == (1, 4 + 1 + 2, 4 + 3 + 5, 2)
    assert network.size(piece) == 176  # 7 * 12 * 2 are 168.
    assert network.size(piece._replace(margin=Margin())) == 32


def test_sizes_of_floats_and_of_vectors():
    file = File()
    source = file.tensor((1, 3, 5, 2))
    real = file.tensor((1, 3, 5, 2), "float32")
    file.operator("DEQUANTIZE", [source], real)
    flat = file.tensor((3, 10), "float32")
    shape = file.constant([3, 10], "int32")
    file.operator("RESHAPE", [real, shape], flat, options("Reshape", newShape=[3, 10]))
    network = StripNetwork(TfliteModel.parse(file.content([source], [flat])))
    assert [network.bytes[tensor] for tensor in (source, real, flat)] == [32, 128, 128]
    assert network.size(StripPiece(real, Rows(1, 3))) == 80
    assert network.height(flat) == 1
    assert network.shape(network.whole(flat)) == (3, 10)


def test_what_lies_between():
    model = unet()
    network = StripNetwork(model)
    image, output = model.inputs[0].index, model.outputs[0].index
    assert list(network.closure((output,), frozenset({image}))) == list(model.operators)
    skip, pooled = (model.operators[number].outputs[0].index for number in (0, 1))
    rest = network.closure((output,), frozenset({image, skip}))
    assert list(rest) == list(model.operators[1:])
    rest = network.closure((output,), frozenset({skip, pooled}))
    assert list(rest) == list(model.operators[2:])
    assert not network.closure((skip,), frozenset({skip}))
    assert list(network.closure((pooled, skip), frozenset({image}))) == list(model.operators[:2])
    assert [network.born(tensor) for tensor in (image, skip, pooled)] == [-1, 0, 1]
    read = network.read_by(model.operators[:2])
    assert read == {image, skip}


def test_no_more_strips_than_rows():
    model = two_windows()
    network = StripNetwork(model)
    assert network.can_strip(region_of(model, 5))
    assert not network.can_strip(region_of(model, 6))
    assert network.can_strip(region_of(model, 2, MIDDLE, 2))
    assert not network.can_strip(region_of(model, 2, MIDDLE, 3))
    image, middle, last = indices(model)
    assert network.can_strip(StripRegion((middle,), frozenset({image}), 10))
    for sinks in ((middle, last), (last, middle)):
        assert not network.can_strip(StripRegion(sinks, frozenset({image}), 6))


def test_one_operator_that_cannot_be_cut_is_enough():
    file = File()
    source = current = file.tensor((1, 6, 4, 2))
    tensors = [current]
    for name in ("LOGISTIC", "SOFTMAX", "LOGISTIC"):
        target = file.tensor((1, 6, 4, 2), scale=1 / 256, zero_point=-128)
        settings = options("Softmax", beta=1.0) if name == "SOFTMAX" else None
        current = file.operator(name, [current], target, settings)
        tensors.append(current)
    network = StripNetwork(TfliteModel.parse(file.content([source], [current])))
    can = [
        network.can_strip(StripRegion((sink,), frozenset({stored}), 2))
        for stored, sink in itertools.pairwise(tensors)
    ]
    assert can == [True, False, True]
    assert not network.can_strip(StripRegion((tensors[3],), frozenset({source}), 2))


@pytest.mark.parametrize(
    ("strips", "groups"),
    [(2, [2]), (10, [10]), (11, [6, 5, 2]), (23, [8, 8, 7, 3])],
)
def test_many_strips_are_joined_in_groups(strips, groups):
    model = NETWORKS["chain"]() if strips <= 12 else unet(32, 4, depth=1, base=2)
    network = StripNetwork(model)
    steps = network.unroll(whole(model, strips))
    joins = [step for step in steps if step.kind == "concat"]
    assert [len(step.inputs) for step in joins] == groups
    assert joins[-1].output == network.whole(model.outputs[0].index)
    for step in joins:
        ends = [piece.rows for piece in step.inputs]
        assert all(a.last == b.first for a, b in itertools.pairwise(ends))
        assert step.output.rows == Rows(ends[0].first, ends[-1].last)


def piece_of(number):
    return StripPiece(number, Rows(0, 4), strip=0)


def test_cuts_are_made_as_early_as_what_is_cut_can_go():
    """A cut that is the last to read a piece stands right after the one that read it before."""
    a, b, c, d, e, f = map(piece_of, range(6))
    make_a = StripStep("op", None, (f,), a)
    read_a = StripStep("op", None, (a,), b)
    other = StripStep("op", None, (b,), c)
    cut = StripStep("slice", None, (a,), d)
    cut_again = StripStep("slice", None, (d,), e)
    early = [make_a, read_a, cut, cut_again, other]
    assert _cut_early([make_a, read_a, other, cut, cut_again]) == early
    # Nothing else reads it: right after it is made.
    assert _cut_early([make_a, other, cut]) == [make_a, cut, other]
    # A cut that is not the last to read it stays, as does one of what others made.
    late = [make_a, other, cut, read_a]
    assert _cut_early(late) == late
    stored = [read_a, other, cut]
    assert _cut_early(stored) == stored
    # Only cuts move.
    padded = [make_a, other, cut._replace(kind="pad")]
    assert _cut_early(padded) == padded


@pytest.mark.parametrize("name", ["gates", "shuffled", "chain", "lopsided"])
@pytest.mark.parametrize("seed", range(100, 104))
def test_random_regions_keep_the_bytes(name, seed):
    model = NETWORKS[name]()
    assert_as_said(model, random_regions(model, np.random.default_rng(seed)))


@pytest.mark.parametrize("name", ["both", "lopsided"])
def test_every_waist(name):
    """Finer strips from every tensor in turn."""
    model = NETWORKS[name]()
    for number, waist in enumerate(cuttable(model)):
        if number % 3 == 0:
            region = whole(model, 2)._replace(waist=waist, finer=3)
            assert StripNetwork(model).can_strip(region)
            assert_as_said(model, [region])
