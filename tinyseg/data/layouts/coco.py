"""COCO annotations: one JSON file with images, annotations and categories.

https://cocodataset.org/#format-data: polygons, and runs of pixels as lists or packed in text. An
image without annotations shows nothing of any category.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.data import tree
from tinyseg.data.dataset import Dataset, Sample, natural_order
from tinyseg.data.images import MAX_PIXELS, is_image
from tinyseg.data.layouts.annotated import Shape, annotated, mentions, polygon, read_object
from tinyseg.data.layouts.layout import Layout
from tinyseg.errors import InputError

_KEYS = ("images", "annotations", "categories", "segmentation")


def is_coco(root: Path) -> bool:
    """Return whether a JSON file below a folder holds images, annotations and categories."""
    return any(True for _ in _annotation_files(root))


def _annotation_files(root: Path) -> Iterator[Path]:
    return (path for path in tree.files_below(root, "*.json") if mentions(path, *_KEYS))


def open_coco(root: Path) -> tuple[Dataset, list[str]]:
    """Return the images of all annotation files, and what is wrong with these files.

    Images are looked for beside their file, then by their name anywhere below the folder.
    """
    by_name: dict[str, list[Path]] = {}
    for path in tree.files_below(root):
        if is_image(path):
            by_name.setdefault(path.name, []).append(path)
    samples: dict[str, Sample] = {}
    shapes: dict[str, list[Shape]] = {}
    problems: list[str] = []
    for file in _annotation_files(root):
        try:
            for image, found, lacking in _read(file, root, by_name):
                if lacking:
                    problems.append(lacking)
                    continue
                name = image.relative_to(root).with_suffix("").as_posix()
                samples[name] = Sample(name, "", image, (file,))
                shapes.setdefault(name, []).extend(found)
        except InputError as error:
            problems.append(str(error))
    ordered = [samples[name] for name in sorted(samples, key=natural_order)]
    return annotated(root.resolve().name, root, ordered, shapes), problems


def _read(
    file: Path, root: Path, by_name: Mapping[str, Sequence[Path]]
) -> Iterator[tuple[Path, list[Shape], str]]:
    """Yield path and shapes of each image, or a line that says what it lacks.

    Raises:
        InputError: the file is not as COCO describes it.
    """
    content = read_object(file)
    try:
        names = {each["id"]: str(each["name"]) for each in content["categories"]}
        by_image: dict[Any, list[Shape]] = {}
        for each in content["annotations"]:
            shape = _shape(each, names, file)
            by_image.setdefault(each["image_id"], []).append(shape)
        for image in content["images"]:
            listed = str(image["file_name"])
            path = _find(listed, file, root, by_name)
            if path is None:
                yield root, [], f"{file}: image '{listed}' is not there; add it or remove its entry"
            else:
                yield path, by_image.get(image["id"], []), ""
    except (LookupError, TypeError, AttributeError, ValueError, OSError) as error:
        reason = f"{type(error).__name__} {error}".partition("\n")[0]
        raise InputError(f"{file}: is not laid out as COCO says ({reason}); export again") from None


def _find(
    listed: str, file: Path, root: Path, by_name: Mapping[str, Sequence[Path]]
) -> Path | None:
    """Return the image that an annotation file lists, None if there is none.

    Raises:
        InputError: several images have that name, and the file's own does not say which.
    """
    name = Path(listed.replace("\\", "/"))
    if not name.name or "\0" in listed:
        return None
    if not name.is_absolute() and ".." not in name.parts:
        for place in (file.parent / name, root / name):
            if is_image(place) and place.is_file():
                return place
    found = by_name.get(name.name, ())
    # instances_val2017.json is about the folder val2017.
    meant = [path for path in found if path.parent.name in file.stem] or found
    if len(meant) > 1:
        raise InputError(
            f"{file}: image '{listed}' may be {meant[0]} or {meant[1]}; write its folder into the "
            "file, or lay the file beside its images"
        )
    return meant[0] if meant else None


def _shape(annotation: Mapping[str, Any], names: Mapping[Any, str], file: Path) -> Shape:
    category, drawn = names[annotation["category_id"]], annotation.get("segmentation")
    where = f"{file}: annotation {annotation.get('id', '')}"
    if isinstance(drawn, Mapping):
        return Shape(category, mask=_unpack(drawn, where))
    if not drawn:
        raise InputError(f"{where} has no segmentation, a box at most; export polygons or masks")
    outlines = [polygon(each) for each in drawn] if isinstance(drawn, list) else [None]
    kept = tuple(outline for outline in outlines if outline is not None)
    if len(kept) < len(outlines):
        raise InputError(f"{where} has a polygon that is none; draw it again")
    return Shape(category, kept)


def _unpack(drawn: Mapping[str, Any], where: str) -> np.ndarray:
    """Return the pixels of runs, which alternate between outside and inside, column by column."""
    try:
        height, width = (int(side) for side in drawn["size"])
        counts = drawn["counts"]
        runs = _unpack_text(counts) if isinstance(counts, str) else [int(run) for run in counts]
    except (LookupError, TypeError, ValueError):
        runs, height, width = [], 0, 0
    plausible = 0 < height * width <= MAX_PIXELS and all(0 <= run <= MAX_PIXELS for run in runs)
    if not plausible or sum(runs) != height * width:
        raise InputError(f"{where} has runs that do not fill its size; export it again")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def _unpack_text(text: str) -> list[int]:
    """Return runs from COCO's text: five bits a letter from '0' on, lowest first, as differences.

    Raises:
        ValueError: the text ends within a number.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise ValueError(letter)
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError(text)
    return runs


LAYOUT = Layout(is_coco, open_coco)
