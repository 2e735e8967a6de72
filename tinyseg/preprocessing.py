"""From an image's pixels to a network's input: size, channels and range of values.

Training, calibration, verification, prediction and the table of input values in firmware all
take these functions, so that a network sees on a board what it was trained with.
"""

from __future__ import annotations

import cv2
import numpy as np

from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan


def normalise(images: np.ndarray, preprocessing: PreprocessingPlan) -> np.ndarray:
    """Map pixel values to the network's input range.

    Args:
        images: uint8 of any shape; channels last, if they have a scale each.
        preprocessing: its ``scale`` and ``offset`` are applied in float32.

    Returns:
        float32 of the same shape.
    """
    scale = np.asarray(preprocessing.scale, np.float32)
    offset = np.asarray(preprocessing.offset, np.float32)
    return images.astype(np.float32) * scale + offset


def resize_image(image: np.ndarray, preprocessing: PreprocessingPlan) -> np.ndarray:
    """Stretch an image to the network's size and number of channels.

    Args:
        image: uint8 ``(height, width)`` or ``(height, width, channels)`` with at most 4 channels.
        preprocessing: target size and channels.

    Returns:
        uint8 ``(height, width, channels)``; area averaging when shrinking, else bilinear.

    Raises:
        InputError: the image has another number of channels, and is neither grey nor RGB that
            becomes grey.
    """
    if preprocessing.channels == 1 and image.ndim == 3 and image.shape[-1] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if image.ndim == 3 and image.shape[-1] != preprocessing.channels:
        raise InputError(
            f"preprocessing.channels: the images have {image.shape[-1]} channels but the network "
            f"takes {preprocessing.channels}; --set preprocessing.channels={image.shape[-1]}"
        )
    size = (preprocessing.width, preprocessing.height)
    if image.shape[1::-1] != size:
        shrinks = image.shape[0] * image.shape[1] > size[0] * size[1]
        image = cv2.resize(
            image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
    if image.ndim == 2:
        image = np.repeat(image[..., None], preprocessing.channels, axis=-1)
    return image


def resize_mask(mask: np.ndarray, preprocessing: PreprocessingPlan) -> np.ndarray:
    """Stretch a binary mask to the network's size; nearest neighbour keeps it binary.

    Args:
        mask: uint8 ``(height, width)`` or ``(height, width, regions)``.
        preprocessing: target size.

    Returns:
        uint8 ``(height, width, regions)`` with values 0 and 1; one region for a flat mask.
    """
    shape = (preprocessing.height, preprocessing.width)
    regions = mask.shape[2] if mask.ndim == 3 else 1
    if regions == 0:
        return np.zeros((*shape, 0), np.uint8)
    resized = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return resized.reshape(*shape, regions)
