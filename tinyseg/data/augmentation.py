"""Random changes to training images that a scanner or an operator could have made."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Ranges:
    """How far images are changed, each change being drawn evenly up to these limits.

    Attributes:
        rotation: degrees to either side.
        shift: share of the image's sides in either direction.
        zoom: smallest and largest factor.
        contrast: smallest and largest factor of the distance from middle grey.
        brightness: share of the grey levels up and down.
        stretch: natural logarithm of the largest factor by which one side grows and the other
            shrinks; 0 for none.
        bend: standard deviation of a smooth displacement, as a share of the width; 0 for none.
        gamma: natural logarithm of the largest exponent of the grey levels; 0 for none.
    """

    rotation: float
    shift: float
    zoom: tuple[float, float]
    contrast: tuple[float, float]
    brightness: float
    stretch: float = 0.0
    bend: float = 0.0
    gamma: float = 0.0


MILD = Ranges(12, 0.08, (0.85, 1.2), (0.75, 1.3), 0.12)
# A teacher shows more than was outlined: the more views, the more of it a student sees.
WIDE = Ranges(15, 0.1, (0.75, 1.4), (0.7, 1.4), 0.12, stretch=0.15, bend=0.01, gamma=0.3)
# Displacements are drawn on a grid of so many points a side.
_BENDS = 4


def move(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, ranges: Ranges = MILD
) -> tuple[np.ndarray, np.ndarray]:
    """Flip left-right, rotate, zoom, shift, stretch and bend an image and its mask together.

    Up and down stay: depth has a meaning in ultrasound. Beyond the border both are mirrored,
    so that a lesion which the border cuts goes on in image and mask alike.

    Args:
        image: uint8 ``(height, width, channels)`` with at most 4 channels.
        mask: uint8 ``(height, width, regions)`` with at most 4 regions or none; moved with
            nearest neighbour, so it stays binary.
        rng: source of randomness.
        ranges: how far.

    Returns:
        Image and mask of the same shapes.
    """
    height, width = mask.shape[:2]
    angle = rng.uniform(-ranges.rotation, ranges.rotation)
    zoom = np.exp(rng.uniform(*np.log(ranges.zoom)))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    matrix[:, 2] += rng.uniform(-ranges.shift, ranges.shift, 2) * np.array([width, height])
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    if ranges.stretch:
        factor = np.exp(rng.uniform(-ranges.stretch, ranges.stretch))
        matrix = matrix @ _stretched(factor, width, height)
    if ranges.bend:
        places = _bent(
            matrix, width, height, rng.normal(0, ranges.bend * width, (2, _BENDS, _BENDS))
        )

    def moved(picture: np.ndarray, interpolation: int) -> np.ndarray:
        border = cv2.BORDER_REFLECT
        if ranges.bend:
            result = cv2.remap(picture, *places, interpolation, borderMode=border)
        else:
            result = cv2.warpAffine(
                picture, matrix, (width, height), flags=interpolation, borderMode=border
            )
        return result.reshape(picture.shape)

    image = moved(image, cv2.INTER_LINEAR)
    return image, moved(mask, cv2.INTER_NEAREST) if mask.size else mask


def _stretched(factor: float, width: int, height: int) -> np.ndarray:
    """Return what multiplies the width, and divides the height, about the centre."""
    x, y = (width - 1) / 2, (height - 1) / 2
    return np.array([[factor, 0, x - factor * x], [0, 1 / factor, y - y / factor], [0, 0, 1]])


def _bent(
    matrix: np.ndarray, width: int, height: int, displacements: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel comes from: an affine map's origins, displaced smoothly."""
    back = cv2.invertAffineTransform(matrix)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    smooth = (
        cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for grid in displacements
    )
    across, down = (
        (row[0] * x + row[1] * y + row[2] + shift).astype(np.float32)
        for row, shift in zip(back, smooth, strict=True)
    )
    return across, down


def grey_levels(rng: np.random.Generator, ranges: Ranges = MILD) -> np.ndarray:
    """Draw a change of gamma, contrast and brightness.

    Args:
        rng: source of randomness.
        ranges: how far.

    Returns:
        float32 ``(256,)``: the new value in [0, 255] of each old one.
    """
    levels = np.arange(256, dtype=float)
    if ranges.gamma:
        levels = 255 * (levels / 255) ** np.exp(rng.uniform(-ranges.gamma, ranges.gamma))
    levels = (levels - 127.5) * rng.uniform(*ranges.contrast) + 127.5
    levels += 255 * rng.uniform(-ranges.brightness, ranges.brightness)
    return levels.clip(0, 255).astype(np.float32)
