"""What lint holds single operators against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tinyseg.tflite.nodes import Operator

# How grave a finding is, and its message; None if there is nothing.
Severity = Literal["error", "unsupported", "warning"]
Check = Callable[[Operator], tuple[Severity, str] | None]


def full_integer(operator: Operator) -> tuple[Severity, str] | None:
    """Refuse integer weights with float32 activations, which TFLM does not run."""
    data, weights = operator.first(2)
    if data.dtype != "float32" or weights.dtype == "float32":
        return None
    return "error", (
        f"{weights.dtype} weights with float32 activations (dynamic-range or float16 "
        "quantization); use full-integer quantization"
    )
