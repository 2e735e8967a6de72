"""Where probabilities become a mask: the operating point of a network, as plain numbers.

:mod:`tinyseg.decision` applies it; ``firmware/core/operating_point.h`` does the same on a board.
"""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """How a map of probabilities becomes a mask; the defaults are a threshold and nothing else.

    A pixel is foreground if its probability is above ``min(threshold, relative * peak)``, where the
    peak is the mean of the highest probabilities of the image. :func:`tinyseg.decision.decide` says
    exactly how that is computed.

    Attributes:
        threshold: probabilities strictly above it are foreground.
        blank_below: an image whose peak is below it has no foreground; 0 for none.
        share: of an image's pixels, whose mean is the peak.
        relative: share of the peak above which pixels are foreground too; 0 for none.
        smallest: pixels that a connected part has at least; smaller ones are left out.
        largest_only: whether the largest part alone is kept.
        mirrored: whether the network sees each image's mirror image too, left and right exchanged,
            and the mean of both outputs decides, see :mod:`tinyseg.runtime.views`.
    """

    threshold: float = 0.5
    blank_below: float = 0.0
    share: float = 0.004
    relative: float = 0.0
    smallest: int = 0
    largest_only: bool = False
    mirrored: bool = False

    @property
    def point(self) -> OperatingPoint:
        """The operating point alone, of a plan that holds more."""
        return OperatingPoint(**self.point_values())

    @property
    def is_plain(self) -> bool:
        """Whether the threshold alone decides on an image seen once."""
        return not (self.by_peak or self.by_parts or self.mirrored)

    @property
    def by_peak(self) -> bool:
        """Whether the highest probabilities of an image take part."""
        return self.blank_below > 0 or self.relative > 0

    @property
    def by_parts(self) -> bool:
        """Whether connected parts are told apart."""
        return self.smallest > 1 or self.largest_only

    def point_values(self) -> dict[str, Any]:
        """Return the values by name, for JSON."""
        return {field.name: getattr(self, field.name) for field in _FIELDS}

    def for_file(self) -> dict[str, Any]:
        """Return what a file stores of this plan: where a threshold decides alone, it stands alone.

        An image seen once is not told of. So a file keeps its bytes when there is one more way to
        decide.
        """
        values = dataclasses.asdict(self)
        idle = set() if self.mirrored else {"mirrored"}
        if self.is_plain:
            idle = self.point_values().keys() - {"threshold"}
        return {name: value for name, value in values.items() if name not in idle}

    def described(self) -> str:
        """Return the point in words."""
        asked = [f"p > {self.threshold:g}"]
        if self.relative:
            asked = [f"p > min({self.threshold:g}, {self.relative:g} of the peak)"]
        if self.blank_below:
            asked.append(f"blank if the peak is below {self.blank_below:g}")
        if self.largest_only:
            asked.append("largest part")
        if self.smallest > 1:
            asked.append(f"parts of {self.smallest} pixels or more")
        if self.mirrored:
            asked.append("p of an image and its mirror image")
        return ", ".join(asked)


_FIELDS = dataclasses.fields(OperatingPoint)
