"""Transposed convolutions as ordinary ones: sub-pixel convolutions and DEPTH_TO_SPACE.

Each output pixel of a transposed convolution of stride s only meets every s-th tap of the
kernel. Its s*s phases are therefore ordinary convolutions of the input with parts of the
kernel, with the same products and the same sums (Shi et al., "Is the deconvolution layer the
same as a convolutional layer?", arXiv 1609.07009). TFLM's kernel needs scratch of int32 for its
whole output, and CMSIS-NN's takes several times the instructions of ordinary convolutions.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from tinyseg.tflite.graph import Graph, activation, constant, is_constant, make, pad
from tinyseg.tflite.nodes import Operator, Quantization, Tensor
from tinyseg.tflite.schema import ActivationFunctionType, Padding


@dataclasses.dataclass(frozen=True)
class _Span:
    """Along one axis: which input positions, relative to its own, a phase reads; 0 included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def padding(self) -> tuple[int, int]:
        return -self.first, self.last


def lower_transposed_convolutions(graph: Graph) -> list[str]:
    """Replace int8 TRANSPOSE_CONV whose output is the input times the stride; exact.

    Returns:
        Names of the outputs of the replaced operators.
    """
    replaced = []
    for operator in list(graph.operators):
        if operator.opcode == "TRANSPOSE_CONV" and _suits(operator):
            graph.replace(operator, _sub_pixel(operator))
            replaced.append(operator.outputs[0].name)
    return replaced


def _suits(operator: Operator) -> bool:
    (_, kernel, source), bias = operator.first(3), operator.inputs[3:]
    settings, target = operator.options, operator.outputs[0]
    stride = settings.strideH
    sizes = [stride * size for size in source.shape[1:3]]
    return (
        source.dtype == kernel.dtype == "int8"
        and is_constant(kernel)
        and all(tensor is None or is_constant(tensor) for tensor in bias)
        and kernel.quantization is not None
        and stride == settings.strideW
        and sizes == list(target.shape[1:3])
        and min(kernel.shape[1:3]) >= stride
        and settings.fusedActivationFunction == ActivationFunctionType.NONE
    )


def _sub_pixel(operator: Operator) -> list[Operator]:
    (_, kernel, source), rest = operator.first(3), operator.inputs[3:]
    (target,) = operator.outputs
    stride, channels = operator.options.strideH, kernel.shape[0]
    bias = rest[0].array() if rest and rest[0] is not None else np.zeros(channels, np.int32)
    pads = [_padding(operator, axis) for axis in (0, 1)]
    phases = [(row, column) for row in range(stride) for column in range(stride)]
    spans = {
        phase: (
            _span(phase[0], pads[0], stride, kernel.shape[1]),
            _span(phase[1], pads[1], stride, kernel.shape[2]),
        )
        for phase in phases
    }
    made: list[Operator] = []
    padded: dict[tuple, Tensor] = {}
    parts = []
    # Phases that read the same inputs are one convolution; their order is that of the channels.
    for (rows, columns), members in itertools.groupby(phases, spans.__getitem__):
        group = list(members)
        margin = (rows.padding, columns.padding)
        if margin not in padded:
            padded[margin] = pad(source, margin, target.name, made)
        weights = np.concatenate(
            [_taps(kernel.array(), phase, (rows, columns), pads, stride) for phase in group]
        )
        part = activation(
            f"{target.name}/phase_{'_'.join(f'{r}{c}' for r, c in group)}",
            (*source.shape[:3], len(weights)),
            target,
        )
        filters = constant(f"{part.name}/kernel", weights, _repeat(kernel, len(group)))
        offsets = constant(f"{part.name}/bias", np.tile(bias, len(group)))
        if rest and rest[0] is not None and rest[0].quantization is not None:
            offsets.quantization = _repeat(rest[0], len(group))
        made.append(
            make(
                "CONV_2D",
                [padded[margin], filters, offsets],
                part,
                padding=Padding.VALID,
            )
        )
        parts.append(part)
    depth = parts[0]
    if len(parts) > 1:
        depth = activation(
            f"{target.name}/phases", (*source.shape[:3], stride * stride * channels), target
        )
        made.append(make("CONCATENATION", parts, depth, axis=3))
    made.append(make("DEPTH_TO_SPACE", [depth], target, blockSize=stride))
    return made


def _padding(operator: Operator, axis: int) -> int:
    """Return the rows or columns that the transposed convolution cuts off in front."""
    settings = operator.options
    if settings.padding == Padding.VALID:
        return 0
    _, kernel, source = operator.first(3)
    size, output = source.shape[1 + axis], operator.outputs[0].shape[1 + axis]
    return max((size - 1) * settings.strideH + kernel.shape[1 + axis] - output, 0) // 2


def _span(phase: int, pad: int, stride: int, taps: int) -> _Span:
    """Output ``stride * j + phase`` meets tap k at input ``j + (phase + pad - k) / stride``."""
    offsets = [(phase + pad - k) // stride for k in range(taps) if (phase + pad - k) % stride == 0]
    return _Span(min(*offsets, 0, 0), max(*offsets, 0, 0))


def _taps(
    kernel: np.ndarray,
    phase: tuple[int, int],
    spans: tuple[_Span, _Span],
    pads: list[int],
    stride: int,
) -> np.ndarray:
    """Return the part of a kernel ``(out, height, width, in)`` that a phase meets."""
    rows, columns = spans
    weights = np.zeros((kernel.shape[0], rows.size, columns.size, kernel.shape[3]), np.int8)
    for row, column in itertools.product(range(rows.size), range(columns.size)):
        at = [
            phase[axis] + pads[axis] - stride * (spans[axis].first + position)
            for axis, position in enumerate((row, column))
        ]
        if 0 <= at[0] < kernel.shape[1] and 0 <= at[1] < kernel.shape[2]:
            weights[:, row, column] = kernel[:, at[0], at[1]]
    return weights


def _repeat(tensor: Tensor, times: int) -> Quantization | None:
    scales, zeros = list(tensor.scales), list(tensor.zero_points)
    if len(scales) <= 1:
        return tensor.quantization
    if len(zeros) == len(scales):
        zeros = zeros * times
    return Quantization(scales * times, zeros, tensor.axis)
