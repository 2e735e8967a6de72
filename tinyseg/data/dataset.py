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
from tinyseg.data.labels import parse
from tinyseg.data.masks import open_mask
from tinyseg.data.reading import Place, Reading, survey
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
        page: number of the page where files hold several; None for files of one image.
    """

    name: str
    label: str = ""
    image: Path | None = None
    masks: tuple[Path, ...] = ()
    group: str = ""
    page: int | None = dataclasses.field(default=None, kw_only=True)

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
        regions: what each channel of a mask marks; none where images are to be classified. Where
            masks are files, this is known once they were read: see :meth:`prepared`.
        classes: labels that images are to be classified by; none where they are segmented.
        variant: how the files are read where that can be chosen, as part of the fingerprint.
        labels: which values of mask files mean what, see :func:`tinyseg.data.labels.parse`; empty
            to find it.
        reading: how the files are read, once that was found.
    """

    name: str
    samples: tuple[Sample, ...]
    root: Path | None = None
    regions: tuple[str, ...] = ("foreground",)
    classes: tuple[str, ...] = ()
    variant: str = ""
    labels: str = ""
    reading: Reading | None = None

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
            reading=None,
        )

    def labelled(self, labels: str) -> Dataset:
        """Return the dataset with what a user says that values of masks mean.

        Args:
            labels: see :func:`tinyseg.data.labels.parse`.

        Raises:
            InputError: it is nonsense, or there are no mask files.
        """
        parse(labels)
        if self.samples and not self._takes_labels():
            raise InputError(f"{self.root or self.name}: labels= is for masks in files")
        variant = f"{self.variant} labels={labels}".strip()
        return dataclasses.replace(self, labels=labels, variant=variant, reading=None)

    def _takes_labels(self) -> bool:
        return any(images.is_image(mask) for sample in self.samples for mask in sample.masks)

    def surveyed(self) -> Dataset:
        """Return the dataset with its ``reading`` and regions, which takes opening all files.

        Raises:
            InputError: ``labels`` is nonsense or names what no mask holds.
        """
        if self.reading is not None:
            return self
        pictures: list[Place] = [
            (s.image, s.page) for s in self.samples if s.image and images.is_image(s.image)
        ]
        masks: list[Place] = []
        if self.regions:
            masks = [
                (mask, s.page) for s in self.samples for mask in s.masks if images.is_image(mask)
            ]
        reading = survey(pictures, masks, self.labels, str(self.root or self.name))
        regions = reading.rule.names if masks else self.regions
        return dataclasses.replace(self, reading=reading, regions=regions)

    def prepared(self) -> Dataset:
        """Return the dataset with what :meth:`surveyed` finds, all being plain.

        Raises:
            InputError: as of :meth:`surveyed`, or the masks do not say what is foreground.
        """
        dataset = self.surveyed()
        assert dataset.reading is not None
        if dataset.reading.question:
            raise InputError(dataset.reading.question)
        return dataset

    @functools.cached_property
    def _ready(self) -> Dataset:
        return self.prepared()

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Read one sample at its own resolution.

        Returns:
            The image, uint8 ``(height, width)`` or ``(height, width, channels)``, and the mask,
            uint8 with values 0 and 1: ``(height, width)``, or ``(height, width, regions)``
            where there is not exactly one region.

        Raises:
            InputError: a file cannot be decoded, sizes differ, or the masks do not say what is
                foreground.
        """
        ready = self._ready
        if not ready.regions:
            image = ready._read_image(sample)
            return image, np.zeros((*image.shape[:2], 0), np.uint8)
        return ready._read_both(sample)

    def read_image(self, sample: Sample) -> np.ndarray:
        """Read the image of one sample, see :meth:`read`."""
        return self.surveyed()._read_image(sample)

    def read_mask(self, path: Path, sample: Sample) -> np.ndarray:
        """Read one of the mask files of a sample, see :meth:`read`.

        Raises:
            InputError: it cannot be decoded.
        """
        dataset = self.surveyed()
        assert dataset.reading is not None
        return dataset.reading.rule.apply(open_mask(path, sample.page))

    def _read_image(self, sample: Sample) -> np.ndarray:
        return self._read_picture(sample)

    def _read_picture(self, sample: Sample) -> np.ndarray:
        """Read an image file."""
        whites = self.reading.whites if self.reading else {}
        if not whites and sample.page is None:
            return images.read_image(sample.path)
        return images.read_image(sample.path, whites, sample.page)

    def _read_both(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        image = self._read_image(sample)
        return image, self._read_masks(sample, image.shape[:2])

    def _read_masks(self, sample: Sample, shape: tuple[int, ...]) -> np.ndarray:
        """Read the mask files of a sample and unite them; all background if there are none."""
        count = len(self.regions)
        united = np.zeros((*shape, count) if count > 1 else shape, np.uint8)
        for path in sample.masks:
            mask = self.read_mask(path, sample)
            if mask.shape[:2] != shape:
                raise InputError(
                    f"{path}: mask is {mask.shape[1]}x{mask.shape[0]} but its image is "
                    f"{shape[1]}x{shape[0]}; export both at one size"
                )
            united |= mask
        return united

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
