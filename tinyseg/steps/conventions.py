"""The usual ways from pixels to a network's input, known by the range that the input can hold."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.tflite.border import Range

# Shares of the range by which calibration and the rounding of a zero point shift its ends.
_LOOSE = 0.05
# Mean and standard deviation of ImageNet's channels, as torchvision's networks take them.
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# Pixels / 255 that no image reaches leave an upper end as low as this, times the highest.
_DARK, _BRIGHT = 0.25, 0.55


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Input = pixel 0..255 * scale + offset.

    Attributes:
        scale, offset: a value, or one for each channel.
    """

    scale: float | tuple[float, ...]
    offset: float | tuple[float, ...]

    def ends(self) -> tuple[float, float]:
        """Return the least and the largest input that a pixel becomes."""
        offset = np.atleast_1d(self.offset)
        reached = np.concatenate([offset, offset + 255 * np.atleast_1d(self.scale)])
        return float(reached.min()), float(reached.max())

    @property
    def scale_text(self) -> str:
        """The scale as ``--scale`` takes it."""
        return _text(self.scale)

    @property
    def offset_text(self) -> str:
        """The offset as ``--offset`` takes it."""
        return _text(self.offset)

    def __str__(self) -> str:
        return f"pixel * {self.scale_text} + {self.offset_text}"


def convention(limits: Range, channels: int) -> Scaling | None:
    """Return the usual way whose input is a range, None if none is or several are.

    Args:
        limits: what the input can hold: the calibration images' values, and 0.
        channels: of the input.
    """
    if limits.symmetric:
        # Whether anything is below zero is not to be seen, but nobody takes -255..255.
        return _from_zero(limits.high) if limits.high > 2 else None
    if abs(limits.low) <= _LOOSE * limits.high:
        return _from_zero(limits.high)
    return _below_zero(limits, channels)


def _from_zero(high: float) -> Scaling | None:
    for top, scale in ((1.0, 1 / 255), (255.0, 1.0)):
        if _DARK * top <= high <= (1 + _LOOSE) * top:
            return Scaling(scale, 0.0)
    return None


def _below_zero(limits: Range, channels: int) -> Scaling | None:
    low, high = limits.low, limits.high
    for end in (1.0, 0.5, 127.5):
        reached = (1 + 2 * _LOOSE) * end
        if end / 2 < -low <= reached and end / 2 < high <= reached:
            return Scaling(end / 127.5, -128.0 if end > 1 else -end)
    ends = -_MEAN / _STD, (1 - _MEAN) / _STD
    if channels == 3 and _near(low, ends[0].min(), limits) and _near(high, ends[1].max(), limits):
        return Scaling(tuple(map(float, 1 / (255 * _STD))), tuple(map(float, ends[0])))
    width = high - low
    if low > 0 or high < 0 or not 1.5 < width < 12:
        return None
    # Pixels less their mean, by their standard deviation: black and white are at the ends.
    return Scaling(width / 255, low)


def _near(value: float, wanted: float, limits: Range) -> bool:
    return abs(value - wanted) <= _LOOSE * (limits.high - limits.low)


def fits(low: float, high: float, limits: Range) -> bool:
    """Return whether an input that holds a range can be that of pixels.

    Calibration stores what images reach, and 0. So nothing may lie beyond the pixels, dark images
    may leave a part of the range above unused, and the darkest pixel is nearly black.

    Args:
        low, high: what black and white become.
        limits: what the input can hold.
    """
    if limits.symmetric:
        reach = max(-low, high)
        return _DARK / 2 * reach <= limits.high <= (1 + _LOOSE) * reach
    loose = _LOOSE * (limits.high - limits.low)
    inside = limits.low >= min(low, 0) - loose and limits.high <= max(high, 0) + loose
    dark = low >= 0 or limits.low <= _BRIGHT * low
    bright = high <= 0 or limits.high >= high / 10
    return inside and dark and bright


def _text(values: float | tuple[float, ...]) -> str:
    return ",".join(f"{value:.6g}" for value in np.atleast_1d(values))
