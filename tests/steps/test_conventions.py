"""The usual preprocessing of a range, and ranges that cannot be that of pixels."""

import numpy as np
import pytest

from tinyseg.steps.conventions import Scaling, convention, fits
from tinyseg.tflite.border import Range

UNIT, BYTES, SIGNED, HALF, SHIFTED = (0, 1), (0, 255), (-1, 1), (-0.5, 0.5), (-128, 127)


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [
        (0, 255 * 0.0039215, UNIT),
        (0, 0.93, UNIT),
        (0, 0.4, UNIT),
        (0, 254.999, BYTES),
        (0, 231, BYTES),
        (-1, 0.992, SIGNED),
        (-0.996, 1.004, SIGNED),
        (-0.9, 0.8, SIGNED),
        (-0.5, 0.496, HALF),
        (-128, 127, SHIFTED),
        (-117, 110, SHIFTED),
        (-2, 2, (-2, 2)),
        (-1.7, 3.2, (-1.7, 3.2)),
    ],
)
def test_black_and_white_of_the_usual_ways(low, high, ends):
    assert convention(Range(low, high), 1).ends() == pytest.approx(ends)


def test_mean_and_deviation_of_imagenet():
    found = convention(Range(-2.127, 2.631), 3)
    pixels = np.array([0.0, 100.0, 255.0])[:, None] / 255
    expected = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(255 * pixels * found.scale + found.offset, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 4), (0, 0.1), (0, 4095), (0, 1.2), (-123.68, 151.06), (-40, 200)]
)
def test_what_no_usual_way_gives(low, high):
    assert convention(Range(low, high), 3) is None


def test_int16_does_not_tell_signed_from_unsigned():
    assert convention(Range(-1, 1, symmetric=True), 1) is None
    assert convention(Range(-255, 255, symmetric=True), 1) == Scaling(1.0, 0.0)


@pytest.mark.parametrize("ends", [UNIT, BYTES, SIGNED, HALF, SHIFTED])
@pytest.mark.parametrize("stored", [UNIT, BYTES, SIGNED, HALF, SHIFTED])
def test_pixels_fit_the_range_that_they_were_calibrated_with_only(ends, stored):
    assert fits(*ends, Range(*stored)) == (ends == stored)


def test_dark_images_and_rounded_ends_fit():
    assert fits(0, 1, Range(0, 0.2))
    assert fits(-1, 1, Range(-0.996, 1.004))
    assert not fits(0, 1, Range(-0.2, 1))
    assert fits(0, 1, Range(-1, 1, symmetric=True))
    assert fits(-1, 1, Range(-1, 1, symmetric=True))
    assert not fits(0, 255, Range(-1, 1, symmetric=True))


def test_texts_are_what_the_options_take():
    scaling = Scaling((0.5, 0.25), -1.0)
    assert (scaling.scale_text, scaling.offset_text) == ("0.5,0.25", "-1")
