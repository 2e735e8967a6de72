"""The bars that a quantized network has to clear, and which of them it missed."""

from __future__ import annotations

import dataclasses
import enum


class Gate(enum.Enum):
    """What is asked of an integer file."""

    OPERATORS = "TensorFlow Lite Micro has every operator"
    BYTES = "its bytes are those of the reference kernels"
    SCORE = "the scores are close to those of the float network"
    TRIVIAL = "the network does better than the same answer to every image"
    DEVICE = "a board gives the bytes of the interpreter on the host, every time"
    SIMULATION = "the decisions are those of the simulation in Keras"
    BINARY = "binary convolutions decide as the standard operators do"


@dataclasses.dataclass(frozen=True)
class Missed:
    """A gate that was not passed.

    Attributes:
        gate: which.
        line: what is wrong with which file, and the cure.
    """

    gate: Gate
    line: str

    def __str__(self) -> str:
        return self.line
