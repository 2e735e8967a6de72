"""What every dataset is: a list of samples, and a way to read one."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np

from tinyseg import files
from tinyseg.data import images
from tinyseg.errors import InputError


@dataclasses.dataclass(frozen=True)
class Sample:
    """One image with its mask.

    Attributes:
        name: unique within the dataset; for files the path below the root without suffix.
        label: class of the image as a whole, for example ``benign``; empty if unknown.
        image: image file, None where the dataset generates its images.
        masks: mask files; the mask is their union, all background when there are none.
    """

    name: str
    label: str = ""
    image: Path | None = None
    masks: tuple[Path, ...] = ()


def natural_order(stem: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key that puts ``benign (2)`` before ``benign (10)``."""
    parts = re.split(r"(\d+)", stem)
    # The stem itself decides between equal numbers, such as 1 and 01.
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], stem


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images and masks in files. Subclasses may generate them instead.

    Attributes:
        name: short name for logs and reports.
        samples: in a fixed order.
        root: the folder read, None for generated data.
    """

    name: str
    samples: tuple[Sample, ...]
    root: Path | None = None

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def label_counts(self) -> dict[str, int]:
        """Number of samples of each label, sorted by label."""
        return dict(sorted(Counter(sample.label for sample in self.samples).items()))

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Read one sample at its own resolution.

        Returns:
            The image, uint8 ``(height, width)`` or ``(height, width, 3)``, and the mask,
            uint8 ``(height, width)`` with values 0 and 1.

        Raises:
            InputError: a file cannot be decoded or sizes differ.
        """
        image = images.read_image(sample.image)
        return image, images.read_masks(sample.masks, image.shape[:2])

    def fingerprint(self) -> str:
        """Return a SHA-256 over names, labels and file contents: equal data, equal value.

        Raises:
            InputError: a file cannot be read.
        """
        digest = hashlib.sha256()
        for sample in self.samples:
            digest.update(f"{sample.name}\0{sample.label}\0".encode())
            for path in (sample.image, *sample.masks):
                try:
                    digest.update(bytes.fromhex(files.sha256(path)))
                except OSError as error:
                    raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        return digest.hexdigest()
