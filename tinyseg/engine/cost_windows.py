"""Windows of a node, and how much of them lies beyond what they are laid on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyseg.engine.program import Link, Node

# By the name of a loop: how often each of its terms occurs in a row.
Parts = dict[str, dict[str, float]]
# A clamp that leaves all bytes as they are.
FULL = (-128, 127)
_WINDOWED = ("CONVOLUTION", "DEPTHWISE", "TRANSPOSED", "POOL")


class Window(NamedTuple):
    """``Window`` of ``firmware/engine/params.h``."""

    height: int
    width: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    top: int
    left: int

    @classmethod
    def of(cls, node: Node) -> Window:
        """Return the window of a node whose kernel has one."""
        return cls(*numbers(node)[:8])

    def pixels_inside(self, pixels: int, width: int) -> int:
        """Return of how many pixels all columns of the window lie inside a row so wide."""
        first = -(-max(self.left, 0) // self.stride_x)
        last = (width - 1 - (self.width - 1) * self.dilation_x + self.left) // self.stride_x
        return max(min(last, pixels - 1) - first + 1, 0)


class Reach(NamedTuple):
    """What a row's windows meet of a source, on average over all rows.

    Attributes:
        inside: rows that the source has.
        beyond: rows that it lacks.
        bordered: share of the rows whose windows meet some that it lacks.
    """

    inside: float
    beyond: float
    bordered: float

    @classmethod
    def of(cls, node: Node, link: Link, height: int) -> Reach:
        """Return what a node's rows meet of a source of so many rows."""
        need, row = link.need, np.arange(node.rows, dtype=np.int64)
        first = (row * need.step + need.low) // need.divisor
        end = (row * need.step + need.high) // need.divisor + 1
        inside = np.maximum(np.minimum(end, height) - np.maximum(first, 0), 0)
        beyond = np.maximum(end - first, 0) - inside
        return cls(float(inside.mean()), float(beyond.mean()), float((beyond > 0).mean()))


def numbers(node: Node) -> list[int]:
    """Return a node's parameters but for data."""
    return [param for param in node.params if isinstance(param, int)]


def is_windowed(node: Node) -> bool:
    """Tell whether the kernel of a node lays windows on its sources."""
    return node.kernel is not None and any(word in node.kernel.name for word in _WINDOWED)
