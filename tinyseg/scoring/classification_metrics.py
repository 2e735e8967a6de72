"""Classification metrics from a confusion matrix, and how sure a network is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def summarise_classes(
    truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Return scores over all images and of each class.

    Precision, recall and F1 are means over classes, each counting as much (macro). A class that
    no image is of and none was said to be is left out; one that was never said has precision 0,
    one that no image is of has recall 0.

    Args:
        truth: int ``(images,)``, numbers of classes from 0.
        probabilities: float ``(images, classes)``; the likeliest class is what is said.
        classes: their names.

    Returns:
        ``accuracy``; ``precision``, ``recall`` and ``f1``; ``confidence``, the mean probability of
        what is said, ``confidence_correct`` and ``confidence_wrong`` of right and wrong answers
        alone, None if there are none; ``baseline_accuracy`` of always saying the commonest class;
        ``confusion``, images of each class (rows) that were said to be of which (columns);
        ``classes`` with ``precision``, ``recall``, ``f1`` and ``images`` by name; ``images``.

    Raises:
        ValueError: the shapes do not match, there are no images, or a number is of no class.
    """
    if not truth.size or probabilities.shape != (*truth.shape, len(classes)):
        raise ValueError(
            f"probabilities {probabilities.shape} do not match truth {truth.shape} and "
            f"{len(classes)} classes"
        )
    if truth.ndim != 1 or truth.min() < 0 or truth.max() >= len(classes):
        raise ValueError(f"truth must be flat and hold numbers from 0 to {len(classes) - 1}")
    said, confidence = probabilities.argmax(1), probabilities.max(1)
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (truth, said), 1)
    right, images, answers = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    each = {
        "precision": right / np.maximum(answers, 1),
        "recall": right / np.maximum(images, 1),
        # The harmonic mean of both.
        "f1": 2 * right / np.maximum(images + answers, 1),
    }
    seen = images + answers > 0
    correct = said == truth
    return {
        "accuracy": float(correct.mean()),
        **{name: float(values[seen].mean()) for name, values in each.items()},
        "confidence": float(confidence.mean()),
        "confidence_correct": _mean(confidence[correct]),
        "confidence_wrong": _mean(confidence[~correct]),
        "baseline_accuracy": float(images.max() / len(truth)),
        "confusion": confusion.tolist(),
        "classes": {
            name: {
                **{key: float(values[number]) for key, values in each.items()},
                "images": int(images[number]),
            }
            for number, name in enumerate(classes)
        },
        "images": len(truth),
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
