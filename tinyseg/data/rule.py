"""How the values of a mask become foreground, background and regions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from tinyseg.data.masks import COLOUR, MaskPixels

_LOSSY_WITHIN = 24

Spans = tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Region:
    """Values of a mask that mark one region.

    Attributes:
        name: of the region.
        spans: least and greatest value of each range.
    """

    name: str
    spans: Spans

    def marks(self, values: np.ndarray, within: float = 0) -> np.ndarray:
        """Return which values are in the region, bool."""
        marked = np.zeros(values.shape, bool)
        for low, high in self.spans:
            marked |= (values >= low - within) & (values <= high + within)
        return marked


@dataclasses.dataclass(frozen=True)
class MaskRule:
    """How masks become foreground and background.

    Attributes:
        regions: none if all that is not background is one region.
        whites: of masks of shades, by depth: the brightest value in the data set, above half of
            which is foreground.
        colours: whether values are colours, so that grey ones are too.
        notes: what was concluded that a user may not have meant.
    """

    regions: tuple[Region, ...] = ()
    whites: Mapping[str, float] = dataclasses.field(default_factory=dict)
    colours: bool = False
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What each channel of a mask marks."""
        return tuple(region.name for region in self.regions) or ("foreground",)

    def apply(self, pixels: MaskPixels) -> np.ndarray:
        """Return a mask as uint8 0 and 1, ``(height, width)`` or ``(height, width, regions)``."""
        if self.regions:
            values = _as_colours(pixels) if self.colours else pixels.values
            within = _LOSSY_WITHIN if pixels.lossy else 0
            planes = [region.marks(values, within) for region in self.regions]
            return np.stack(planes, -1).astype(np.uint8) if len(planes) > 1 else _one(planes)
        values = pixels.values
        if self.whites and (pixels.lossy or len(np.unique(values[values != 0])) > 1):
            white = self.whites.get(pixels.depth, 0)
            return (pixels.brightness > white / 2).astype(np.uint8)
        return (values != 0).astype(np.uint8)


def _one(planes: list[np.ndarray]) -> np.ndarray:
    return planes[0].astype(np.uint8)


def _as_colours(pixels: MaskPixels) -> np.ndarray:
    if pixels.kind == "colour":
        return pixels.values
    return coded(pixels.values.astype(np.int64))


def coded(grey: np.ndarray) -> np.ndarray:
    """Return grey values of 8 bits as colours."""
    return np.where(grey > 0, COLOUR | grey * 0x010101, 0)
