"""A network's outputs as the images ask for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyseg.data.store import ImageStore
from tinyseg.operating_point import OperatingPoint
from tinyseg.runtime.meaning import Meaning
from tinyseg.scoring.scores import decide, score_masks, score_outputs


def decided(
    meaning: Meaning, outputs: np.ndarray, images: ImageStore, point: OperatingPoint
) -> np.ndarray:
    """Return what a network says of images, masks at the size of theirs.

    Args:
        meaning: of the outputs.
        outputs: real values float32 ``(n, ...)``.
        images: with masks or classes.
        point: of masks.

    Returns:
        bool ``(n, height, width, regions)``, or ``(n, classes)`` whose likeliest alone is true.
    """
    if images.classes or meaning.layout is None:
        return decide(meaning.regions_of(outputs), point)
    reading = meaning.marking(images.masks.shape[-1])
    return reading.masks(outputs, point, images.masks.shape[1:3])


def score_decided(
    meaning: Meaning, outputs: np.ndarray, images: ImageStore, decisions: np.ndarray
) -> dict[str, Any]:
    """Score what a network says of images, see :func:`tinyseg.scoring.scores.score_outputs`.

    Args:
        meaning, outputs, images: as of :func:`decided`.
        decisions: what that returned.
    """
    if images.classes:
        return score_outputs(images, meaning.regions_of(outputs), OperatingPoint())
    return score_masks(images, decisions)


def mismatch(meaning: Meaning, images: ImageStore) -> str | None:
    """Return why a network cannot be scored on images, None if it can."""
    if meaning.task != images.task:
        return f"its output is {meaning}, the images are for {images.task}"
    wanted = images.targets.shape[-1]
    if meaning.task == "classification":
        given, what = meaning.classes, "classes"
    else:
        given, what = meaning.marking(wanted).regions, "regions"
    if given == wanted:
        return None
    return f"it has {given} {what}, the images {wanted}; give images of as many with --data"
