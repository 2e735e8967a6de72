"""Checks of the arguments that U-shaped networks share."""

from __future__ import annotations

from collections.abc import Sequence


def check_sizes(
    input_shape: tuple[int, int, int], base_width: int, depth: int, classes: int
) -> None:
    """Refuse sizes that no U-shaped network can take.

    Raises:
        ValueError: naming the argument and, for an indivisible input, the next size.
    """
    for argument, value in (("base_width", base_width), ("depth", depth), ("classes", classes)):
        if value < 1:
            raise ValueError(f"{argument} must be at least 1, not {value}")
    height, width, channels = input_shape
    step = 2**depth
    if height < step or width < step or height % step or width % step:
        nearest = tuple(max(-(-side // step), 1) * step for side in (height, width))
        raise ValueError(
            f"input {height}x{width} must be divisible by {step} at depth {depth}; "
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
