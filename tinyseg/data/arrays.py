"""NumPy arrays of images with their masks or labels, as a dataset."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from tinyseg.data.dataset import Dataset, Sample
from tinyseg.errors import InputError

NAME = "arrays"
_SHAPES = "(images, height, width) or (images, height, width, channels)"


@dataclasses.dataclass(frozen=True, eq=False)
class ArrayDataset(Dataset):
    """Images in memory; :func:`from_arrays` checks them.

    Attributes:
        pixels: uint8 ``(images, height, width)`` or ``(images, height, width, channels)``.
        marked: uint8 ``(images, height, width, regions)`` with values 0 and 1; no regions where
            images are to be classified.
    """

    pixels: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 0, 0), np.uint8))
    marked: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 0, 0, 0), np.uint8))

    def _read_image(self, sample: Sample) -> np.ndarray:
        return self.pixels[_row(sample)]

    def _read_both(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        mask = self.marked[_row(sample)]
        return self._read_image(sample), mask[..., 0] if mask.shape[-1] == 1 else mask

    def fingerprint(self) -> str:
        """Return a SHA-256 over labels, shapes and pixels."""
        labels = "\0".join(sample.label for sample in self.samples)
        digest = hashlib.sha256(f"arrays {self.variant}\0{labels}".encode())
        for values in (self.pixels, self.marked):
            digest.update(f"\0{values.shape}\0".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def from_arrays(images: np.ndarray, truth: np.ndarray) -> Dataset:
    """Make a dataset of arrays.

    Args:
        images: ``(images, height, width)`` or ``(images, height, width, channels)``: uint8, or
            floating point in [0, 1], which becomes 8 bits.
        truth: masks ``(images, height, width)`` or ``(images, height, width, regions)`` of 0 and
            another value, 1 or 255 for example; or labels ``(images,)``, text or whole numbers,
            by which images are to be classified.

    Raises:
        InputError: shapes or values are others.
    """
    pixels, truth = to_pixels(images), np.asarray(truth)
    if len(pixels) != len(truth):
        raise InputError(f"arrays: {len(pixels)} images but {len(truth)} masks or labels")
    if truth.ndim == 1:
        labels = [str(label) for label in truth]
        marked = np.zeros((*pixels.shape[:3], 0), np.uint8)
    else:
        labels, marked = [""] * len(truth), _marked(truth, pixels.shape[:3])
    samples = tuple(Sample(f"image_{row:06d}", label) for row, label in enumerate(labels))
    regions = tuple(f"region {number}" for number in range(1, marked.shape[-1] + 1))
    dataset = ArrayDataset(
        NAME,
        samples,
        regions=("foreground",) if len(regions) == 1 else regions,
        pixels=pixels,
        marked=marked,
    )
    return dataset.classified() if truth.ndim == 1 else dataset


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Return images as 8 bits.

    Args:
        images: as of :func:`from_arrays`.

    Returns:
        uint8 of the same shape.

    Raises:
        InputError: shape or values are others.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or 0 in images.shape or (images.ndim == 4 and images.shape[3] > 4):
        raise InputError(f"arrays: images are {images.shape}; they have to be {_SHAPES}, 4 at most")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise InputError(f"arrays: images are {images.dtype}; give uint8, or floats in [0, 1]")
    if not (images.min() >= 0 and images.max() <= 1):
        raise InputError("arrays: images of floats have values outside [0, 1]; rescale them")
    return np.round(images * 255).astype(np.uint8)


def _marked(masks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return masks as uint8 ``(images, height, width, regions)`` with values 0 and 1."""
    if masks.ndim == 3:
        masks = masks[..., None]
    if masks.shape[:3] != shape or masks.ndim != 4:
        raise InputError(f"arrays: masks are {masks.shape}, images {shape}; give both at one size")
    if len({0, *np.unique(masks).tolist()}) > 2:
        raise InputError("arrays: masks have to hold 0 and one other value; one region a channel")
    return (masks != 0).astype(np.uint8)


def _row(sample: Sample) -> int:
    return int(sample.name.rsplit("_", 1)[1])
