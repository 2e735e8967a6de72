"""Decoded, resized images as memory-mapped arrays: each file is decoded once, not every epoch."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg import files
from tinyseg.data import doubts, duplicates
from tinyseg.data.balance import balanced_rows
from tinyseg.data.cache import filling
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.examination import pixel_doubts
from tinyseg.data.problems import Problem
from tinyseg.errors import InputError
from tinyseg.places import cache_folder
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise, resize_image, resize_mask
from tinyseg.progress import track

# Part of the cache key: raise it whenever reading or resizing changes.
_LAYOUT_VERSION = 2
_ARRAYS = ("images", "masks", "signatures")
_ABOUT = "about.json"


@dataclasses.dataclass(frozen=True)
class ImageStore:
    """A dataset at the network's resolution.

    Attributes:
        samples: what the rows are.
        images: uint8 ``(n, height, width, channels)``.
        masks: uint8 ``(n, height, width, regions)`` with values 0 and 1; no regions where images
            are to be classified.
        signatures: float32 ``(n, 4096)``, see :mod:`tinyseg.data.duplicates`.
        fingerprint: SHA-256 of the dataset.
        regions: what each channel of a mask marks.
        classes: labels that images are to be classified by, none where they are segmented.
        whites: what is white in images of more than 8 bits, see
            :func:`tinyseg.data.images.read_image`.
        doubts: about files, and about the dataset as a whole.
    """

    samples: tuple[Sample, ...]
    images: np.ndarray
    masks: np.ndarray
    signatures: np.ndarray
    fingerprint: str
    regions: tuple[str, ...] = ("foreground",)
    classes: tuple[str, ...] = ()
    whites: Mapping[str, float] = dataclasses.field(default_factory=dict)
    doubts: tuple[Problem, ...] = ()

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

    @property
    def task(self) -> str:
        """``segmentation`` or ``classification``."""
        return "classification" if self.classes else "segmentation"

    @functools.cached_property
    def targets(self) -> np.ndarray:
        """What a network learns: the masks, or uint8 ``(n, classes)`` with a 1 for the class."""
        if not self.classes:
            return self.masks
        numbers = [self.classes.index(label) for label in self.labels]
        return np.eye(len(self.classes), dtype=np.uint8)[numbers]

    def groups(self) -> np.ndarray:
        """Group numbers ``(n,)``: near-duplicate images and those of one patient share one.

        Of a patient's images only the middle one is held against others: that finds patients who
        stand in a dataset twice, and takes seconds where all slices of hundreds take minutes.
        """
        members: dict[str, list[int]] = {}
        for row, sample in enumerate(self.samples):
            members.setdefault(sample.group or f"\0{row}", []).append(row)
        middles = np.array([rows[len(rows) // 2] for rows in members.values()], int)
        same = duplicates.near_duplicates(self.signatures[middles])
        numbers = duplicates.groups(len(members), same)
        group_of = np.empty(len(self), int)
        for number, rows in zip(numbers, members.values(), strict=True):
            group_of[rows] = number
        return group_of

    def select(self, names: Sequence[str]) -> ImageStore:
        """Return the rows with the given names, in that order."""
        row = {name: index for index, name in enumerate(self.names)}
        return self.take([row[name] for name in names])

    def spread(self, count: int) -> np.ndarray:
        """Return so many rows, or all if there are fewer; the same ones every time.

        If any image has foreground, one of them has.
        """
        # Evenly spaced rows hold every label, for samples lie in order of labels.
        rows = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)
        marked = np.flatnonzero(self.masks.any((1, 2, 3)))
        if len(marked) and len(rows) and not np.isin(rows, marked).any():
            # Without any foreground among them nothing could be told of a network.
            rows[np.abs(rows - marked[0]).argmin()] = marked[0]
        return rows

    def balanced(self) -> ImageStore:
        """Return the rows with those of rarer labels several times, so that all are as frequent.

        In training each occurrence is augmented in its own way, for it is a row of its own.
        """
        return self.take(balanced_rows(self.labels))

    def take(self, rows: Sequence[int] | np.ndarray) -> ImageStore:
        """Return the rows with the given numbers, in that order; a row may come several times."""
        rows = np.asarray(rows, int)
        return dataclasses.replace(
            self,
            samples=tuple(self.samples[row] for row in rows),
            images=self.images[rows],
            masks=self.masks[rows],
            signatures=self.signatures[rows],
        )

    def inputs(self, preprocessing: PreprocessingPlan) -> np.ndarray:
        """Return the network's input, float32 ``(n, height, width, channels)``."""
        return normalise(self.images, preprocessing)


def open_store(dataset: Dataset, preprocessing: PreprocessingPlan) -> ImageStore:
    """Decode and resize a dataset, or map the arrays that an earlier call left in the cache.

    Raises:
        InputError: an image or mask is unusable, the masks do not say what is foreground, or the
            cache cannot be written.
    """
    fingerprint = dataset.fingerprint()
    size = f"{preprocessing.height}x{preprocessing.width}x{preprocessing.channels}"
    # A file may be called what it is not: with one content, one name is read and another refused.
    kinds = "".join(path.suffix.lower() for sample in dataset.samples for path in sample.files)
    named = f"{_LAYOUT_VERSION} {fingerprint} {size} {kinds}"
    key = hashlib.sha256(named.encode()).hexdigest()[:32]
    folder = cache_folder() / key
    if not folder.is_dir():
        _fill(folder, dataset, preprocessing)
    try:
        arrays, about = _map(folder)
    except (OSError, ValueError, EOFError, LookupError, TypeError, InputError):
        # A damaged cache is as good as none.
        shutil.rmtree(folder, ignore_errors=True)
        _fill(folder, dataset, preprocessing)
        arrays, about = _map(folder)
    images, masks, signatures = arrays
    return ImageStore(
        dataset.samples,
        images,
        masks,
        signatures,
        fingerprint,
        classes=dataset.classes,
        **about,
    )


def _map(folder: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS]
    about = files.read_json(folder / _ABOUT)
    return arrays, {
        "regions": tuple(about["regions"]),
        "whites": about["whites"],
        "doubts": tuple(Problem(**doubt) for doubt in about["doubts"]),
    }


def _fill(folder: Path, dataset: Dataset, preprocessing: PreprocessingPlan) -> None:
    """Write the arrays of a dataset and how its files were read."""
    dataset = dataset.prepared()
    assert dataset.reading is not None
    size = (len(dataset), preprocessing.height, preprocessing.width)
    signatures = (size[0], duplicates.SIDE**2)
    shapes = ((*size, preprocessing.channels), (*size, len(dataset.regions)), signatures)
    kinds = (np.uint8, np.uint8, np.float32)
    found = list(dataset.reading.doubts)

    def decode(sample: Sample) -> tuple[tuple[np.ndarray, ...], list[str]]:
        image, mask = dataset.read(sample)
        arrays = (
            resize_image(image, preprocessing),
            resize_mask(mask, preprocessing),
            duplicates.signature(image),
        )
        return arrays, list(pixel_doubts(sample, image, mask if dataset.regions else None))

    with filling(folder, "set TINYSEG_CACHE to a writable folder") as temporary:
        arrays = [
            np.lib.format.open_memmap(temporary / f"{name}.npy", "w+", kind, shape)
            for name, kind, shape in zip(_ARRAYS, kinds, shapes, strict=True)
        ]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = pool.map(decode, dataset.samples)
            for index, (row, lines) in enumerate(
                track(rows, f"decoding {dataset.name}", len(dataset))
            ):
                for array, value in zip(arrays, row, strict=True):
                    array[index] = value
                where = dataset.samples[index]
                found += [Problem("warning", str(where.image or where.name), x) for x in lines]
        for array in arrays:
            array.flush()
        found += _whole_doubts(dataset, arrays[-1])
        about = {
            "regions": dataset.regions,
            "whites": dataset.reading.whites,
            "doubts": [dataclasses.asdict(doubt) for doubt in found],
        }
        files.write_json(temporary / _ABOUT, about)


def _whole_doubts(dataset: Dataset, signatures: np.ndarray) -> Iterator[Problem]:
    """Say what is doubtful about the dataset as a whole; near-duplicates are never parted."""
    pairs = doubts.find_duplicates(dataset.samples, signatures)
    where = str(dataset.root or dataset.name)
    for message in (*doubts.of_opposed(pairs), *doubts.of_balance(dataset.label_counts)):
        yield Problem("warning", where, message)
