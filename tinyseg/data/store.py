"""Decoded, resized images as memory-mapped arrays: each file is decoded once, not every epoch."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tinyseg.data import duplicates
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.progress import track

# Part of the cache key: raise it whenever resizing changes.
_LAYOUT_VERSION = 1
_ARRAYS = ("images", "masks", "signatures")


@dataclasses.dataclass(frozen=True)
class ImageStore:
    """A dataset at the network's resolution.

    Attributes:
        samples: what the rows are.
        images: uint8 ``(n, height, width, channels)``.
        masks: uint8 ``(n, height, width, 1)`` with values 0 and 1.
        signatures: float32 ``(n, 4096)``, see :mod:`tinyseg.data.duplicates`.
        fingerprint: SHA-256 of the dataset.
    """

    samples: tuple[Sample, ...]
    images: np.ndarray
    masks: np.ndarray
    signatures: np.ndarray
    fingerprint: str

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def names(self) -> list[str]:
        """Sample names in row order."""
        return [sample.name for sample in self.samples]

    @property
    def labels(self) -> list[str]:
        """Sample labels in row order."""
        return [sample.label for sample in self.samples]

    @functools.cached_property
    def grey(self) -> bool:
        """Whether all channels of every image are equal, so that one of them will do."""
        return all(
            np.array_equal(self.images[..., 0], self.images[..., channel])
            for channel in range(1, self.images.shape[-1])
        )

    def groups(self) -> np.ndarray:
        """Group numbers ``(n,)``: near-duplicate images share one."""
        return duplicates.groups(len(self), duplicates.near_duplicates(self.signatures))

    def select(self, names: Sequence[str]) -> ImageStore:
        """Return the rows with the given names, in that order."""
        row = {name: index for index, name in enumerate(self.names)}
        rows = [row[name] for name in names]
        return ImageStore(
            tuple(self.samples[i] for i in rows),
            self.images[rows],
            self.masks[rows],
            self.signatures[rows],
            self.fingerprint,
        )

    def inputs(self, preprocessing: PreprocessingPlan) -> np.ndarray:
        """Return the network's input, float32 ``(n, height, width, channels)``."""
        return normalise(self.images, preprocessing)


def normalise(images: np.ndarray, preprocessing: PreprocessingPlan) -> np.ndarray:
    """Map pixel values 0..255 to the network's input range, float32."""
    scale, offset = np.float32(preprocessing.scale), np.float32(preprocessing.offset)
    return images.astype(np.float32) * scale + offset


def resize_image(image: np.ndarray, preprocessing: PreprocessingPlan) -> np.ndarray:
    """Stretch an image to the network's size and number of channels.

    Args:
        image: uint8 ``(height, width)`` or ``(height, width, 3)``.
        preprocessing: target size and channels.

    Returns:
        uint8 ``(height, width, channels)``; area averaging when shrinking, else bilinear.
    """
    if preprocessing.channels == 1 and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = (preprocessing.width, preprocessing.height)
    if image.shape[1::-1] != size:
        shrinks = image.shape[0] * image.shape[1] > size[0] * size[1]
        image = cv2.resize(
            image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
    if image.ndim == 2:
        image = np.repeat(image[..., None], preprocessing.channels, axis=-1)
    return image


def resize_mask(mask: np.ndarray, preprocessing: PreprocessingPlan) -> np.ndarray:
    """Stretch a binary mask to the network's size; nearest neighbour keeps it binary.

    Returns:
        uint8 ``(height, width, 1)`` with values 0 and 1.
    """
    size = (preprocessing.width, preprocessing.height)
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)[..., None]


def cache_folder() -> Path:
    """Return where decoded images are kept: ``$TINYSEG_CACHE`` or ``~/.cache/tinyseg``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TINYSEG_CACHE") or Path(base) / "tinyseg")


def open_store(dataset: Dataset, preprocessing: PreprocessingPlan) -> ImageStore:
    """Decode and resize a dataset, or map the arrays that an earlier call left in the cache.

    Raises:
        InputError: an image or mask is unusable, or the cache cannot be written.
    """
    fingerprint = dataset.fingerprint()
    size = f"{preprocessing.height}x{preprocessing.width}x{preprocessing.channels}"
    key = hashlib.sha256(f"{_LAYOUT_VERSION} {fingerprint} {size}".encode()).hexdigest()[:32]
    folder = cache_folder() / key
    if not folder.is_dir():
        _fill(folder, dataset, preprocessing)
    try:
        arrays = _map(folder)
    except (OSError, ValueError, EOFError):  # A damaged cache is as good as none.
        shutil.rmtree(folder, ignore_errors=True)
        _fill(folder, dataset, preprocessing)
        arrays = _map(folder)
    return ImageStore(dataset.samples, *arrays, fingerprint)


def _map(folder: Path) -> list[np.ndarray]:
    return [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS]


def _fill(folder: Path, dataset: Dataset, preprocessing: PreprocessingPlan) -> None:
    """Write the arrays into a folder beside ``folder`` and rename it when they are whole."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".filling-", dir=folder.parent))
    except OSError as error:
        raise InputError(
            f"{folder.parent}: cannot write the image cache ({error.strerror}); "
            "set TINYSEG_CACHE to a writable folder"
        ) from None
    try:
        size = (len(dataset), preprocessing.height, preprocessing.width)
        shapes = ((*size, preprocessing.channels), (*size, 1), (size[0], duplicates.SIDE**2))
        kinds = (np.uint8, np.uint8, np.float32)
        arrays = [
            np.lib.format.open_memmap(temporary / f"{name}.npy", "w+", kind, shape)
            for name, kind, shape in zip(_ARRAYS, kinds, shapes, strict=True)
        ]

        def decode(sample: Sample) -> tuple[np.ndarray, ...]:
            image, mask = dataset.read(sample)
            return (
                resize_image(image, preprocessing),
                resize_mask(mask, preprocessing),
                duplicates.signature(image),
            )

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = pool.map(decode, dataset.samples)
            for index, row in enumerate(track(rows, f"decoding {dataset.name}", len(dataset))):
                for array, value in zip(arrays, row, strict=True):
                    array[index] = value
        for array in arrays:
            array.flush()
        temporary.replace(folder)
    except OSError:
        # Another process may have filled the same folder meanwhile; that is as good.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
