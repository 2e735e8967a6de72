"""What becomes of each pixel value, worked out by hand, and which files count as images."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.data.test_images import palette, png_header
from tinyseg.data import images, masks
from tinyseg.errors import InputError


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        # Halves of 257 go to the nearest.
        ("deep.png", np.uint16([[128, 129, 385, 386, 65406]]), [[0, 1, 1, 2, 254]]),
        # Whole numbers are never taken for shares of 1.
        ("deep_dark.png", np.uint16([[0, 1]]), [[0, 0]]),
        ("int_dark.tif", np.int32([[0, 1]]), [[0, 0]]),
        ("int.tif", np.int32([[257, 514]]), [[1, 2]]),
        # Real numbers are shares up to 1 itself, grey levels from there on.
        ("unit.tif", np.float32([[0.1, 0.498, 1]]), [[26, 127, 255]]),
        ("beyond_unit.tif", np.float32([[0.25, 0.75, 1.25]]), [[0, 1, 1]]),
        ("dark.tif", np.float32([[0, 0.2, 0.4]]), [[0, 51, 102]]),
        ("real.tif", np.float32([[1.6, 254.4, 255.6]]), [[2, 254, 255]]),
    ],
)
def test_values_of_more_bits_are_rounded(tmp_path, save, name, content, expected):
    pixels = images.read_image(save(tmp_path / name, content))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("values", [np.int32([[-1, 5]]), np.float32([[3, -0.01]])])
def test_negative_values_are_refused_and_zero_is_not(tmp_path, save, values):
    path = save(tmp_path / "negative.tif", values)
    with pytest.raises(InputError, match=r"negative\.tif: holds negative values; rescale"):
        images.read_image(path)
    assert images.read_image(save(tmp_path / "zero.tif", values.clip(0))).min() == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("read", [images.read_image, masks.open_mask])
def test_one_value_that_is_no_number_is_refused(tmp_path, save, read, value):
    path = save(tmp_path / "odd.tif", np.float32([[value, 1, 0.5, 0.25]]))
    with pytest.raises(InputError, match=r"odd\.tif: holds NaN or infinity; repair or remove"):
        read(path)


def test_images_with_alpha_and_palettes_keep_their_colours(tmp_path, save):
    colours = palette(np.uint8([[2, 0, 1]]), [(1, 2, 3), (40, 0, 9), (5, 77, 6)])
    expected = [[[5, 77, 6], [1, 2, 3], [40, 0, 9]]]
    assert images.read_image(save(tmp_path / "palette.png", colours)).tolist() == expected
    assert images.read_image(save(tmp_path / "p.png", colours.convert("RGBA"))).tolist() == expected


# Files


def test_image_files_of_a_folder(tmp_path):
    kinds = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm")
    kinds += (".dcm", ".dicom")
    names = [f"{n}{kind}" for n, kind in enumerate(kinds)] + ["a.PNG", "b.Tiff"]
    for name in [*reversed(names), "c.txt", "d.npy", "e", ".png.gz", "png", ".x.png"]:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "below").mkdir()
    (tmp_path / "below/deeper.png").write_bytes(b"")
    assert [path.name for path in images.image_files(tmp_path)] == sorted(names)
    assert images.image_files(tmp_path / "absent") == []
    assert set(kinds) == images.IMAGE_SUFFIXES


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_size_that_is_still_plausible(tmp_path):
    """Pillow's own limit: a header of as many pixels is tried, one of a pixel more is not."""
    most = 89_478_485
    for name, size, reason in (
        ("most.png", (most // 5, 5), r"cannot be decoded \(.+\)"),
        ("more.png", ((most + 1) // 6, 6), "image is implausibly large; reduce it or remove it"),
    ):
        path = tmp_path / name
        path.write_bytes(png_header(*size))
        with pytest.raises(InputError, match=rf"{name}: {reason}"):
            images.read_image(path)
    assert most % 5 == 0
    assert (most + 1) % 6 == 0


def test_reasons_are_told_apart(tmp_path, save):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_bytes(b"x")
    for name, reason in (
        ("empty.png", "is empty; replace or remove it"),
        ("text.png", "is not an image; replace or remove it"),
        ("absent.png", "no such file"),
    ):
        with pytest.raises(InputError) as caught:
            images.open_image(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {reason}"


def test_opened_image_outlives_its_file(tmp_path, save):
    path = save(tmp_path / "turned.png", np.uint8([[1, 2, 3]]))
    image = images.open_image(path)
    path.unlink()
    assert np.asarray(image).tolist() == [[1, 2, 3]]


# Encoding


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_png_holds_the_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    # Views that do not lie in one piece too.
    for each in (pixels, pixels[:, ::-1], pixels[::2, 1:4]):
        with Image.open(io.BytesIO(images.encode_image(each, ".png"))) as image:
            assert image.format == "PNG"
            np.testing.assert_array_equal(np.asarray(image), each)


def test_jpeg_is_nearly_the_pixels_in_the_same_colours():
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 200, 90
    content = images.encode_image(pixels, ".jpg")
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        np.testing.assert_allclose(np.asarray(image), pixels, atol=4)
