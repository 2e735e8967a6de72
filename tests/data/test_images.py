import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import images, masks
from tinyseg.errors import InputError

GREY = np.array([[0, 10, 20], [128, 200, 255]], np.uint8)
COLOUR = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 8, 7]]], np.uint8)
# How each EXIF orientation maps stored pixels to upright ones (EXIF 2.32, tag 0x0112).
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.T,
    6: lambda stored: stored[::-1].T,
    7: lambda stored: stored[::-1, ::-1].T,
    8: lambda stored: stored.T[::-1],
}


def with_alpha(colour, alpha):
    return np.dstack([colour, np.broadcast_to(np.uint8(alpha), colour.shape[:2])])


def palette(indices, colours):
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette([value for colour in colours for value in colour])
    return image


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def png_header(width, height):
    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("grey.png", GREY, GREY),
        ("rgb.png", COLOUR, COLOUR),
        ("rgb.bmp", COLOUR, COLOUR),
        ("one_bit.png", Image.fromarray(GREY > 100), np.where(GREY > 100, 255, 0)),
        ("transparent.png", with_alpha(COLOUR, [[0, 255], [128, 1]]), COLOUR),
        ("grey_alpha.png", Image.fromarray(np.dstack([GREY, GREY[::-1]]), "LA"), GREY),
        ("palette.png", palette(np.uint8([[1, 0]]), [(1, 2, 3), (250, 0, 9)]),
         [[[250, 0, 9], [1, 2, 3]]]),
        ("deep.png", np.uint16([[0, 257, 51400, 65535]]), [[0, 1, 200, 255]]),
        ("deep.tif", np.array([[0, 257, 32896, 65535]], ">u2"), [[0, 1, 128, 255]]),
        ("int.tif", np.int32([[0, 51400, 65535, 99999]]), [[0, 200, 255, 255]]),
        ("unit.tif", np.float32([[0, 0.2, 1]]), [[0, 51, 255]]),
        ("real.tif", np.float32([[0, 99.6, 300]]), [[0, 100, 255]]),
        ("ink.tif", Image.new("CMYK", (2, 1), (0, 0, 0, 0)), np.full((1, 2, 3), 255)),
    ],
)  # fmt: skip
def test_image_of_any_kind_becomes_8_bit(tmp_path, save, name, content, expected):
    pixels = images.read_image(save(tmp_path / name, content))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, save, orientation):
    stored = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
    path = save(tmp_path / "turned.png", stored, exif=exif(orientation))
    np.testing.assert_array_equal(images.read_image(path), UPRIGHT[orientation](stored))


def test_exif_orientation_of_a_photograph(tmp_path, save):
    stored = np.zeros((16, 48), np.uint8)
    stored[:, :24] = 255
    path = save(tmp_path / "photo.jpg", stored, exif=exif(6), quality=95)
    pixels = images.read_image(path)
    assert pixels.shape == (48, 16)
    assert pixels[:20].min() > 240
    assert pixels[28:].max() < 15


def damaged(tmp_path, kind):
    whole = tmp_path / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    Image.fromarray(noise).save(whole)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    content = {
        "empty": b"",
        "text": b"Not an image at all, only its name says so.",
        "truncated": whole.read_bytes()[:900],
        "header": whole.read_bytes()[:20],
        "flipped": whole.read_bytes()[:300] + b"\xff" * 40 + whole.read_bytes()[340:],
        "photo": (tmp_path / "whole.jpg").read_bytes()[:700],
        "bomb": png_header(20_000, 20_000),
        "large": png_header(10_000, 10_000),
    }[kind]
    path = tmp_path / f"{kind}.png"
    path.write_bytes(content)
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("read", [images.read_image, masks.open_mask])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "is empty; replace or remove"),
        ("text", "is not an image; replace or remove"),
        ("truncated", "cannot be decoded .*; replace or remove"),
        ("header", "(cannot be decoded|is not an image).*; replace or remove"),
        ("flipped", "cannot be decoded .*; replace or remove"),
        ("photo", "cannot be decoded .*; replace or remove"),
        ("bomb", "implausibly large; reduce"),
        ("large", "implausibly large; reduce"),
    ],
)
def test_damaged_file_is_named_with_a_cure(tmp_path, read, kind, reason):
    path = damaged(tmp_path, kind)
    with pytest.raises(InputError, match=reason) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="no such file"):
        images.read_image(tmp_path / "absent.png")
    with pytest.raises(InputError, match="cannot be decoded"):
        images.read_image(tmp_path / "folder.png")


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "NaN"), (np.inf, "infinity"), (-1, "negative")]
)
def test_values_that_are_no_brightness_are_refused(tmp_path, save, value, reason):
    path = save(tmp_path / "odd.tif", np.float32([[0, 1], [0.5, value]]))
    with pytest.raises(InputError, match=reason):
        images.read_image(path)


@pytest.mark.parametrize("name", ["benign (433).png", "d\u00e9bit \u00e9cho \u8d85\u58f0.png"])
def test_names_may_hold_anything(tmp_path, save, name):
    np.testing.assert_array_equal(images.read_image(save(tmp_path / name, GREY)), GREY)


def test_reading_leaves_the_warning_filters_alone(tmp_path, save, monkeypatch):
    path, before, during = save(tmp_path / "x.png", GREY), list(warnings.filters), []
    opened = Image.open

    def spy(*arguments, **options):
        during.append(list(warnings.filters))
        return opened(*arguments, **options)

    monkeypatch.setattr(images.Image, "open", spy)
    images.read_image(path)
    assert during == [before]
