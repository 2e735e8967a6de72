"""What annotations in JSON have in common: shapes that are drawn, a region for each category."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.labels import parse
from tinyseg.errors import InputError

_MOST_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True)
class Shape:
    """One object of an image.

    Attributes:
        category: what it is.
        outlines: polygons, float ``(points, 2)`` of x and y in pixels, that are filled together.
        mask: or its pixels, bool ``(height, width)``; None if there are outlines.
        corner: x and y of the mask's first pixel in the image.
    """

    category: str
    outlines: tuple[np.ndarray, ...] = ()
    mask: np.ndarray | None = None
    corner: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True)
class AnnotatedDataset(Dataset):
    """Images whose masks are drawn from annotations; each category is a region.

    Attributes:
        shapes: of each sample, by its name.
        chosen: categories of each region.
    """

    shapes: Mapping[str, Sequence[Shape]] = dataclasses.field(default_factory=dict, repr=False)
    chosen: tuple[frozenset[str], ...] = ()

    def labelled(self, labels: str) -> Dataset:
        """Return the dataset with some of the categories, see the base.

        Raises:
            InputError: nonsense, or no such category.
        """
        wanted = parse(labels)
        known = set(self.categories)
        for _, names in wanted:
            if unknown := [name for name in names if name not in known]:
                raise InputError(
                    f"{self.root}: no '{unknown[0]}' here; the categories are "
                    f"{', '.join(sorted(known))}"
                )
        chosen = tuple(frozenset(names) for _, names in wanted) or (frozenset(known),)
        regions = tuple(name for name, _ in wanted) or ("foreground",)
        variant = f"{self.variant} labels={labels}".strip()
        return dataclasses.replace(self, regions=regions, chosen=chosen, variant=variant)

    @property
    def categories(self) -> list[str]:
        """All categories in use, sorted."""
        return sorted({shape.category for shapes in self.shapes.values() for shape in shapes})

    def _read_both(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        image = self._read_image(sample)
        height, width = image.shape[:2]
        masks = np.zeros((len(self.chosen), height, width), np.uint8)
        for shape in self.shapes[sample.name]:
            for mask, names in zip(masks, self.chosen, strict=True):
                if shape.category in names:
                    draw_shapes(
                        mask, shape, f"{sample.masks[0]}: '{shape.category}' of {sample.name}"
                    )
        return image, masks[0] if len(masks) == 1 else np.moveaxis(masks, 0, -1)


def annotated(
    name: str, root: Path, samples: Sequence[Sample], shapes: Mapping[str, Sequence[Shape]]
) -> AnnotatedDataset:
    """Return a dataset with a region for each category, or one that marks the only one."""
    names = sorted({shape.category for found in shapes.values() for shape in found})
    chosen = tuple(frozenset({category}) for category in names) or (frozenset(),)
    regions = tuple(names) if len(names) > 1 else ("foreground",)
    return AnnotatedDataset(name, tuple(samples), root, regions, shapes=shapes, chosen=chosen)


def draw_shapes(mask: np.ndarray, shape: Shape, where: str) -> None:
    """Set the pixels of a shape in a mask to 1.

    Args:
        mask: uint8 ``(height, width)``, changed in place.
        shape: what is drawn; what lies outside is cut off.
        where: named in errors.

    Raises:
        InputError: the shape's own mask is larger than the image.
    """
    for outline in shape.outlines:
        points = np.round(np.clip(outline, -1e6, 1e6) * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], (1,), shift=4)
    if shape.mask is not None:
        x, y = shape.corner
        height, width = shape.mask.shape
        if x < 0 or y < 0 or x + width > mask.shape[1] or y + height > mask.shape[0]:
            raise InputError(
                f"{where} is {width}x{height} but its image is {mask.shape[1]}x{mask.shape[0]}; "
                "annotate the image at its own size"
            )
        mask[y : y + height, x : x + width] |= shape.mask.astype(np.uint8)


def polygon(values: Any) -> np.ndarray | None:
    """Return a polygon, float ``(points, 2)``, of nested or flat numbers; None if it is none."""
    try:
        points = np.asarray(values, np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        return None
    return points if len(points) >= 3 and np.isfinite(points).all() else None


def read_object(path: Path) -> Any:
    """Read a JSON file that holds an object.

    Raises:
        InputError: it is unreadable, too large or not JSON.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: is implausibly large; divide it")
        with path.open(encoding="utf-8-sig") as stream:
            return json.load(stream)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        what = "is empty" if path.stat().st_size == 0 else "is truncated or not JSON"
        raise InputError(f"{path}: {what}; export it again") from None


def mentions(path: Path, *words: str) -> bool:
    """Return whether a file begins as JSON and all words stand in quotes in it.

    Args:
        path: of the file; a large one is read in its first and last parts only.
        words: keys of an object.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(1 << 20)
            if path.stat().st_size > len(text):
                stream.seek(-min(1 << 20, path.stat().st_size - len(text)), 2)
                text += stream.read()
    except OSError:
        return False
    bare = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    return bare.startswith(b"{") and all(f'"{word}"'.encode() in text for word in words)
