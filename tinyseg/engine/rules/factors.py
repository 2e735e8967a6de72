"""Scales as the integers that kernels compute with."""

from __future__ import annotations

import numpy as np

from tinyseg.tflite.arithmetic import quantize_multiplier
from tinyseg.tflite.nodes import Tensor


def scale_of(tensor: Tensor) -> tuple[float, int]:
    """Return scale and zero point of a tensor that is quantized as a whole.

    Raises:
        ValueError: it is not.
    """
    if tensor.scales.size != 1:
        raise ValueError(f"tensor '{tensor.name}' has {tensor.scales.size} scales")
    zero = int(tensor.zero_points[0]) if tensor.zero_points.size else 0
    return float(tensor.scales[0]), zero


def factor(real: float) -> tuple[int, int]:
    """Return a real factor as multiplier and shift."""
    multiplier, shift = quantize_multiplier(real)
    return int(multiplier), int(shift)


def channels(
    data: Tensor, weights: Tensor, bias: Tensor | None, output: Tensor, sums: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what kernels add to each output channel's sum, and its factor.

    Args:
        data, weights, bias, output: of a convolution.
        sums: of each channel's weights, int64 ``(..., channels)``.

    Returns:
        Biases of the shape of ``sums``, multipliers and shifts ``(channels,)``, as int64.

    Raises:
        ValueError: a tensor lacks its scale, or has other than it should.
    """
    source, zero = scale_of(data)
    target, _ = scale_of(output)
    count = sums.shape[-1]
    if weights.scales.size not in (1, count) or weights.zero_points.any():
        raise ValueError("its weights are not quantized symmetrically by channel")
    real = np.float64(source) * weights.scales.astype(np.float64) / np.float64(target)
    multipliers, shifts = quantize_multiplier(np.broadcast_to(real, count))
    start = np.zeros(count, np.int64) if bias is None else bias.array().astype(np.int64)
    biases = start - zero * sums
    if np.abs(biases).max(initial=0) >= 2**31:
        raise ValueError("a bias does not fit 32 bits")
    return biases, multipliers, shifts
