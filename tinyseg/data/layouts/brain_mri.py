"""Brain tumours to be classified: Kaggle's masoudnickparvar/brain-tumor-mri-dataset.

``Training/`` and ``Testing/`` hold glioma, meningioma, notumor and pituitary. Many images stand in
both, byte for byte, so that the parts are read as one dataset and divided anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tinyseg.data import tree
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.layouts.class_folders import is_class_folders, places, scan_class_folders
from tinyseg.data.layouts.layout import Layout

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
_DARK = 45


@dataclasses.dataclass(frozen=True)
class BrainMriDataset(Dataset):
    """Images cut down to the brain.

    Attributes:
        crop: whether they are; else they are read as they are.
    """

    crop: bool = True

    def _read_image(self, sample: Sample) -> np.ndarray:
        image = self._read_picture(sample)
        return crop_to_brain(image) if self.crop else image


def crop_to_brain(image: np.ndarray) -> np.ndarray:
    """Cut an image to the box around its largest bright object, without a margin.

    Blur 3 x 3, threshold 45, two erosions and two dilations remove specks and thin lines first.
    A dark head falls apart in that (one in 20 does): where the largest object's box is less than
    half of that around all of them, the latter is taken.

    Args:
        image: uint8 ``(height, width)`` or ``(height, width, 3)``.

    Returns:
        The part of it, or all of it if nothing is bright.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    bright = cv2.threshold(cv2.GaussianBlur(grey, (3, 3), 0), _DARK, 255, cv2.THRESH_BINARY)[1]
    square = np.ones((3, 3), np.uint8)
    bright = cv2.dilate(cv2.erode(bright, square, iterations=2), square, iterations=2)
    contours = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    if not contours:
        return image
    largest = cv2.boundingRect(max(contours, key=cv2.contourArea))
    every = cv2.boundingRect(np.concatenate(contours))
    x, y, width, height = largest if 2 * _area(largest) >= _area(every) else every
    return image[y : y + height, x : x + width]


def _area(box: Sequence[int]) -> int:
    return box[2] * box[3]


def is_brain_mri(root: Path) -> bool:
    """Return whether the class folders in ``Training`` and ``Testing`` are of brain tumours."""
    parts = places(root)
    names = {path.name for part in parts for path in tree.folders(part)}
    return parts != [root] and names == set(CLASSES) and is_class_folders(root)


def open_brain_mri(root: Path, crop: bool = True) -> tuple[Dataset, list[str]]:
    """Return the images, see :class:`BrainMriDataset`, and what is wrong with the folders."""
    samples, problems = scan_class_folders(root)
    dataset = BrainMriDataset(
        "brain_mri", tuple(samples), root, (), CLASSES, variant=f"crop={crop:d}", crop=crop
    )
    return dataset, problems


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    return text == "1"


LAYOUT = Layout(is_brain_mri, open_brain_mri, "brain_mri_cls", {"crop": _switch})
