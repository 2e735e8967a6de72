"""Image files in; masks, overlays and a table of areas out, or a table of classes."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tinyseg import data, files, presets, progress
from tinyseg.data.arrays import to_pixels
from tinyseg.data.dataset import Sample
from tinyseg.data.examination import pixel_doubts
from tinyseg.data.images import NO_WHITES, encode_image, image_files, read_image
from tinyseg.data.layouts.busi import MASK
from tinyseg.data.problems import Problem
from tinyseg.data.reading import survey_images
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise, resize_image
from tinyseg.reporting.overlay import overlay
from tinyseg.runtime import Runner
from tinyseg.runtime.meaning import Meaning, plain
from tinyseg.runtime.views import outputs_at
from tinyseg.steps.images import warn
from tinyseg.steps.marks import need_passed
from tinyseg.steps.origin import warn_of_phantoms
from tinyseg.steps.session import Session
from tinyseg.tflite.lint import deployable

TABLE = "predictions.csv"


def predict(
    session: Session,
    places: Iterable[Path],
    folder: Path | None = None,
    backend: str | None = None,
) -> tuple[list[dict[str, Any]], Path]:
    """Run a network or file on image files and folders of them.

    Args:
        session: the network.
        places: image files, or folders of them.
        folder: where the results go; None for ``build/predict``.
        backend: for ``.tflite``, see :func:`tinyseg.runtime.backends.open_runner`; None for the
            engine where it holds the file, else TFLite's optimised kernels.

    Returns:
        Rows and path of the table, see :func:`predict_files`.

    Raises:
        InputError: as of :func:`find_images` and :func:`predict_files`, or the file missed a gate.
    """
    if session.is_file:
        need_passed(session.file)
        deployable(session.model)
    found = find_images(places)
    warn_of_phantoms(session)
    folder = folder or presets.BUILD / "predict"
    preprocessing, reading = session.preprocessing, session.reading
    runner, classes = session.runner(backend, otherwise="tflite"), session.plan.data.classes
    whites = whites_of(found, session)
    rows = predict_files(runner, preprocessing, found, folder, classes, whites, meaning=reading)
    return rows, folder / TABLE


def probabilities(
    session: Session,
    images: np.ndarray | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    backend: str | None = None,
) -> np.ndarray:
    """Run a network or file on images in memory, or on image files, and write nothing.

    Args:
        session: the network.
        images: ``(images, height, width)`` or ``(images, height, width, channels)`` of any size,
            uint8 or floats in [0, 1]; or image files and folders of them.
        backend: as of :func:`predict`.

    Returns:
        float32 ``(images, height, width, regions)`` at the network's size, or
        ``(images, classes)``. The background is no region.

    Raises:
        InputError: no such file, an output that is neither, or images of another kind or with
            other channels.
    """
    if session.is_file:
        deployable(session.model)
    preprocessing, reading = session.preprocessing, session.reading
    if isinstance(images, np.ndarray):
        pixels = (resize_image(image, preprocessing) for image in to_pixels(images))
        inputs = [normalise(image, preprocessing) for image in pixels]
    else:
        places = [images] if isinstance(images, str | os.PathLike) else images
        found = find_images(Path(place) for place in places)
        whites = whites_of(found, session)
        inputs = [read_input(path, preprocessing, whites)[1] for path in found]
    runner = session.runner(backend, otherwise="tflite")
    outputs = outputs_at(preprocessing, runner, np.stack(inputs), reading)
    return reading.without_background(reading.probabilities(outputs))


def predict_files(
    runner: Runner,
    preprocessing: PreprocessingPlan,
    images: Sequence[Path],
    folder: Path,
    classes: Sequence[str] = (),
    whites: Mapping[str, float] = NO_WHITES,
    *,
    meaning: Meaning | None = None,
) -> list[dict[str, Any]]:
    """Run a network on image files of any size.

    For masks writes ``NAME_mask.png`` (0 and 255, of the image's own size; ``NAME_mask_K.png`` for
    each of several regions) and ``NAME_overlay.jpg``. Writes ``predictions.csv`` in any case.

    Args:
        runner: the network; it gives masks or classes.
        preprocessing: what it was trained with.
        images: files of one name each, see :func:`find_images`.
        folder: where the results go.
        classes: names of the network's outputs where it classifies; numbers if there are none.
        whites: see :func:`whites_of`.
        meaning: of the network's output; None for probabilities of regions or classes.

    Returns:
        The rows of the table. Of masks, one for each image and region: area in pixels and as a
        share of the image, number of connected parts, and the box around them (left, top, width,
        height), empty where nothing was found. Of classes, one for each image: the likeliest, and
        the probability of each.

    Raises:
        InputError: an image cannot be read or has other channels, or two have one name.
    """
    refuse_same_names(images)
    rows: list[dict[str, Any]] = []
    doubts: list[Problem] = []
    for path in progress.track(images, "images", len(images)):
        image, pixels = read_input(path, preprocessing, whites)
        remarks = pixel_doubts(Sample(path.stem, image=path), image, None)
        doubts += [Problem("warning", str(path), remark) for remark in remarks]
        outputs = outputs_at(preprocessing, runner, pixels[None], meaning)
        reading = meaning or plain(outputs.shape)
        if reading.layout is not None:
            masks = reading.masks(outputs, preprocessing, image.shape[:2])[0]
            _write_masks(path, image, masks, folder)
            rows += [{"image": str(path), **row} for row in describe(masks)]
        else:
            rows.append(
                {"image": str(path), **_classified(reading.regions_of(outputs)[0], classes)}
            )
    files.write_text(folder / TABLE, _as_csv(rows))
    warn(doubts)
    return rows


def whites_of(images: Sequence[Path], session: Session) -> dict[str, float]:
    """Return what is white in images of more than 8 bits, and say what is doubtful about all.

    It is what was white where the network was trained; if that is unknown, by their greatest value.

    Args:
        images: files.
        session: of the network.
    """
    reading = survey_images([(path, None) for path in images], session.plan.data.whites)
    warn(reading.doubts)
    return dict(reading.whites)


def read_input(
    path: Path, preprocessing: PreprocessingPlan, whites: Mapping[str, float] = NO_WHITES
) -> tuple[np.ndarray, np.ndarray]:
    """Read an image file for a network.

    Args:
        path: the file.
        preprocessing: the network's.
        whites: see :func:`whites_of`.

    Returns:
        The image uint8 ``(height, width)`` or ``(height, width, 3)``, and the network's input
        float32 ``(height, width, channels)`` of the plan's size.

    Raises:
        InputError: the image cannot be read or has other channels than the network.
    """
    image = read_image(path, whites)
    try:
        pixels = resize_image(image, preprocessing)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return image, normalise(pixels, preprocessing)


def find_images(places: Iterable[Path]) -> list[Path]:
    """Return the image files among files and in folders; masks beside their images are left out.

    Raises:
        InputError: no such file, or a folder without images.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = image_files(place)
            stems = {path.stem for path in inside}
            chosen = [path for path in inside if not _is_mask(path, stems)]
            if not chosen:
                raise InputError(f"{place}: {data.NO_IMAGES}")
            found += chosen
        elif place.is_file():
            found.append(place)
        else:
            raise InputError(f"{place}: no such file")
    return found


def _is_mask(path: Path, stems: set[str]) -> bool:
    match = MASK.fullmatch(path.stem)
    return match is not None and match["stem"] in stems


def refuse_same_names(images: Sequence[Path]) -> None:
    """Raise an InputError if the masks of two images would have one name."""
    seen: dict[str, Path] = {}
    for path in images:
        other = seen.setdefault(path.stem, path)
        if other != path:
            raise InputError(f"{other} and {path}: their masks would have the same name")


def describe(masks: np.ndarray) -> list[dict[str, Any]]:
    """Return the row of each region of one image, see :func:`predict_files`.

    Args:
        masks: bool ``(height, width, regions)``.
    """
    rows = []
    for region, mask in enumerate(np.moveaxis(masks, -1, 0), start=1):
        parts, _ = cv2.connectedComponents(mask.astype(np.uint8))
        found = mask.any()
        box = cv2.boundingRect(mask.astype(np.uint8)) if found else ("", "", "", "")
        rows.append(
            {
                "width": mask.shape[1],
                "height": mask.shape[0],
                "region": region,
                "area_pixels": int(mask.sum()),
                "area_share": round(float(mask.mean()), 6),
                "parts": parts - 1,
                **dict(zip(("left", "top", "box_width", "box_height"), box, strict=True)),
            }
        )
    return rows


def _write_masks(path: Path, image: np.ndarray, masks: np.ndarray, folder: Path) -> None:
    for number, mask in enumerate(np.moveaxis(masks, -1, 0), start=1):
        suffix = f"_{number}" if masks.shape[-1] > 1 else ""
        content = encode_image(255 * mask.astype(np.uint8), ".png")
        files.write_bytes(folder / f"{path.stem}_mask{suffix}.png", content)
    drawn = encode_image(overlay(image, masks), ".jpg")
    files.write_bytes(folder / f"{path.stem}_overlay.jpg", drawn)


def _classified(probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    names = classes or [f"class {number}" for number in range(len(probabilities))]
    shares = {
        f"probability of {name}": round(float(share), 6)
        for name, share in zip(names, probabilities, strict=True)
    }
    return {"class": names[int(probabilities.argmax())], **shares}


def _as_csv(rows: Sequence[dict[str, Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
