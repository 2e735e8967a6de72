"""Decode image files of every kind that medical data sets hold."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tinyseg.data import dicom, tree
from tinyseg.errors import InputError

# Pillow only warns above this size; filtering that warning would not be safe between threads.
MAX_PIXELS = 89_478_485
IMAGE_SUFFIXES = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm"),
        *dicom.SUFFIXES,
    }
)
# Pictures, volumes and arrays that are not read, so that they can be named with the cure.
UNREAD_SUFFIXES = frozenset(
    {
        *(".heic", ".heif", ".avif", ".jp2", ".jxl", ".tga", ".psd", ".svg", ".xcf", ".exr"),
        *(".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".img", ".mat", ".npy", ".npz"),
        *(".czi", ".lif", ".nd2", ".lsm", ".svs", ".ima", ".raw", ".pdf", ".eps"),
    }
)
NO_WHITES: Mapping[str, float] = MappingProxyType({})
# What decoders let through when a file is damaged.
DAMAGES = (
    *(OSError, SyntaxError, ValueError, EOFError, ArithmeticError, LookupError, TypeError),
    *(AttributeError, RuntimeError, MemoryError, struct.error, zlib.error),
)


def is_image(path: Path) -> bool:
    """Return, by its name, whether a file is an image that is read."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def image_files(folder: Path) -> list[Path]:
    """Return the image files of a folder, sorted; none if there is no such folder."""
    return [path for path in tree.entries(folder) if is_image(path)]


def images_below(root: Path) -> list[Path]:
    """Return the image files at any depth, sorted."""
    return sorted(path for path in tree.files_below(root) if is_image(path))


def open_image(path: Path, page: int | None = None) -> Image.Image:
    """Open an image file, decode it wholly and apply its EXIF orientation.

    Args:
        path: of any kind that Pillow reads, or DICOM.
        page: of a TIFF stack, an animation or a multi-frame DICOM file; None for the first.

    Raises:
        InputError: the file is missing, empty, truncated, not an image, or so large that
            it may be a decompression bomb.
    """
    # From a stream, for Pillow 13 maps an uncompressed TIFF file that is to be turned wrongly.
    with _explained(str(path), lambda: path.stat().st_size), path.open("rb") as stream:
        if dicom.is_dicom(stream, path):
            return dicom.open_dicom(stream, path, page or 0, MAX_PIXELS)
        return _decoded(stream, page, MAX_PIXELS)


def decode_image(
    content: bytes, name: str, formats: Sequence[str], most_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Decode an image in memory wholly and apply its EXIF orientation.

    Args:
        content: of the file.
        name: of the image in messages.
        formats: that it may have, by Pillow's names.
        most_pixels: that it may have.

    Raises:
        InputError: as of :func:`open_image`, or it has another format.
    """
    with _explained(name, lambda: len(content)):
        return _decoded(io.BytesIO(content), None, most_pixels, formats)


def _decoded(
    stream: IO[bytes], page: int | None, most_pixels: int, formats: Sequence[str] | None = None
) -> Image.Image:
    with Image.open(stream, formats=None if formats is None else tuple(formats)) as image:
        if image.width * image.height > most_pixels:
            raise Image.DecompressionBombError
        if page:
            image.seek(page)
        return ImageOps.exif_transpose(image)  # Which decodes it, turned or not.


@contextlib.contextmanager
def _explained(name: str, size: Callable[[], int]) -> Iterator[None]:
    """Turn what decoders raise into one line."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError:
        what = "is empty" if size() == 0 else "is not an image"
        raise InputError(f"{name}: {what}; replace or remove it") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name}: image is implausibly large; reduce it or remove it") from None
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except DAMAGES as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{name}: cannot be decoded ({reason}); replace or remove the file"
        ) from None


def deep_kind(image: Image.Image) -> str:
    """Return ``whole`` or ``real`` for an image of more than 8 bits, else nothing."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return "whole"
    return "real" if image.mode == "F" else ""


def read_image(
    path: Path, whites: Mapping[str, float] = NO_WHITES, page: int | None = None
) -> np.ndarray:
    """Read an image as 8-bit grey or RGB.

    Palettes are resolved and alpha is dropped.

    Args:
        path: the file.
        whites: what is white in images of ``whole`` numbers of more than 8 bits, 65535 if not
            given, and of ``real`` ones: 1 where none exceeds it and 255 otherwise.
        page: see :func:`open_image`.

    Returns:
        uint8 array ``(height, width)`` or ``(height, width, 3)``.

    Raises:
        InputError: the file cannot be decoded, or holds NaN, infinity or negative values.
    """
    return pixels_of(open_image(path, page), path, whites)


def pixels_of(image: Image.Image, path: Path | str, whites: Mapping[str, float]) -> np.ndarray:
    """Return what :func:`read_image` does of an image that is open."""
    if image.mode in ("L", "RGB"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode == "LA":
        return np.asarray(image)[..., 0]
    if kind := deep_kind(image):
        values = deep_values(image, path)
        white = whites.get(kind)
        if not white:
            white = 65535 if kind == "whole" else 1 if values.max() <= 1 else 255
        return np.minimum(np.round(values * (255 / white)), 255).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def deep_values(image: Image.Image, path: Path | str) -> np.ndarray:
    """Return the values of an image of more than 8 bits, ``(height, width)``.

    Raises:
        InputError: they are NaN, infinite or negative.
    """
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinity; repair or remove it")
    if values.min() < 0:
        raise InputError(f"{path}: holds negative values; rescale it to 8 or 16 bits")
    return values


def encode_image(pixels: np.ndarray, suffix: str) -> bytes:
    """Return the content of an image file.

    Args:
        pixels: uint8 grey ``(height, width)`` or RGB ``(height, width, 3)``.
        suffix: ``.png`` or ``.jpg``.
    """
    ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return cv2.imencode(suffix, np.ascontiguousarray(ordered))[1].tobytes()
