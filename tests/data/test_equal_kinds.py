"""Files of every kind that say the same are read as the same."""

import h5py
import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.data.made import MASKED_PICTURES, PICTURES, every
from tests.data.makers import volume
from tests.data.reports import palette


def rgba(mask):
    return Image.fromarray(np.dstack([255 * mask] * 3 + [np.full_like(mask, 9)]))


MASKS = {
    "0 and 1": lambda mask: Image.fromarray(mask),
    "1-bit": lambda mask: Image.fromarray(255 * mask).convert("1"),
    "palette": lambda mask: palette(mask, [0, 0, 0, 200, 30, 60]),
    "RGB": lambda mask: Image.fromarray(255 * mask).convert("RGB"),
    "RGBA": rgba,
    "16-bit": lambda mask: Image.fromarray(mask.astype(np.uint16) * 65535),
}


@every(MASKED_PICTURES)
@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_every_kind_mean_the_same(made, kind):
    _, before = made.read()
    MASKS[kind](before).save(made.mask)
    np.testing.assert_array_equal(made.read()[1], before)


@every(["brats2020"])
@pytest.mark.parametrize("kind", ["0 and 255", "bool", "real"])
def test_h5_masks_of_every_kind_mean_the_same(made, kind):
    _, before = made.read()
    with h5py.File(made.image, "a") as file:
        del file["mask"]
        file["mask"] = {"0 and 255": 255 * before, "bool": before > 0, "real": 1.0 * before}[kind]
    np.testing.assert_array_equal(made.read()[1], before)


@every(["brats_nifti"])
@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_nifti_of_every_kind_means_the_same(made, kind):
    before = made.read()
    for path in (made.image, made.mask):
        volume(path, np.asanyarray(nibabel.load(path).dataobj).astype(kind))
    for array, other in zip(made.read(), before, strict=True):
        np.testing.assert_array_equal(array, other)


@every(["brats_nifti"])
def test_uncompressed_and_scaled_nifti_mean_the_same(made):
    before = made.read()
    image = nibabel.load(made.image)
    values = np.asanyarray(image.dataobj)
    scaled = nibabel.Nifti1Image(values, image.affine)
    scaled.header.set_slope_inter(0.5, 3)
    made.image.unlink()
    made.image = made.image.with_suffix("")
    nibabel.save(scaled, made.image)
    for array, other in zip(made.read(), before, strict=True):
        np.testing.assert_allclose(array, other, atol=1)


def turned(image):
    """The same picture, stored on its side with an EXIF tag that says so."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return image.transpose(Image.Transpose.ROTATE_90), {"exif": tags}


def sixteen_bits(image):
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), {}


IMAGES = {
    "EXIF": turned,
    "16-bit": sixteen_bits,
    "RGBA": lambda image: (image.convert("RGBA"), {}),
}


@every(PICTURES)
@pytest.mark.parametrize("kind", IMAGES)
def test_images_of_every_kind_mean_the_same(made, kind):
    with Image.open(made.image) as image:
        image.load()
    if kind == "16-bit":  # There is no such colour.
        image = image.convert("L")
        image.save(made.image)
    before = made.read()[0]
    other, options = IMAGES[kind](image)
    other.save(made.image, **options)
    after = made.read()[0]
    np.testing.assert_array_equal(after[..., 0] if after.ndim > before.ndim else after, before)
