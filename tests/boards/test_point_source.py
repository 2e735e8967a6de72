"""Masks that firmware makes of int8 outputs are those of the host, bit for bit."""

import ctypes
import dataclasses
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyseg.boards.point_source import PointSource
from tinyseg.decision import decide
from tinyseg.errors import InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.places import firmware_folder
from tinyseg.runtime.meaning import Head, MapLayout, Meaning
from tinyseg.runtime.runner import TensorSpec

PLAIN = TensorSpec((1, 9, 11, 1), "int8", 1 / 256, -128)
POINT = OperatingPoint(blank_below=0.5, relative=0.4, largest_only=True)
# The members of tinyseg::OperatingPoint in their order.
_NUMBERS = (
    ctypes.c_int8, *(ctypes.c_uint32,) * 3, ctypes.c_bool, ctypes.c_uint32, ctypes.c_uint64,
    *(ctypes.c_uint32,) * 2, ctypes.c_bool,
)  # fmt: skip
_SHIM = """
#include "core/operating_point.h"
extern "C" void Apply(const uint16_t* units, int8_t threshold, uint32_t height, uint32_t width,
                      uint32_t regions, bool first, uint32_t count, uint64_t blank_below,
                      uint32_t relative, uint32_t smallest, bool largest, uint8_t* output) {
  tinyseg::ApplyPoint({units, threshold, height, width, regions, first, count, blank_below,
                       relative, smallest, largest}, output);
}
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory):
    """The firmware's function, of stored values int8 and what is written of a point."""
    folder, root = tmp_path_factory.mktemp("point"), firmware_folder()
    (folder / "shim.cc").write_text(_SHIM)
    sources = [folder / "shim.cc", root / "core/operating_point.cc"]
    library = folder / "point.so"
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I", root]
    subprocess.run(["g++", *flags, *sources, "-o", library], check=True)
    function = ctypes.CDLL(str(library)).Apply
    function.argtypes = [ctypes.POINTER(ctypes.c_uint16), *_NUMBERS, ctypes.c_char_p]
    function.restype = None

    def apply(source, stored):
        _, units, *numbers, mirrored = dataclasses.astuple(source)
        assert not mirrored  # The function sees what is decided on.
        output = ctypes.create_string_buffer(stored.tobytes(), stored.size)
        function((ctypes.c_uint16 * 256)(*units), *numbers, output)
        return np.frombuffer(output.raw, np.uint8).reshape(stored.shape)

    return apply


SHARES = st.floats(0, 1)
POINTS = st.builds(
    OperatingPoint,
    threshold=st.floats(0.01, 1),
    blank_below=st.one_of(st.just(0.0), SHARES),
    share=st.floats(0.001, 1),
    relative=st.one_of(st.just(0.0), SHARES),
    smallest=st.integers(0, 8),
    largest_only=st.booleans(),
).filter(lambda point: not point.is_plain)
# Pictures with large parts: few values, or all.
VALUES = st.one_of(st.integers(-128, 127), st.sampled_from([-128, -100, 100, 127]))
OUTPUTS = arrays.arrays(
    np.int8, st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 3)), elements=VALUES
)
HEADS = st.sampled_from(
    [
        (Head.SIGMOID, 1 / 256, -128),
        (Head.SIGMOID, 1 / 255, -128),
        (Head.LOGITS, 0.09, 17),
        (Head.LOGITS, 0.05, -20),
    ]
)


@settings(max_examples=150, deadline=None)
@given(OUTPUTS, POINTS, HEADS, st.booleans())
def test_firmware_makes_the_masks_of_the_host(applied, stored, point, head, first):
    kind, scale, zero_point = head
    layout = MapLayout(*stored.shape, first)
    meaning, target = Meaning(kind, layout), TensorSpec(stored.shape, "int8", scale, zero_point)
    expected = meaning.masks(
        target.dequantize(np.moveaxis(stored, -1, 0) if first else stored)[None], point
    )[0]
    source = PointSource.of("net.tflite", point, meaning, target)
    found = applied(source, np.ascontiguousarray(np.moveaxis(stored, -1, 0)) if first else stored)
    found = np.moveaxis(found, 0, -1) if first else found
    np.testing.assert_array_equal(found.astype(bool), expected)
    assert found.max() <= 1


def test_of_large_maps_too(applied):
    rng, point = np.random.default_rng(4), OperatingPoint(relative=0.6, smallest=40)
    for side in (64, 256):
        smooth = rng.random((side // 8, side // 8)).repeat(8, 0).repeat(8, 1)
        noisy = 0.8 * smooth + 0.2 * rng.random((side, side))
        target = TensorSpec((1, side, side, 1), "int8", 1 / 256, -128)
        stored = target.quantize(noisy.astype(np.float32))[..., None]
        for largest_only in (False, True):
            asked = dataclasses.replace(point, largest_only=largest_only, blank_below=0.5)
            meaning = Meaning(Head.SIGMOID, MapLayout(side, side, 1))
            source = PointSource.of("net.tflite", asked, meaning, target)
            expected = decide(target.dequantize(stored)[None], asked)[0]
            np.testing.assert_array_equal(applied(source, stored).astype(bool), expected)
            assert 0 < expected.sum() < expected.size


def test_a_threshold_alone_is_not_written():
    meaning = Meaning(Head.SOFTMAX, MapLayout(9, 11, 4), classes=4)
    source = PointSource.of("net.tflite", OperatingPoint(threshold=0.3), meaning, PLAIN)
    assert source == PointSource("a threshold alone")
    assert PointSource.of("net.tflite", None, meaning, PLAIN) == PointSource()


@pytest.mark.parametrize(
    ("meaning", "target"),
    [
        (Meaning(Head.SIGMOID, MapLayout(9, 11, 1)), dataclasses.replace(PLAIN, dtype="int16")),
        (Meaning(Head.SIGMOID, MapLayout(9, 11, 1)), dataclasses.replace(PLAIN, dtype="float32")),
        (Meaning(Head.SOFTMAX, MapLayout(9, 11, 3), classes=3), PLAIN),
        (Meaning(Head.CLASSES, classes=3), TensorSpec((1, 3), "int8", 1 / 256, -128)),
    ],
)
def test_what_firmware_cannot_apply_is_refused(meaning, target):
    with pytest.raises(InputError, match=r"net\.tflite: firmware applies") as caught:
        PointSource.of("net.tflite", POINT, meaning, target)
    assert "\n" not in str(caught.value)


def test_a_map_without_a_meaning_is_one_of_probabilities():
    assert PointSource.of("x", POINT, Meaning(Head.SIGMOID), PLAIN) == PointSource.of(
        "x", POINT, Meaning(Head.SIGMOID, MapLayout(9, 11, 1)), PLAIN
    )
