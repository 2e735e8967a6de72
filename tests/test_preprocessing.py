"""From an image's pixels to a network's input: size, channels and range of values."""

import cv2
import numpy as np
import pytest

from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise, resize_image, resize_mask


def test_normalised_values_are_single_precision():
    preprocessing = PreprocessingPlan(2, 2, 1, scale=0.3, offset=-7.25)
    values = np.uint8([0, 1, 100, 255])
    found = normalise(values, preprocessing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [-7.25, -6.95, 22.75, 69.25], rtol=1e-6)


def test_shrinking_averages():
    image = np.uint8([[80, 0, 0, 0, 200, 0, 0, 4], [0, 0, 0, 0, 0, 0, 0, 0]])
    small = resize_image(image, PreprocessingPlan(height=1, width=2, channels=1))
    assert small.ravel().tolist() == [80 / 8, round(204 / 8)]


def test_enlarging_keeps_orientation_and_range():
    image = np.uint8([[0, 200]])
    large = resize_image(image, PreprocessingPlan(height=3, width=8, channels=1))
    assert large.shape == (3, 8, 1)
    assert (np.diff(large[1, :, 0].astype(int)) >= 0).all()
    assert (large.min(), large.max()) == (0, 200)


def test_grey_becomes_three_equal_channels_and_back():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    three = resize_image(grey, PreprocessingPlan(height=3, width=4, channels=3))
    np.testing.assert_array_equal(three, np.dstack([grey] * 3))
    one = resize_image(three, PreprocessingPlan(height=3, width=4, channels=1))
    np.testing.assert_array_equal(one[..., 0], grey)


def test_colour_stays_rgb_and_becomes_luma():
    colour = np.uint8([[[200, 0, 0], [0, 0, 200]]])
    size = {"height": 1, "width": 2}
    kept = resize_image(colour, PreprocessingPlan(**size, channels=3))
    np.testing.assert_array_equal(kept, colour)
    luma = resize_image(colour, PreprocessingPlan(**size, channels=1))
    # ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B
    np.testing.assert_allclose(luma[0, :, 0], [0.299 * 200, 0.114 * 200], atol=1)


# Sizes at which no pixel lies halfway between two.
@pytest.mark.parametrize("size", [(3, 5), (4, 8), (26, 16), (9, 46)])
def test_resized_mask_takes_the_nearest_pixel(size):
    mask = np.random.default_rng(0).integers(0, 2, (9, 15), np.uint8)
    resized = resize_mask(mask, PreprocessingPlan(height=size[0], width=size[1]))
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, mask.shape, strict=True)
    )
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized[..., 0], mask[np.ix_(rows, columns)])


@pytest.mark.parametrize("shape", [(8, 6), (2, 24), (24, 4)])
def test_more_pixels_than_wanted_are_averaged(shape):
    """Also where one side grows: the number of pixels decides between averaging and bilinear."""
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    size = (4, 6)
    found = resize_image(image, PreprocessingPlan(*size, 1))
    shrinks = image.size > size[0] * size[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    assert shrinks
    np.testing.assert_array_equal(found[..., 0], cv2.resize(image, size[::-1], interpolation=kind))
    # The two are told apart by these images.
    other = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    assert not np.array_equal(found[..., 0], other)


@pytest.mark.parametrize("shape", [(4, 5), (2, 12), (12, 2), (3, 3)])
def test_as_many_pixels_as_wanted_or_fewer_are_interpolated(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = resize_image(image, PreprocessingPlan(4, 6, 1))
    linear, area = (cv2.resize(image, (6, 4), interpolation=k) for k in (1, 3))
    np.testing.assert_array_equal(found[..., 0], linear)
    assert not np.array_equal(linear, area)


def test_image_of_the_right_size_is_left_alone():
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    np.testing.assert_array_equal(resize_image(image, PreprocessingPlan(4, 6, 3)), image)
    turned = resize_image(image, PreprocessingPlan(6, 4, 3))
    assert turned.shape == (6, 4, 3)


@pytest.mark.parametrize(("have", "want"), [(4, 3), (4, 1), (3, 4), (2, 1), (1, 3)])
def test_channels_that_do_not_fit_are_refused(have, want):
    with pytest.raises(InputError, match=f"the images have {have} channels .* takes {want}; "):
        resize_image(np.zeros((4, 6, have), np.uint8), PreprocessingPlan(4, 6, want))


def test_regions_are_resized_one_by_one():
    mask = np.random.default_rng(0).integers(0, 2, (6, 10, 3), np.uint8)
    plan = PreprocessingPlan(height=3, width=5)
    found = resize_mask(mask, plan)
    assert (found.shape, found.dtype) == ((3, 5, 3), np.uint8)
    for region in range(3):
        np.testing.assert_array_equal(
            found[..., region], resize_mask(mask[..., region], plan)[..., 0]
        )
    none = resize_mask(mask[..., :0], plan)
    assert (none.shape, none.dtype) == ((3, 5, 0), np.uint8)
