"""Training images made of two: blended, cut together, or with the lesion of another."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from tinyseg.errors import InputError

METHODS = ("mixup", "cutmix", "either")
# Of the share that mixup leaves of an image: most often nearly all or nearly nothing of it.
_BLEND = 0.4
# How far a pasted lesion fades into its new surroundings, as a share of the image's width.
_FADE = 0.02


@dataclasses.dataclass(frozen=True)
class Mixing:
    """How many images are made of two, and in which way.

    Attributes:
        share: of the images that are mixed with another one, 0 to 1.
        method: ``mixup`` blends images and masks (H. Zhang et al., 2017, arXiv:1710.09412);
            ``cutmix`` puts a rectangle of the other one in its place (S. Yun et al., 2019,
            arXiv:1905.04899); ``either`` draws one of the two for each image.
        paste: share of the images that get the marked pixels of another one, which fade into
            them (G. Ghiasi et al., "Simple copy-paste", 2020, arXiv:2012.07177).

    Raises:
        InputError: an unknown method.
    """

    share: float = 0.0
    method: str = "mixup"
    paste: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"training.mix_by: '{self.method}' is none of {', '.join(METHODS)}")


class Example(NamedTuple):
    """What a network sees and what it shall say.

    Attributes:
        image: float32 ``(height, width, channels)``.
        target: float32 masks ``(height, width, regions)``, or ``(classes,)``.
    """

    image: np.ndarray
    target: np.ndarray


def blend(one: Example, other: Example, rng: np.random.Generator) -> Example:
    """Return a weighted mean of two examples; the weight is drawn from Beta(0.4, 0.4)."""
    weight = np.float32(rng.beta(_BLEND, _BLEND))
    return Example(*(weight * a + (1 - weight) * b for a, b in zip(one, other, strict=True)))


def cut(one: Example, other: Example, rng: np.random.Generator) -> Example:
    """Return an example with a rectangle of another, of a share of its area drawn evenly.

    Of classes the share of each is what its image has of the area.
    """
    height, width = one.image.shape[:2]
    side = np.sqrt(rng.uniform())
    rows, columns = max(round(side * height), 1), max(round(side * width), 1)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    window = np.s_[top : top + rows, left : left + columns]
    image = one.image.copy()
    image[window] = other.image[window]
    if one.target.ndim == 1:
        share = np.float32(rows * columns / (height * width))
        return Example(image, (1 - share) * one.target + share * other.target)
    mask = one.target.copy()
    mask[window] = other.target[window]
    return Example(image, mask)


def paste(one: Example, other: Example) -> Example:
    """Return an example with the marked pixels of another; the same if it has none."""
    marked = other.target.max(axis=-1)
    if not marked.any():
        return one
    spread = _FADE * marked.shape[1]
    # Surroundings belong to how a lesion looks: it is whole where it is marked, and fades beyond.
    reach = cv2.dilate(marked, np.ones((3, 3), np.uint8), iterations=max(round(2 * spread), 1))
    weight = np.maximum(cv2.GaussianBlur(reach, (0, 0), spread), marked)[..., None]
    image = weight * other.image + (1 - weight) * one.image
    return Example(image.astype(np.float32), np.maximum(one.target, other.target))


def mix(one: Example, other: Example, mixing: Mixing, rng: np.random.Generator) -> Example:
    """Make one example of two, or leave the first as it is, as chance and the settings say."""
    if mixing.paste and rng.random() < mixing.paste:
        one = paste(one, other)
    if mixing.share and rng.random() < mixing.share:
        blended = mixing.method == "mixup" or (mixing.method == "either" and rng.random() < 0.5)
        return (blend if blended else cut)(one, other, rng)
    return one
