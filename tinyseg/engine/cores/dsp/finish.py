"""From doubled sums to bytes, as ``firmware/engine/kernels/dsp/finish.h`` does it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Zero points shifted farther do not fit 32 bits.
_MOST_SHIFT = 22
_MOST_SUM = 1 << 30


def is_signed(zero: int, least: int) -> bool:
    """Tell whether values below the zero point are outputs, so that their ties matter."""
    return least < zero


def finishes(
    channels: np.ndarray, bounds: Sequence[int] | np.ndarray, zero: int, signed: bool
) -> np.ndarray | None:
    """Return how sums become bytes.

    Args:
        channels: biases, multipliers and shifts, ``(channels, 3)``.
        bounds: what the channels' products alone reach at most, without their signs.
        zero: zero point of the output.
        signed: see :func:`is_signed`.

    Returns:
        Doubled biases, multipliers, roundings and shifts, int32 ``(channels, 4)``; None if a
        channel has factors or sums that cannot be.
    """
    made = [
        _finish(int(bias), int(multiplier), int(shift), int(bound), zero, signed)
        for (bias, multiplier, shift), bound in zip(channels, bounds, strict=True)
    ]
    if any(finish is None for finish in made):
        return None
    return np.array(made, np.int64).astype(np.int32).reshape(-1, 4)


def _finish(
    bias: int, multiplier: int, shift: int, bound: int, zero: int, signed: bool
) -> tuple[int, int, int, int] | None:
    bound += abs(bias)
    right = -shift
    if bound >= _MOST_SUM or right < int(signed):
        return None
    if right > _MOST_SHIFT:
        # Whatever the sum, the output is the zero point; one is what rounding below zero takes off.
        return (0, 0, 2 * zero + 1, 1) if bound < 1 << right - 1 else None
    return 2 * bias, multiplier, (1 << right >> 1) + (zero << right), right
