"""Masks drawn on their image."""

from __future__ import annotations

import cv2
import numpy as np

# One colour a region, red, green, blue.
_COLOURS = ((41, 211, 255), (255, 176, 0), (255, 79, 129), (125, 255, 106))


def overlay(image: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Draw the outline of each region on an image, and tint its inside.

    Args:
        image: uint8 grey ``(height, width)`` or RGB.
        masks: bool ``(height, width, regions)``.

    Returns:
        uint8 RGB ``(height, width, 3)``.
    """
    drawn = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image.copy()
    thickness = max(1, round(min(image.shape[:2]) / 200))
    for number, mask in enumerate(np.moveaxis(masks, -1, 0)):
        colour = _COLOURS[number % len(_COLOURS)]
        drawn[mask] = (0.75 * drawn[mask] + 0.25 * np.array(colour)).astype(np.uint8)
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(drawn, outlines, -1, colour, thickness)
    return drawn
