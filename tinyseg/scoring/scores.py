"""Scores of a network's outputs, be they masks or classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinyseg import decision
from tinyseg.data.store import ImageStore
from tinyseg.operating_point import OperatingPoint
from tinyseg.scoring.classification_metrics import summarise_classes
from tinyseg.scoring.metrics import Confusion, summarise_masks


class Score(NamedTuple):
    """A score that stands for a task.

    Attributes:
        key: in what :func:`score_outputs` returns.
        title: for people.
    """

    key: str
    title: str


# The first decides on epochs and gates.
SCORES = {
    "segmentation": (Score("dice", "Dice"), Score("iou", "IoU")),
    "classification": (Score("accuracy", "accuracy"), Score("f1", "macro F1")),
}


def decide(outputs: np.ndarray, point: OperatingPoint | float) -> np.ndarray:
    """Turn probabilities into what a network says.

    Args:
        outputs: masks ``(n, height, width, regions)`` or classes ``(n, classes)``.
        point: of masks, or a threshold alone, see :func:`tinyseg.decision.decide`.

    Returns:
        bool of the same shape; of classes, the likeliest alone is true.
    """
    if outputs.ndim == 4:
        return decision.decide(outputs, point)
    return np.eye(outputs.shape[1], dtype=bool)[outputs.argmax(1)]


def score_outputs(
    images: ImageStore, outputs: np.ndarray, point: OperatingPoint | float
) -> dict[str, Any]:
    """Score probabilities against what is true of the images.

    Args:
        images: with masks or classes.
        outputs: float32, of the shape of ``images.targets``.
        point: see :func:`decide`.

    Returns:
        See :func:`score_masks` and
        :func:`tinyseg.scoring.classification_metrics.summarise_classes`.
    """
    if images.classes:
        return summarise_classes(images.targets.argmax(1), outputs, images.classes)
    return score_masks(images, decide(outputs, point))


def score_masks(images: ImageStore, decisions: np.ndarray) -> dict[str, Any]:
    """Score masks against the true ones.

    Args:
        images: with masks.
        decisions: bool ``(n, height, width, regions)``.

    Returns:
        See :func:`tinyseg.scoring.metrics.summarise_masks`. Of masks some of which are empty,
        ``with_lesion`` holds the scores of the others alone.
    """
    masks = images.masks
    scores = summarise_masks(masks, decisions, images.regions)
    marked = masks.any((1, 2, 3))
    if marked.any() and not marked.all():
        scores["with_lesion"] = summarise_masks(masks[marked], decisions[marked], images.regions)
    return scores


def lesions(scores: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scores of the images with a lesion, which are all where none are distinguished.

    By these networks are compared: the Dice of an image without lesion is 1 or 0, as one pixel
    decides.
    """
    return scores.get("with_lesion", scores)


def false_alarms(scores: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return in how many images without a lesion something was found, and how many there are.

    Args:
        scores: of masks, see :func:`score_outputs`; None for those where all images have a lesion.
    """
    if "with_lesion" not in scores:
        return None
    found = scores["with_lesion"]
    normal = scores["images"] - found["images"]
    # Such an image counts 1 if nothing is found there, and 0 otherwise.
    right = scores["dice"] * scores["images"] - found["dice"] * found["images"]
    return normal - round(right), normal


def score_background(images: ImageStore) -> dict[str, Any]:
    """Score the answer that there is no foreground anywhere: what any network must beat."""
    return score_outputs(images, np.zeros(images.masks.shape, np.float32), 0.5)


def score_each(images: ImageStore, decisions: np.ndarray) -> np.ndarray:
    """Return Dice, the mean over regions, of each image, or 1 for a right class and 0, ``(n,)``."""
    if images.classes:
        return (decisions == images.targets.astype(bool)).all(1).astype(float)
    pairs = zip(np.moveaxis(images.masks, -1, 0), np.moveaxis(decisions, -1, 0), strict=True)
    return np.mean([Confusion.of(*pair).scores()["dice"] for pair in pairs], axis=0)


def allowed_drop(task: str, allowed: float, count: int) -> float:
    """Return by how much the first score may fall on ``count`` images: of classes, by one image."""
    return or_one_image(allowed, count) if task == "classification" else allowed


def or_one_image(allowed: float, count: int) -> float:
    """Return by how much a share of ``count`` images may fall, where one image is right or wrong.

    One more or less is chance, on however few images.
    """
    return max(allowed, 1 / count)
