"""Activation functions that are fused into int8 operators: what they leave of a tensor's values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyseg.tflite.arithmetic import half_away
from tinyseg.tflite.nodes import Tensor
from tinyseg.tflite.schema import ActivationFunctionType, Padding

_LEAST, _MOST = -128, 127
_RANGES = {
    ActivationFunctionType.RELU: (0.0, None),
    ActivationFunctionType.RELU6: (0.0, 6.0),
    ActivationFunctionType.RELU_N1_TO_1: (-1.0, 1.0),
}


def clamp_range(tensor: Tensor, options: Any) -> tuple[int, int]:
    """Return the least and the most that an operator's fused activation leaves of its output.

    As ``CalculateActivationRangeQuantized`` of TFLite.

    Args:
        tensor: the output, int8.
        options: the schema's options of the operator; those without an activation clamp nothing.

    Raises:
        ValueError: the function is none that clamps.
    """
    activation = getattr(options, "fusedActivationFunction", ActivationFunctionType.NONE)
    if activation == ActivationFunctionType.NONE:
        return _LEAST, _MOST
    if activation not in _RANGES:
        raise ValueError(f"its fused activation function {activation} has no integer form")
    zero = int(tensor.zero_points[0])
    low, high = _RANGES[activation]

    def stored(real: float) -> int:
        return zero + int(half_away(np.float32(real) / np.float32(tensor.scales[0])))

    return max(stored(low), _LEAST), _MOST if high is None else min(stored(high), _MOST)


def is_valid(options: Any) -> bool:
    """Return whether an operator's padding is VALID: none."""
    return options.padding == Padding.VALID
