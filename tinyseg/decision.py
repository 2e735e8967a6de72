"""From maps of probabilities to masks at an operating point; boards do the same, bit for bit."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from tinyseg.operating_point import OperatingPoint

# Probabilities as whole numbers: of the highest one, and of 1 where shares of it are taken.
UNITS = 65535
ONE = 65536


class Whole(NamedTuple):
    """An operating point as the whole numbers that decide on maps of one size.

    Attributes:
        highest: how many pixels are the highest, whose mean is the peak.
        blank_below: the least sum of their units of an image that is not blank.
        relative: share of the peak, in 1/65536.
    """

    highest: int
    blank_below: int
    relative: int


def whole(point: OperatingPoint, pixels: int) -> Whole:
    """Return the whole numbers of a point for maps of so many pixels; halves are rounded up."""
    count = min(pixels, max(1, int(point.share * pixels + 0.5)))
    least = int(point.blank_below * UNITS + 0.5)
    return Whole(count, count * least, int(point.relative * ONE + 0.5))


def units(probabilities: np.ndarray) -> np.ndarray:
    """Return probabilities as whole numbers 0..65535, int64; halves are rounded up."""
    scaled = np.asarray(probabilities, np.float64) * UNITS + 0.5
    return np.clip(np.floor(scaled), 0, UNITS).astype(np.int64)


def decide(maps: np.ndarray, point: OperatingPoint | float) -> np.ndarray:
    """Turn maps of probabilities into masks, each region of each image by itself.

    With ``units`` u = floor(65535 p + 1/2) of a probability p, and whole numbers of the point, each
    rounded to the nearest, halves up (:func:`whole`):

    1. k = share * pixels, 1 at least; S is the sum of the k largest u. Equal ones need no order.
    2. The image is blank if S < k * T, where T = 65535 * blank_below.
    3. A pixel is foreground if p > threshold, or if u * k * 65536 > R * S, where R = 65536 *
       relative and is not 0.
    4. Foreground pixels that touch, also at a corner, are one part (8-connectivity). Parts of
       fewer than ``smallest`` pixels are left out; of the others only the largest is kept if
       ``largest_only``, of equally large ones the one whose first pixel, row by row, comes first.

    Args:
        maps: float32 ``(n, height, width, regions)``.
        point: operating point, or a threshold alone.

    Returns:
        bool of the same shape.
    """
    if not isinstance(point, OperatingPoint):
        return maps > point
    return Peaks.of(maps, point).parts(maps)


class Peaks:
    """What an operating point finds in maps at the network's size.

    Args:
        point: the operating point.
        numbers: of it, for these maps.
        sums: of the highest units, int64 ``(n, 1, 1, regions)``; None if no peak takes part.
    """

    def __init__(self, point: OperatingPoint, numbers: Whole, sums: np.ndarray | None) -> None:
        self._point, self._numbers, self._sums = point, numbers, sums

    @classmethod
    def of(cls, maps: np.ndarray, point: OperatingPoint) -> Peaks:
        """Measure maps ``(n, height, width, regions)``."""
        numbers = whole(point, maps.shape[1] * maps.shape[2])
        return cls(point, numbers, top_sums(maps, numbers.highest) if point.by_peak else None)

    def foreground(self, maps: np.ndarray) -> np.ndarray:
        """Return what is foreground of maps of these images, of any size, before parts count."""
        marked = maps > self._point.threshold
        if self._sums is None:
            return marked
        count, blank_below, relative = self._numbers
        if relative:
            marked |= units(maps) * (count * ONE) > relative * self._sums
        return marked & (self._sums >= blank_below)

    def parts(self, maps: np.ndarray) -> np.ndarray:
        """Return the masks of the maps that were measured, see :func:`decide`."""
        marked = self.foreground(maps)
        if not self._point.by_parts:
            return marked
        return np.stack([self._kept(masks) for masks in marked]) if len(marked) else marked

    def _kept(self, masks: np.ndarray) -> np.ndarray:
        smallest, largest_only = self._point.smallest, self._point.largest_only
        regions = [keep_parts(mask, smallest, largest_only) for mask in np.moveaxis(masks, -1, 0)]
        return np.stack(regions, axis=-1)


def top_sums(maps: np.ndarray, count: int) -> np.ndarray:
    """Return the sum of the highest units of each map, int64 ``(n, 1, 1, regions)``."""
    flat = units(maps).reshape(len(maps), -1, maps.shape[-1])
    highest = np.partition(flat, flat.shape[1] - count, axis=1)[:, flat.shape[1] - count :]
    return highest.sum(1)[:, None, None]


def peaks(maps: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of the highest probabilities of each map, float64 ``(n, regions)``."""
    count = whole(OperatingPoint(share=share), maps.shape[1] * maps.shape[2]).highest
    return top_sums(maps, count)[:, 0, 0] / (count * UNITS)


def keep_parts(mask: np.ndarray, smallest: int, largest_only: bool) -> np.ndarray:
    """Leave out connected parts of a mask, see :func:`decide`.

    Args:
        mask: bool ``(height, width)``.
        smallest: pixels of a part that is kept.
        largest_only: whether one alone is kept.
    """
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels.ravel(), minlength=count)
    sizes[0] = 0  # Of what is no part.
    kept = sizes >= max(smallest, 1)
    if largest_only and kept.any():
        largest = sizes == sizes.max()
        first = labels.ravel()[largest[labels].argmax()]
        kept = np.arange(count) == first
    return kept[labels]
