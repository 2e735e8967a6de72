"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: work, rows, where they hold the image size."""

from tests.tflite.ops.uses import activation, integers, use
from tinyseg.tflite.ops.registry import cost, registration, rule
from tinyseg.tflite.ops.resize import RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR
from tinyseg.tflite.ops.rows import Rows


def resized(height=8, opcode="RESIZE_NEAREST_NEIGHBOR", dtype="int8", **options):
    kind = "ResizeBilinear" if opcode == "RESIZE_BILINEAR" else "ResizeNearestNeighbor"
    inputs = [activation(1, 4, 4, 3, dtype=dtype), integers(height, 8)]
    return use(opcode, inputs, activation(1, height, 8, 3, dtype=dtype), kind, **options)


def test_work_by_places():
    assert cost(resized()).ops == 8 * (8 + 8 * 8)


def test_a_row_becomes_several():
    assert rule(resized()).needs(Rows(2, 6), 4)[0] == Rows(1, 3)
    assert rule(resized(12)).scale == 3


def test_no_strips_where_rows_are_not_repeated_alike():
    assert rule(resized(6)) is None
    assert rule(resized(alignCorners=True)) is None
    assert rule(resized(opcode="RESIZE_BILINEAR")) is None


def test_types():
    assert registration([resized(dtype="int16")]) == "AddResizeNearestNeighbor()"
    assert registration([resized(opcode="RESIZE_BILINEAR")]) == "AddResizeBilinear()"
    assert registration([resized(opcode="RESIZE_BILINEAR", dtype="int16")]) is None


def test_second_input_holds_height_and_width():
    for op in (RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR):
        assert op.image_size == (1, 0)
        assert op.quantization.same
