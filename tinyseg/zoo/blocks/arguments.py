"""Checks of the arguments that U-shaped networks share."""

from __future__ import annotations

from collections.abc import Sequence


def check_sizes(
    input_shape: tuple[int, int, int],
    width: int,
    depth: int,
    classes: int,
    widens: str = "base_width",
) -> None:
    """Refuse sizes that no U-shaped network can take.

    Args:
        input_shape: height, width and channels of an image.
        width: filters of the first stage.
        depth: how often an image is halved.
        classes: number of regions.
        widens: the argument that is the width.

    Raises:
        ValueError: naming the argument and, for an indivisible input, the next size.
    """
    for argument, value in ((widens, width), ("depth", depth), ("classes", classes)):
        if value < 1:
            raise ValueError(f"{argument} must be at least 1, not {value}")
    rows, columns, channels = input_shape
    step = 2**depth
    if rows < step or columns < step or rows % step or columns % step:
        nearest = tuple(max(-(-side // step), 1) * step for side in (rows, columns))
        raise ValueError(
            f"input {rows}x{columns} must be divisible by {step} at depth {depth}; "
            f"use {nearest[0]}x{nearest[1]}"
        )
    if channels < 1:
        raise ValueError(f"input needs at least one channel, not {channels}")


def dropout_rates(dropout: float | Sequence[float], depth: int) -> list[float]:
    """Return one dropout rate for each of ``2 * depth + 1`` stages from input to output.

    Raises:
        ValueError: another number of rates, or one outside [0, 1).
    """
    stages = 2 * depth + 1
    rates = [float(dropout)] * stages if isinstance(dropout, int | float) else list(dropout)
    if len(rates) != stages or not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"dropout takes one rate in [0, 1) or {stages} of them, not {dropout}")
    return rates


def check_image(
    input_shape: tuple[int, int, int], smallest: int, base_width: int, classes: int
) -> None:
    """Refuse sizes that a classification network cannot take.

    Args:
        input_shape: height, width, channels.
        smallest: side of the smallest image that is not pooled away.
        base_width: filters of the first stage.
        classes: number of classes.

    Raises:
        ValueError: naming the argument and what it must be at least.
    """
    if base_width < 1:
        raise ValueError(f"base_width must be at least 1, not {base_width}")
    if classes < 2:
        raise ValueError(f"classes must be at least 2, not {classes}")
    height, width, channels = input_shape
    if min(height, width) < smallest:
        raise ValueError(f"input {height}x{width} is too small; use at least {smallest}x{smallest}")
    if channels < 1:
        raise ValueError(f"input needs at least one channel, not {channels}")


def check_rate(dropout: float) -> None:
    """Refuse a dropout rate outside [0, 1).

    Raises:
        ValueError: it is.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout takes a rate in [0, 1), not {dropout}")


def scaled(published: int, base_width: int, published_base: int) -> int:
    """Return a layer's width in a network whose base width is not the published one."""
    return max(1, round(published * base_width / published_base))
