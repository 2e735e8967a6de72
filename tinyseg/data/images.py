"""Decode image and mask files of every kind that medical data sets hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tinyseg.errors import InputError

# Pillow only warns above this size; filtering that warning would not be safe between threads.
MAX_PIXELS = 89_478_485
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


def image_files(folder: Path) -> list[Path]:
    """Return the image files of a folder, sorted; none if there is no such folder."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def open_image(path: Path) -> Image.Image:
    """Open an image file, decode it wholly and apply its EXIF orientation.

    Raises:
        InputError: the file is missing, empty, truncated, not an image, or so large that
            it may be a decompression bomb.
    """
    try:
        # From a stream, for Pillow 13 maps an uncompressed TIFF file that is to be turned wrongly.
        with path.open("rb") as stream, Image.open(stream) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            return ImageOps.exif_transpose(image)  # Which decodes it, turned or not.
    except UnidentifiedImageError:
        what = "is empty" if path.stat().st_size == 0 else "is not an image"
        raise InputError(f"{path}: {what}; replace or remove it") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path}: image is implausibly large; reduce it or remove it") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be decoded ({error}); replace or remove the file"
        ) from None


def read_image(path: Path) -> np.ndarray:
    """Read an image as 8-bit grey or RGB.

    Palettes are resolved, alpha is dropped, 16-bit values are scaled by 1/257, and floating
    point values are taken as [0, 1] if none exceeds 1 and as [0, 255] otherwise.

    Returns:
        uint8 array ``(height, width)`` or ``(height, width, 3)``.

    Raises:
        InputError: the file cannot be decoded, or holds NaN, infinity or negative values.
    """
    image = open_image(path)
    if image.mode in ("L", "RGB"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode == "LA":
        return np.asarray(image)[..., 0]
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        return _to_8_bit(np.asarray(image), path)
    return np.asarray(image.convert("RGB"))


def encode_image(pixels: np.ndarray, suffix: str) -> bytes:
    """Return the content of an image file.

    Args:
        pixels: uint8 grey ``(height, width)`` or RGB ``(height, width, 3)``.
        suffix: ``.png`` or ``.jpg``.
    """
    ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return cv2.imencode(suffix, np.ascontiguousarray(ordered))[1].tobytes()


def _to_8_bit(values: np.ndarray, path: Path) -> np.ndarray:
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinity; repair or remove it")
    if values.min() < 0:
        raise InputError(f"{path}: holds negative values; rescale it to 8 or 16 bits")
    if values.dtype.kind == "f" and values.max() <= 1:
        scale = 255.0
    else:
        scale = 1.0 if values.dtype.kind == "f" else 1 / 257
    return np.minimum(np.round(values * scale), 255).astype(np.uint8)


def read_mask(path: Path) -> np.ndarray:
    """Read one mask file; foreground is every pixel above half of the file's maximum.

    This takes {0, 1}, {0, 255}, 1-bit, palette, RGB and RGBA masks alike; alpha is ignored.

    Returns:
        uint8 array ``(height, width)`` with values 0 and 1.

    Raises:
        InputError: the file cannot be decoded.
    """
    values = mask_values(open_image(path)).astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinity; repair or remove it")
    return (values > values.max() / 2).astype(np.uint8)


def mask_values(image: Image.Image) -> np.ndarray:
    """Return one number a pixel of a mask: the brightest colour, alpha ignored.

    Returns:
        Array ``(height, width)`` of the file's own type.
    """
    if image.mode in ("P", "PA", "LA", "RGBA", "CMYK"):
        image = image.convert("RGB")
    values = np.asarray(image)
    return values.max(axis=-1) if values.ndim == 3 else values


def read_masks(paths: Sequence[Path], shape: tuple[int, int]) -> np.ndarray:
    """Read an image's masks and return their union.

    Args:
        paths: mask files; none means that everything is background.
        shape: height and width of the image.

    Returns:
        uint8 array of ``shape`` with values 0 and 1.

    Raises:
        InputError: a mask cannot be decoded or its size differs from the image's.
    """
    union = np.zeros(shape, np.uint8)
    for path in paths:
        mask = read_mask(path)
        if mask.shape != shape:
            raise InputError(
                f"{path}: mask is {mask.shape[1]}x{mask.shape[0]} but its image is "
                f"{shape[1]}x{shape[0]}; export both at one size"
            )
        union |= mask
    return union
