"""LabelMe annotations (github.com/wkentaro/labelme): a JSON file beside each image."""

from __future__ import annotations

import base64
import binascii
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from tinyseg.data import tree
from tinyseg.data.dataset import Dataset, Sample, natural_order
from tinyseg.data.images import MAX_PIXELS, is_image
from tinyseg.data.layouts.annotated import Shape, annotated, mentions, polygon, read_object
from tinyseg.data.layouts.layout import Layout
from tinyseg.errors import InputError

_KEYS = ("shapes", "imagePath")
_NOT_MARKED = ("_background_", "__ignore__")
_CORNERS = 64


def is_labelme(root: Path) -> bool:
    """Return whether a JSON file below a folder holds shapes and the name of an image."""
    return any(True for _ in _annotation_files(root))


def _annotation_files(root: Path) -> Iterator[Path]:
    return (path for path in tree.files_below(root, "*.json") if mentions(path, *_KEYS))


def open_labelme(root: Path) -> tuple[Dataset, list[str]]:
    """Return the annotated images, and a line for each file and image without its partner."""
    samples: dict[str, Sample] = {}
    shapes: dict[str, list[Shape]] = {}
    problems: list[str] = []
    files = sorted(_annotation_files(root))
    pictures = sorted(path for path in tree.files_below(root) if is_image(path))
    by_name: dict[str, list[Path]] = {}
    for path in pictures:
        by_name.setdefault(path.name, []).append(path)
    for file in files:
        try:
            image, found = _read(file, by_name)
        except InputError as error:
            problems.append(str(error))
            continue
        name = image.relative_to(root).with_suffix("").as_posix()
        if name in samples:
            other = samples[name].masks[0].name
            problems.append(f"{file}: annotates the same image as {other}; remove one of them")
        samples[name], shapes[name] = Sample(name, "", image, (file,)), found
    marked = {sample.path for sample in samples.values()}
    stems = {file.stem for file in files}
    problems += [
        f"{path}: image without mask; add '{path.stem}.json' or remove it"
        for path in pictures
        if path not in marked and path.stem not in stems
    ]
    ordered = [samples[name] for name in sorted(samples, key=natural_order)]
    return annotated(root.resolve().name, root, ordered, shapes), problems


def _read(file: Path, by_name: Mapping[str, Sequence[Path]]) -> tuple[Path, list[Shape]]:
    """Return path and shapes of an annotated image.

    Raises:
        InputError: the file is not as LabelMe writes it, or its image is missing.
    """
    content = read_object(file)
    try:
        listed = PureWindowsPath(str(content["imagePath"])).name
        beside = next(
            (path for path in tree.entries(file.parent) if _is_image_of(path, file, listed)), None
        )
        image = beside or _elsewhere(str(content["imagePath"]), file, by_name.get(listed, ()))
        if image is None:
            raise InputError(f"{file}: mask without image; add '{listed}' beside it or remove it")
        drawn = [_shape(each, file) for each in content["shapes"]]
    except (LookupError, TypeError, AttributeError, ValueError, OSError) as error:
        reason = f"{type(error).__name__} {error}".partition("\n")[0]
        raise InputError(f"{file}: is not as LabelMe writes ({reason}); save it again") from None
    return image, [shape for shape in drawn if shape is not None]


def _elsewhere(listed: str, file: Path, named: Sequence[Path]) -> Path | None:
    """Return which of the images of one name a file is about, None if there are none.

    Raises:
        InputError: it may be about several.
    """
    said = os.path.normpath(file.parent / listed.replace("\\", "/"))
    meant = [path for path in named if os.path.normpath(path) == said] or named
    if len(meant) > 1:
        raise InputError(f"{file}: may be about {meant[0]} or {meant[1]}; lay it beside its image")
    return meant[0] if meant else None


def _is_image_of(path: Path, file: Path, listed: str) -> bool:
    return is_image(path) and (path.name == listed or path.stem == file.stem)


def _shape(drawn: Mapping[str, Any], file: Path) -> Shape | None:
    """Return what was drawn; None for background."""
    category, kind = str(drawn["label"]), drawn.get("shape_type") or "polygon"
    if category in _NOT_MARKED:
        return None
    if kind == "mask":
        return _pixels(category, drawn, file)
    points = np.asarray(drawn["points"], np.float64).reshape(-1, 2)
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    elif kind == "circle" and len(points) == 2:
        radius, angle = np.hypot(*(points[1] - points[0])), np.arange(_CORNERS) * 2 * np.pi
        points = points[0] + radius * np.stack(
            [np.cos(angle / _CORNERS), np.sin(angle / _CORNERS)], -1
        )
    elif kind not in ("polygon", "rectangle", "oriented_rectangle"):
        raise InputError(f"{file}: has a {kind} '{category}', which has no area; draw a polygon")
    outline = polygon(points)
    if outline is None:
        raise InputError(f"{file}: '{category}' has {len(points)} points; draw it again")
    return Shape(category, (outline,))


def _pixels(category: str, drawn: Mapping[str, Any], file: Path) -> Shape:
    """Return a mask that is stored as a PNG file in text, from its first point on."""
    try:
        content = base64.b64decode(drawn["mask"], validate=True)
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError("implausibly large")
            pixels = np.asarray(image.convert("L")) > 0
        (x, y), *_ = drawn["points"]
        return Shape(category, mask=pixels, corner=(round(x), round(y)))
    except (binascii.Error, OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{file}: mask of '{category}' cannot be decoded ({reason}); save it again"
        ) from None


LAYOUT = Layout(is_labelme, open_labelme)
