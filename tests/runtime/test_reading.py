"""What outputs of every shape, type and activation are taken for, and when the user is asked."""

import pytest

from tinyseg.errors import InputError
from tinyseg.runtime.meaning import Head, MapLayout
from tinyseg.runtime.reading import layout_of, read
from tinyseg.tflite.border import Outline, Range

SIZE = (8, 6)
UNIT, WIDE = Range(0, 0.996), Range(-9, 7)


def outline(shape, activation="linear", dtype="int8", limits=UNIT, classes=0):
    return Outline("out", (1, *shape), dtype, activation, classes, limits)


def found(*outlines, **options):
    return read("net.tflite", outlines, SIZE, **options)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((8, 6, 3), MapLayout(8, 6, 3)),
        ((3, 8, 6), MapLayout(8, 6, 3, first=True)),
        ((8, 6), MapLayout(8, 6, 1)),
        ((4, 3, 2), MapLayout(4, 3, 2)),
        ((48,), MapLayout(8, 6, 1)),
        ((48, 2), MapLayout(8, 6, 2)),
        ((2, 48), MapLayout(8, 6, 2, first=True)),
        ((6, 8, 1), None),
        ((1, 1, 5), None),
        ((10,), None),
        ((10, 4), None),
    ],
)
def test_layouts(shape, layout):
    assert layout_of((1, *shape), SIZE) == layout


@pytest.mark.parametrize(
    ("output", "head", "regions"),
    [
        (outline((8, 6, 1), "sigmoid"), Head.SIGMOID, 1),
        (outline((8, 6), "sigmoid"), Head.SIGMOID, 1),
        (outline((48,), "sigmoid"), Head.SIGMOID, 1),
        (outline((2, 8, 6), "softmax", classes=2), Head.SOFTMAX, 1),
        (outline((8, 6, 4), "log_softmax", limits=WIDE, classes=4), Head.SOFTMAX_LOGITS, 3),
        (outline((8, 6, 1), limits=WIDE), Head.LOGITS, 1),
        (outline((8, 6, 1), "linear", "float32", None), Head.LOGITS, 1),
        (outline((8, 6, 1), "unknown"), Head.SIGMOID, 1),
        (outline((8, 6), "labels", "int64", None, 3), Head.LABELS, 2),
        (outline((8, 6, 1), "labels", "uint8", None, 3), Head.LABELS, 2),
        (outline((8, 6, 1), "bool", "bool", None), Head.LABELS, 1),
    ],
)
def test_masks(output, head, regions):
    meaning = found(output)
    assert (meaning.head, meaning.regions, meaning.task) == (head, regions, "segmentation")


@pytest.mark.parametrize(
    ("output", "classes"),
    [
        (outline((5,), "softmax", classes=5), 5),
        (outline((1, 1, 5), "softmax", classes=5), 5),
        (outline((1,), "sigmoid"), 2),
        (outline((), "labels", "int32", None, 7), 7),
    ],
)
def test_classes(output, classes):
    meaning = found(output)
    assert (meaning.task, meaning.classes) == ("classification", classes)


@pytest.mark.parametrize(
    "output", [outline((5,), limits=WIDE), outline((10, 4), "unknown", "float32", None)]
)
def test_what_is_neither(output):
    assert found(output).task is None


@pytest.mark.parametrize(
    "output",
    [
        outline((8, 6, 3), limits=WIDE),
        outline((8, 6, 1), "relu", limits=Range(0, 9)),
        outline((8, 6, 1), "softmax", classes=2),
        outline((8, 6, 1), "tanh", limits=Range(-1, 1)),
    ],
)
def test_what_cannot_be_told_is_asked_for(output):
    with pytest.raises(InputError, match=r"say --head: .*none"):
        found(output)


def test_what_is_told_is_taken():
    output = outline((8, 6, 3), limits=WIDE)
    assert found(output, head=Head.SOFTMAX_LOGITS).regions == 2
    assert found(output, head=Head.LOGITS).regions == 3
    assert found(output, head=Head.NONE).task is None
    assert found(output, head=Head.CLASSES).task == "classification"


@pytest.mark.parametrize(
    ("output", "head", "words"),
    [
        (outline((8, 6, 1), "sigmoid"), Head.SOFTMAX, "has one channel"),
        (outline((8, 6, 2), "sigmoid"), Head.LABELS, "has 2 channels"),
        (outline((8, 6, 1), "sigmoid"), Head.LOGITS, "holds probabilities"),
        (outline((8, 6, 1), limits=WIDE), Head.SIGMOID, "holds -9 to 7"),
        (outline((10, 4), "unknown"), Head.SIGMOID, "no height and width"),
    ],
)
def test_what_is_told_cannot_be_anything(output, head, words):
    with pytest.raises(InputError, match=words):
        found(output, head=head)


def test_the_mask_among_several_outputs_is_taken():
    scores = outline((5,), "softmax", classes=5)
    meaning = found(scores, outline((8, 6, 1), "sigmoid"))
    assert (meaning.head, meaning.output) == (Head.SIGMOID, 1)
    assert found(outline((10, 4), limits=WIDE), scores).output == 1


def test_of_several_masks_the_user_chooses():
    masks = outline((8, 6, 1), "sigmoid"), outline((4, 3, 1), "sigmoid")
    with pytest.raises(InputError, match=r"2 outputs could be meant .*--mask-output N"):
        found(*masks)
    assert found(*masks, output=1).layout == MapLayout(4, 3, 1)
    with pytest.raises(InputError, match="it has outputs 0 to 1"):
        found(*masks, output=2)
