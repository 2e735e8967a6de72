"""Open one sample as training would, and note everything that is wrong or doubtful about it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from tinyseg.data import duplicates, images
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.problems import Problem, problem_of
from tinyseg.errors import InputError

_CONTRADICTIONS = {"benign": "empty", "malignant": "empty", "normal": "not empty"}


@dataclasses.dataclass
class Facts:
    """What one sample holds; None if unusable.

    Attributes:
        sample: what was opened.
        shape: height and width in pixels.
        signature: see :mod:`tinyseg.data.duplicates`.
        foreground: number of pixels in any region.
        regions: number of pixels in each region.
        outline: of all regions together, see :func:`tinyseg.data.duplicates.outline`.
        problems: what is wrong or doubtful.
    """

    sample: Sample
    shape: tuple[int, int] | None = None
    signature: np.ndarray | None = None
    foreground: int | None = None
    regions: np.ndarray | None = None
    outline: np.ndarray | None = None
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def add(self, severity: Literal["error", "warning"], path: object, *messages: str) -> None:
        """Add a problem for each message about a file."""
        self.problems += [Problem(severity, str(path), message) for message in messages]


def examine(dataset: Dataset, sample: Sample) -> Facts:
    """Open all files of one sample and note what would spoil training.

    Args:
        dataset: as :meth:`tinyseg.data.dataset.Dataset.surveyed` returns it.
        sample: of the dataset.
    """
    facts, where = Facts(sample), sample.image or sample.name
    picture = sample.image and images.is_image(sample.image)
    masks_too = all(images.is_image(mask) for mask in sample.masks)
    read = _open if picture and masks_too else _read
    image, mask = read(dataset, facts)
    if image is not None:
        facts.shape, facts.signature = image.shape[:2], duplicates.signature(image)
    if mask is not None and dataset.regions:
        planes = mask.reshape(*mask.shape[:2], -1)
        facts.foreground, facts.regions = int(planes.any(-1).sum()), planes.sum((0, 1))
        facts.outline = duplicates.outline(np.asarray(planes.any(-1)))
    facts.add("warning", where, *pixel_doubts(sample, image, mask if dataset.regions else None))
    return facts


def pixel_doubts(
    sample: Sample, image: np.ndarray | None, mask: np.ndarray | None
) -> Iterator[str]:
    """Say what is doubtful about the pixels of one sample; None for what is not known."""
    if image is not None and (image == image[0, 0]).all():
        yield "is uniform; remove it unless a blank image is meant"
    if mask is not None:
        state = "not empty" if mask.any() else "empty"
        if _CONTRADICTIONS.get(sample.label) == state:
            yield f"is labelled {sample.label} but its mask is {state}; correct one of them"


def _read(dataset: Dataset, facts: Facts) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return image and mask of a sample that is not made of picture files, None if unusable."""
    try:
        return dataset.read(facts.sample)
    except InputError as error:
        facts.problems.append(problem_of(str(error)))
        return None, None


def _open(dataset: Dataset, facts: Facts) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return image and united mask, None for what is unusable; every unusable file is noted."""
    assert dataset.reading is not None
    sample, masks = facts.sample, facts.sample.masks if dataset.regions else ()
    image = _decode(facts, sample.path, lambda: dataset.read_image(sample))
    arrays = [
        _decode(facts, path, functools.partial(dataset.read_mask, path, sample)) for path in masks
    ]
    turned = any(
        "EXIF orientation" in doubt.message and doubt.path in map(str, sample.files)
        for doubt in dataset.reading.doubts
    )
    cure = "one size, upright, without EXIF orientation" if turned else "one size"
    for path, mask in zip(masks, arrays, strict=True):
        if image is not None and mask is not None and mask.shape[:2] != image.shape[:2]:
            (height, width), (rows, columns) = mask.shape[:2], image.shape[:2]
            message = f"mask is {width}x{height} but its image is {columns}x{rows}"
            facts.add("error", path, f"{message}; export both at {cure}")
    broken = any(problem.severity == "error" for problem in facts.problems)
    unknown = broken or not masks or dataset.reading.question
    read = [mask for mask in arrays if mask is not None]
    return image, None if unknown else np.any(read, axis=0)


def _decode(facts: Facts, path: Path, read: Callable[[], np.ndarray]) -> np.ndarray | None:
    """Read an image or mask; if that fails, note why."""
    try:
        return read()
    except InputError as error:
        facts.add("error", path, str(error).removeprefix(f"{path}: "))
        return None
