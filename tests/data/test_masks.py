"""What becomes of each pixel of a mask, worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.makers import read_mask
from tests.data.test_images import palette, with_alpha
from tinyseg.data import Dataset, Sample, masks
from tinyseg.errors import InputError

MASK = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.uint8)


@pytest.fixture
def united(tmp_path, save):
    """Read masks as those of one image."""

    def united(paths, shape):
        image = save(tmp_path / "image.png", np.zeros(shape, np.uint8))
        sample = Sample("image", "", image, tuple(paths))
        return Dataset("set", (sample,), tmp_path).read(sample)[1]

    return united


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("zero_one.png", MASK),
        ("zero_255.png", MASK * 255),
        ("one_bit.png", Image.fromarray(MASK > 0)),
        ("rgb.png", np.repeat(MASK[..., None] * 255, 3, -1)),
        ("red.png", MASK[..., None] * np.uint8([200, 0, 0])),
        ("opaque.png", with_alpha(np.repeat(MASK[..., None] * 255, 3, -1), 255)),
        ("transparent.png", with_alpha(np.repeat(MASK[..., None] * 255, 3, -1), MASK * 9)),
        ("grey_alpha.png", Image.fromarray(np.dstack([MASK * 255, 255 - MASK]), "LA")),
        ("palette.png", palette(MASK, [(0, 0, 0), (128, 0, 0)])),
        ("reversed_palette.png", palette(1 - MASK, [(128, 0, 0), (0, 0, 0)])),
        ("deep.png", MASK * np.uint16(65535)),
        ("real.tif", MASK * np.float32(0.5)),
    ],
)
def test_mask_of_any_kind_becomes_zero_and_one(tmp_path, save, name, content):
    mask = read_mask(save(tmp_path / name, content))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, MASK)


def test_mask_foreground_lies_above_half_of_the_maximum(tmp_path, save):
    path = save(tmp_path / "edges.png", np.uint8([[0, 100, 127, 128, 255]]))
    np.testing.assert_array_equal(read_mask(path), [[0, 0, 0, 1, 1]])


def test_black_mask_is_empty(tmp_path, save):
    assert not read_mask(save(tmp_path / "black.png", np.zeros((3, 5, 3), np.uint8))).any()


def test_masks_are_united(tmp_path, save, united):
    left, right = np.zeros((2, 4, 6), np.uint8)
    left[1:3, 1:3], right[2:, 2:5] = 255, 1
    paths = [save(tmp_path / f"{n}.png", mask) for n, mask in enumerate([left, right])]
    union = united(paths, (4, 6))
    assert union.sum() == 4 + 6 - 1
    np.testing.assert_array_equal(union, (left > 0) | (right > 0))


def test_no_mask_means_background(united):
    np.testing.assert_array_equal(united([], (2, 3)), np.zeros((2, 3)))


def test_mask_of_other_size_is_refused(tmp_path, save, united):
    path = save(tmp_path / "small.png", MASK)
    with pytest.raises(InputError, match=r"small\.png: mask is 4x3 but its image is 6x5"):
        united([path], (5, 6))


def test_mask_with_nan_is_refused(tmp_path, save):
    path = save(tmp_path / "odd.tif", np.float32([[0, 1], [1, np.nan]]))
    with pytest.raises(InputError, match="NaN"):
        read_mask(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (np.uint8([[127, 128, 254, 0]]), [[0, 1, 1, 0]]),
        (np.uint16([[40000, 20000, 20001, 255]]), [[1, 0, 1, 0]]),
        (np.float32([[0.25, 1, 0.5, 0.75]]), [[0, 1, 0, 1]]),
        # The brightest colour counts, whichever it is.
        (np.uint8([[[0, 0, 40], [0, 200, 0], [120, 0, 0], [99, 100, 99]]]), [[0, 1, 1, 0]]),
        (np.uint8([[[0, 0, 90, 0], [0, 200, 0, 9], [0, 0, 0, 255], [0, 0, 101, 3]]]),
         [[0, 1, 0, 1]]),
    ],
)  # fmt: skip
def test_half_of_the_maximum_itself_is_background(tmp_path, save, content, expected):
    kind = "tif" if content.dtype == np.float32 else "png"
    mask = read_mask(save(tmp_path / f"mask.{kind}", content))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected)


def test_values_of_a_mask_by_kind_of_file():
    def of(image):
        return masks.mask_pixels(image, Path("mask.png")).values.tolist()

    grey_alpha = Image.fromarray(np.uint8([[[3, 200], [90, 0]]]), "LA")
    assert of(grey_alpha) == [[3, 90]]
    # A palette's indices, as long as another one is not its black.
    colours = palette(np.uint8([[2, 0, 1]]), [(1, 2, 3), (40, 0, 9), (5, 77, 6)])
    assert of(colours) == [[2, 0, 1]]
    assert of(colours.convert("PA")) == [[2, 0, 1]]
    black_last = palette(np.uint8([[1, 0, 1]]), [(200, 0, 0), (0, 0, 0)])
    assert of(black_last) == [[0, masks.COLOUR | 0xC80000, 0]]
    # Of a grey palette the shades.
    assert of(palette(np.uint8([[1, 0, 2]]), [(9, 9, 9), (0, 0, 0), (90, 90, 90)])) == [[0, 9, 90]]
    # Indices of one colour are told apart all the same.
    assert of(palette(np.uint8([[1, 0, 2]]), [(0, 0, 0)] * 3)) == [[1, 0, 2]]
    nearly_grey = Image.fromarray(np.uint8([[[1, 2, 3, 255], [9, 8, 7, 0]]]), "RGBA")
    assert of(nearly_grey) == [[3, 9]]
    coloured = Image.fromarray(np.uint8([[[0, 0, 90], [0, 0, 0]]]))
    assert of(coloured) == [[masks.COLOUR | 90, 0]]
    # Cyan, magenta, yellow and black absorb.
    ink = Image.fromarray(np.uint8([[[255, 255, 255, 0], [0, 0, 0, 155]]]), "CMYK")
    assert of(ink) == [[0, 100]]
    assert of(Image.fromarray(np.uint16([[0, 60000]]))) == [[0, 60000]]
    assert of(Image.fromarray(np.array([[False, True]]))) == [[0, 1]]


# Unions


def test_all_masks_count_and_overlap(tmp_path, save, united):
    parts = np.zeros((3, 4, 6), np.uint8)
    parts[0, 0, :2] = parts[1, 0, 1:4] = parts[2, 3, 5] = 255
    paths = [save(tmp_path / f"{n}.png", part) for n, part in enumerate(parts)]
    union = united(paths, (4, 6))
    assert union.dtype == np.uint8
    expected = np.zeros((4, 6), int)
    expected[0, :4] = expected[3, 5] = 1
    np.testing.assert_array_equal(union, expected)
    none = united([], (4, 6))
    assert (none.shape, none.dtype, none.any()) == ((4, 6), np.uint8, False)


@pytest.mark.parametrize("shape", [(6, 4), (4, 5), (3, 6), (1, 1)])
def test_every_mask_has_the_size_of_its_image(tmp_path, save, shape, united):
    """A mask on its side, or of one row or column, is not stretched over the image."""
    good = save(tmp_path / "good.png", np.eye(4, 6, dtype=np.uint8))
    bad = save(tmp_path / "bad.png", np.ones(shape, np.uint8))
    reason = rf"bad\.png: mask is {shape[1]}x{shape[0]} but its image is 6x4; export both at one"
    for paths in ([good, bad], [bad, good]):
        with pytest.raises(InputError, match=reason):
            united(paths, (4, 6))
