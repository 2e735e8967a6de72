"""What lint holds single operators against."""

from __future__ import annotations

from collections.abc import Callable

from tinyseg.tflite.nodes import Operator

# Severity, as of :class:`tinyseg.tflite.lint.Finding`, and message; None if there is nothing.
Check = Callable[[Operator], tuple[str, str] | None]


def full_integer(operator: Operator) -> tuple[str, str] | None:
    """Refuse integer weights with float32 activations, which TFLM does not run."""
    data, weights = operator.inputs[:2]
    if data.dtype != "float32" or weights.dtype == "float32":
        return None
    return "error", (
        f"{weights.dtype} weights with float32 activations (dynamic-range or float16 "
        "quantization); use full-integer quantization"
    )
