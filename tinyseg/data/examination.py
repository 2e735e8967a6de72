"""Open one sample as training would, and note everything that is wrong or doubtful about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image

from tinyseg.data import duplicates, images
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.errors import InputError

_CONTRADICTIONS = {"benign": "empty", "malignant": "empty", "normal": "not empty"}


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with a file, or with the dataset where no single file is to blame."""

    severity: Literal["error", "warning"]
    path: str
    message: str


def problem_of(line: str) -> Problem:
    """Turn the line of an expected error, which begins with its file, into a problem."""
    path, _, message = line.partition(": ")
    return Problem("error", path, message)


@dataclasses.dataclass
class Facts:
    """What one sample holds; None if unusable.

    Attributes:
        sample: what was opened.
        shape: height and width in pixels.
        signature: see :mod:`tinyseg.data.duplicates`.
        foreground: number of pixels in any region.
        regions: number of pixels in each region.
        problems: what is wrong or doubtful.
    """

    sample: Sample
    shape: tuple[int, int] | None = None
    signature: np.ndarray | None = None
    foreground: int | None = None
    regions: np.ndarray | None = None
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def add(self, severity: str, path: object, *messages: str) -> None:
        """Add a problem for each message about a file."""
        self.problems += [Problem(severity, str(path), message) for message in messages]


def examine(dataset: Dataset, sample: Sample) -> Facts:
    """Open all files of one sample and note what would spoil training.

    Args:
        dataset: reads samples that are not made of picture files.
        sample: of the dataset.
    """
    facts, where = Facts(sample), sample.image or sample.name
    picture = sample.image and sample.image.suffix.lower() in images.IMAGE_SUFFIXES
    image, mask = _open(facts) if picture else _read(dataset, facts)
    if image is not None:
        facts.shape, facts.signature = image.shape[:2], duplicates.signature(image)
        if (image == image[0, 0]).all():
            facts.add("warning", where, "is uniform; remove it unless a blank image is meant")
    if mask is not None and dataset.regions:
        mask = mask.reshape(*mask.shape[:2], -1)
        facts.foreground, facts.regions = int(mask.any(-1).sum()), mask.sum((0, 1))
        state = "not empty" if facts.foreground else "empty"
        if _CONTRADICTIONS.get(sample.label) == state:
            message = f"is labelled {sample.label} but its mask is {state}; correct one of them"
            facts.add("warning", where, message)
    return facts


def _read(dataset: Dataset, facts: Facts) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return image and mask of a sample that is not made of picture files, None if unusable."""
    try:
        return dataset.read(facts.sample)
    except InputError as error:
        facts.problems.append(problem_of(str(error)))
        return None, None


def _open(facts: Facts) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return image and united mask, None for what is unusable."""
    masks = facts.sample.masks
    image, *arrays = [_decode(path, facts) for path in (facts.sample.image, *masks)]
    turned = any("EXIF orientation" in problem.message for problem in facts.problems)
    cure = "one size, upright, without EXIF orientation" if turned else "one size"
    for path, mask in zip(masks, arrays, strict=True):
        if image is not None and mask is not None and mask.shape != image.shape[:2]:
            (height, width), (rows, columns) = mask.shape, image.shape[:2]
            message = f"mask is {width}x{height} but its image is {columns}x{rows}"
            facts.add("error", path, f"{message}; export both at {cure}")
    broken = any(problem.severity == "error" for problem in facts.problems)
    return image, None if broken or not masks else np.any(arrays, axis=0)


def _decode(path: Path, facts: Facts) -> np.ndarray | None:
    """Read an image or mask and note what is wrong or doubtful about it."""
    is_image = path == facts.sample.image
    try:
        pixels = images.read_image(path) if is_image else images.read_mask(path)
    except InputError as error:
        facts.add("error", path, str(error).removeprefix(f"{path}: "))
        return None
    with path.open("rb") as stream, Image.open(stream) as image:
        image.load()
        facts.add("warning", path, *_format_doubts(image))
        facts.add("warning", path, *(_image_doubts(image) if is_image else _mask_doubts(image)))
    return pixels


def _format_doubts(image: Image.Image) -> Iterator[str]:
    """Say what is doubtful about the format of any file."""
    if (pages := getattr(image, "n_frames", 1)) > 1:
        yield f"holds {pages} pages, of which only the first is read; save each as a file"
    if image.has_transparency_data:
        yield "has transparency, which is ignored; save it as grey or RGB"
    if image.mode in ("P", "PA"):
        yield "has a palette, whose colours are read; save it as grey or RGB"
    if (orientation := image.getexif().get(ExifTags.Base.Orientation, 1)) != 1:
        yield f"has EXIF orientation {orientation}, which other tools may ignore; save it upright"


def _image_doubts(image: Image.Image) -> Iterator[str]:
    """Say what is doubtful about the values of an image."""
    greatest = np.asarray(image).max()
    if image.mode.startswith("I"):
        yield f"holds whole numbers up to {greatest}, which are divided by 257 to give 8 bits"
        if greatest < 4096:
            yield "looks like 12-bit data and will be nearly black; stretch it to 16 bits"
    elif image.mode == "F":
        unit = 1 if greatest <= 1 else 255
        yield f"holds real numbers up to {greatest:g}, taken as [0, {unit}]; save it in 8 bits"


def _mask_doubts(image: Image.Image) -> Iterator[str]:
    """Say what is doubtful about the values of a mask, seen as ``images.read_mask`` does."""
    levels = np.unique(images.mask_values(image)).astype(float)
    alpha = image.getchannel("A").getextrema() if "A" in image.getbands() else (255, 255)
    if len(levels) == 1 and alpha[0] < alpha[1]:
        yield "seems to be drawn in the alpha channel, which is ignored; draw it in grey"
    elif len(levels) > 2:
        shown = ", ".join(f"{level:g}" for level in levels[:3]) + ", ..." * (len(levels) > 3)
        yield (
            f"holds {len(levels)} values ({shown}), not two, and only those above "
            f"{levels[-1] / 2:g} are foreground; save it as 0 and 255"
        )
    elif levels[0] > levels[-1] / 2:
        yield "marks every pixel as foreground; draw the background as 0"
    elif levels[-1] == 1 and image.mode != "1":
        yield "holds 0 and 1 and looks black in viewers; save it as 0 and 255"
