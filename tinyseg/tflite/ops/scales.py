"""How TensorFlow Lite quantizes the int8 tensors of an operator.

Its "8-bit quantization specification" (``tensorflow/lite/g3doc``), which TFLM's kernels rely on:
most of them do not look whether a file keeps to it.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.tflite.nodes import Operator, Tensor


@dataclasses.dataclass(frozen=True)
class Scales:
    """The quantization rule of an operator.

    Attributes:
        needed: whether its kernel computes with the scales of its activations.
        same: whether the kernel hands stored values on, so that its output has the scale and zero
            point of its inputs.
        output: scale and zero point that the kernel takes for granted in its output, None if they
            are free. Where a file names others, TensorFlow Lite's own kernel gives other bytes,
            which ``verify`` finds.
        channels: dimension of its weights along which each place may have a scale of its own.
    """

    needed: bool = False
    same: bool = False
    output: tuple[float, int] | None = None
    channels: int | None = None

    def broken_by(self, operator: Operator, weights: int | None) -> str | None:
        """Return what in a use breaks the rule unnoticed, on every interpreter; None if nothing.

        Args:
            operator: the use.
            weights: number of the input that holds the weights, None for operators without.
        """
        sources = [source for source in operator.inputs if source is not None and _stored(source)]
        for tensor in filter(_stored, operator.outputs):
            if self.same:
                for source in sources:
                    if not _equal(tensor, source.scales[0], source.zero_points[0]):
                        return (
                            f"'{tensor.name}' has another scale or zero point than "
                            f"'{source.name}', whose values the kernel hands on"
                        )
        kernel = None if weights is None else operator.inputs[weights]
        if self.channels is None or kernel is None or kernel.scales.size < 2:
            return None
        # An axis beyond the shape is damage of another kind.
        if kernel.axis == self.channels or kernel.axis >= len(kernel.shape):
            return None
        return (
            f"'{kernel.name}' has a scale for each place along dimension {kernel.axis}, the kernel "
            f"takes dimension {self.channels}"
        )


FREE = Scales()
# What kernels do that move or pick stored values.
SAME = Scales(same=True)


def _stored(tensor: Tensor) -> bool:
    """Return whether a tensor holds int8 values of one scale."""
    return tensor.dtype == "int8" and tensor.scales.size == tensor.zero_points.size == 1


def _equal(tensor: Tensor, scale: float, zero_point: int) -> bool:
    return bool(tensor.scales[0] == np.float32(scale) and tensor.zero_points[0] == zero_point)
