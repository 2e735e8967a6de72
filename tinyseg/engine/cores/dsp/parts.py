"""What the parameters of portable convolutions hold."""

from __future__ import annotations

import numpy as np

from tinyseg.engine.program import Data, Node


def parts(node: Node) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Return numbers, int8 weights, and biases, multipliers and shifts ``(channels, 3)``."""
    numbers = [part for part in node.params if isinstance(part, int)]
    weights, channels = (part.content for part in node.params if isinstance(part, Data))
    records = np.frombuffer(channels, np.int32).reshape(-1, 3)
    return numbers, np.frombuffer(weights, np.int8), records
