"""The integer arithmetic of TensorFlow Lite's kernels, in NumPy.

As in ``tensorflow/lite/kernels/internal/common.cc`` and ``quantization_util.cc``: a real factor
becomes a 32-bit multiplier and a shift, and a product is rounded twice.
"""

from __future__ import annotations

import numpy as np

ADD_SHIFT = 20


def half_away(reals: np.ndarray | np.floating) -> np.ndarray:
    """Round to int64, half away from zero, as ``TfLiteRound``."""
    wide = np.asarray(reals, np.float64)
    return np.trunc(wide + np.copysign(0.5, wide)).astype(np.int64)


def high_product(a: np.ndarray, b: np.ndarray | int, bits: int = 31) -> np.ndarray:
    """Return ``a * b / 2**bits`` as gemmlowp's ``SaturatingRoundingDoublingHighMul`` rounds it.

    Args:
        a, b: fixed-point numbers, int64.
        bits: 31 for those of 32 bits, 15 for those of 16.
    """
    product = np.asarray(a, np.int64) * b
    half = 1 << (bits - 1)
    # The division truncates towards zero.
    nudged = product + np.where(product >= 0, half, 1 - half)
    return np.sign(nudged) * (np.abs(nudged) >> bits)


def divide_by_power(values: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """Return ``values / 2**exponent``, half away from zero: gemmlowp's ``RoundingDivideByPOT``."""
    mask = (np.int64(1) << exponent) - 1
    return (values >> exponent) + ((values & mask) > (mask >> 1) + (values < 0))


def quantize_multiplier(real: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return factors as multipliers and shifts: ``multiplier * 2**(shift - 31)``, int64 arrays."""
    fraction, shift = np.frexp(np.asarray(real, np.float64))
    multiplier = half_away(fraction * 2.0**31)
    shift = shift.astype(np.int64)
    full = np.abs(multiplier) == 1 << 31
    multiplier, shift = (
        np.where(full, multiplier // 2, multiplier),
        np.where(full, shift + 1, shift),
    )
    lost = shift < -31
    return np.where(lost, 0, multiplier), np.where(lost, 0, shift)


def multiply(values: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Multiply int32 values (as int64) by a quantized multiplier, rounding twice.

    Args:
        values: any shape; broadcast with the others.
        multiplier, shift: from :func:`quantize_multiplier`.

    Returns:
        int64 values.
    """
    high = high_product(values << np.maximum(shift, 0), multiplier)
    return divide_by_power(high, np.maximum(-shift, 0))


def clamp(values: np.ndarray, low: int = -128, high: int = 127) -> np.ndarray:
    """Return values limited to a range, as int8."""
    return np.clip(values, low, high).astype(np.int8)


def mul(
    first: tuple[np.ndarray, float, int], second: tuple[np.ndarray, float, int], out: tuple
) -> np.ndarray:
    """Return what MUL makes of stored int8 values, before the clamp.

    Args:
        first, second: stored values, scale and zero point.
        out: scale and zero point of the result.

    Returns:
        int64 stored values.
    """
    (a, a_scale, a_zero), (b, b_scale, b_zero) = first, second
    out_scale, out_zero = out
    factor = quantize_multiplier(a_scale * b_scale / out_scale)
    product = (np.asarray(a, np.int64) - a_zero) * (np.asarray(b, np.int64) - b_zero)
    return multiply(product, *factor) + out_zero


def add(
    first: tuple[np.ndarray, float, int],
    second: tuple[np.ndarray, float, int],
    out: tuple,
    *,
    subtract: bool = False,
) -> np.ndarray:
    """Return what ADD, or SUB, makes of stored int8 values, before the clamp; see :func:`mul`."""
    (_, a_scale, _), (_, b_scale, _) = first, second
    out_scale, out_zero = out
    twice_max = 2 * max(a_scale, b_scale)
    parts = []
    for sign, (values, scale, zero) in ((1, first), (-1 if subtract else 1, second)):
        shifted = (np.asarray(values, np.int64) - zero) << ADD_SHIFT
        parts.append(sign * multiply(shifted, *quantize_multiplier(scale / twice_max)))
    total = parts[0] + parts[1]
    factor = quantize_multiplier(twice_max / ((1 << ADD_SHIFT) * out_scale))
    return multiply(total, *factor) + out_zero
