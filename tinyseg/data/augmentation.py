"""Random changes to training images that a scanner or an operator could have made."""

from __future__ import annotations

import cv2
import numpy as np

MAX_ROTATION_DEGREES = 12
MAX_SHIFT = 0.08
ZOOM = (0.85, 1.2)
CONTRAST = (0.75, 1.3)
BRIGHTNESS = 0.12


def move(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Flip left-right, rotate, zoom and shift an image and its mask together.

    Up and down stay: depth has a meaning in ultrasound. Beyond the border both are mirrored,
    so that a lesion which the border cuts goes on in image and mask alike.

    Args:
        image: uint8 ``(height, width, channels)`` with at most 4 channels.
        mask: uint8 ``(height, width, regions)`` with at most 4 regions or none; moved with
            nearest neighbour, so it stays binary.
        rng: source of randomness.

    Returns:
        Image and mask of the same shapes.
    """
    height, width = mask.shape[:2]
    angle = rng.uniform(-MAX_ROTATION_DEGREES, MAX_ROTATION_DEGREES)
    zoom = np.exp(rng.uniform(*np.log(ZOOM)))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    matrix[:, 2] += rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * (width, height)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    border = {"borderMode": cv2.BORDER_REFLECT}
    moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, **border)
    if mask.size:
        mask = cv2.warpAffine(
            mask, matrix, (width, height), flags=cv2.INTER_NEAREST, **border
        ).reshape(mask.shape)
    return moved.reshape(image.shape), mask


def grey_levels(rng: np.random.Generator) -> np.ndarray:
    """Draw a change of contrast and brightness.

    Args:
        rng: source of randomness.

    Returns:
        float32 ``(256,)``: the new value in [0, 255] of each old one.
    """
    levels = (np.arange(256) - 127.5) * rng.uniform(*CONTRAST) + 127.5
    return (levels + 255 * rng.uniform(-BRIGHTNESS, BRIGHTNESS)).clip(0, 255).astype(np.float32)
