"""What every dataset is: a list of samples, and a way to read one."""

from __future__ import annotations

import dataclasses
import functools
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
        group: patient or specimen that a split never parts; empty if unknown.
    """

    name: str
    label: str = ""
    image: Path | None = None
    masks: tuple[Path, ...] = ()
    group: str = ""

    @property
    def path(self) -> Path:
        """The image file of a sample that is not generated."""
        assert self.image is not None
        return self.image

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the sample is read from, none where it is generated."""
        return (self.image, *self.masks) if self.image else ()


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
        regions: what each channel of a mask marks; none where images are to be classified.
        classes: labels that images are to be classified by; none where they are segmented.
        variant: how the files are read where that can be chosen, as part of the fingerprint.
    """

    name: str
    samples: tuple[Sample, ...]
    root: Path | None = None
    regions: tuple[str, ...] = ("foreground",)
    classes: tuple[str, ...] = ()
    variant: str = ""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def label_counts(self) -> dict[str, int]:
        """Number of samples of each label, sorted by label."""
        return dict(sorted(Counter(sample.label for sample in self.samples).items()))

    @property
    def task(self) -> str:
        """``segmentation`` or ``classification``."""
        return "classification" if self.classes else "segmentation"

    def classified(self) -> Dataset:
        """Return the same images, to be classified by their labels instead of segmented.

        Raises:
            InputError: there are not two labels, or an image has none.
        """
        labels = tuple(self.label_counts)
        if len(labels) < 2 or "" in labels:
            raise InputError(
                f"{self.root or self.name}: images cannot be classified without two labels or "
                "more; lay them out in one folder a class"
            )
        return dataclasses.replace(
            self,
            samples=tuple(dataclasses.replace(sample, masks=()) for sample in self.samples),
            regions=(),
            classes=labels,
            variant=f"{self.variant} classification".strip(),
        )

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Read one sample at its own resolution.

        Returns:
            The image, uint8 ``(height, width)`` or ``(height, width, channels)``, and the mask,
            uint8 with values 0 and 1: ``(height, width)``, or ``(height, width, regions)``
            where there is not exactly one region.

        Raises:
            InputError: a file cannot be decoded or sizes differ.
        """
        if not self.regions:
            image = self._read_image(sample)
            return image, np.zeros((*image.shape[:2], 0), np.uint8)
        return self._read_both(sample)

    def _read_image(self, sample: Sample) -> np.ndarray:
        return images.read_image(sample.path)

    def _read_both(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        image = self._read_image(sample)
        return image, images.read_masks(sample.masks, image.shape[:2])

    def fingerprint(self) -> str:
        """Return a SHA-256 over names, labels and file contents: equal data, equal value.

        Raises:
            InputError: a file cannot be read.
        """
        digest, hashed = hashlib.sha256(), functools.cache(_sha256)
        for sample in self.samples:
            digest.update(f"{sample.name}\0{sample.label}\0".encode())
            for path in sample.files:
                digest.update(hashed(path))
        digest.update(self.variant.encode())
        return digest.hexdigest()


def _sha256(path: Path) -> bytes:
    try:
        return bytes.fromhex(files.sha256(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
