"""Networks whose answer is the same whatever they see, and images that such a one gets right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyseg.data.store import ImageStore
from tinyseg.scoring.scores import lesions, score_background
from tinyseg.verification.gates import Gate, Missed

_CURE = "train it longer, with another training.learning_rate, or on other images"


def missed_trivial(
    path: str, images: ImageStore, scores: Mapping[str, Mapping[str, Any] | None]
) -> list[Missed]:
    """Return the gate of trivial answers if it was missed.

    Masks have to be better than none at all, by Dice over the images with a lesion, and must not
    mark every pixel; classes must not all be the same. Where no image has foreground, or all are of
    one class, nothing can be said: of masks that fails too, for predicting nothing is right there.

    Args:
        path: of the file.
        images: that were scored.
        scores: by backend, ``float`` and ``tflm``, None where it did not run; see
            :func:`tinyseg.scoring.scores.score_outputs`.
    """
    known = [(f"{path}: {title}", scores.get(key)) for key, title in _TITLES.items()]
    for who, each in known:
        if each and (reason := _reason(images, each)):
            return [Missed(Gate.TRIVIAL, f"{who} {reason}")]
    if not images.classes and not images.masks.any():
        line = (
            f"{path}: none of the {len(images)} images has foreground, so that predicting nothing "
            "would be right; give images with masks, or a larger share of them in data.fractions"
        )
        return [Missed(Gate.TRIVIAL, line)]
    return []


# The float network first: if that is no good, so is the file.
_TITLES = {"float": "the float network", "tflm": "it"}


def _reason(images: ImageStore, scores: Mapping[str, Any]) -> str:
    """Say what is wrong with scores; nothing if they are those of a network that looks."""
    if images.classes:
        return _same_class(scores)
    if not images.masks.any():
        return ""
    nothing = lesions(score_background(images))
    found = lesions(scores)
    if found["dice"] <= nothing["dice"]:
        return (
            f"finds nothing: Dice {found['dice']:.4f} over the {found['images']} images with "
            f"foreground, {nothing['dice']:.4f} if nothing is predicted; {_CURE}"
        )
    if scores["recall"] == 1 and scores["pooled"]["specificity"] == 0:
        return f"marks every pixel of the {scores['images']} images; {_CURE}"
    return ""


def _same_class(scores: Mapping[str, Any]) -> str:
    said = [sum(column) for column in zip(*scores["confusion"], strict=True)]
    there = sum(any(row) for row in scores["confusion"])
    if there < 2 or sum(count > 0 for count in said) > 1:
        return ""
    name = list(scores["classes"])[said.index(max(said))]
    return f"says {name} of all {scores['images']} images; {_CURE}"
