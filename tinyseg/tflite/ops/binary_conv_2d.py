"""TINYSEG_BINARY_CONV_2D, the convolution of binary weights with binary activations.

Rastegari et al., "XNOR-Net", ECCV 2016, arXiv 1603.05279, with one level for weights and
activations. Signs are stored as bits, 32 channels in a word; the sum of N products is
N - 2 * popcount(a XOR w). The operator is our own, with a kernel in ``firmware/ops``; the
interpreter on the host does not have it, :func:`binary_conv_2d` is its reference there.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Literal

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import INT8, Op
from tinyseg.tflite.target import Target

NAME = "TINYSEG_BINARY_CONV_2D"
# Sums are multiplied by two to this power before the bias is added.
FRACTION_BITS = 12
_VERSION = 1
_FORMAT = "<BBBBbb"
_MAX_SHIFT = 30


@dataclasses.dataclass(frozen=True)
class BinaryConvOptions:
    """What the operator's custom options hold.

    Attributes:
        strides: vertical and horizontal, 1..255.
        padding: ``same`` or ``valid``; padded positions add nothing to a sum.
        output_min, output_max: least and greatest output; a fused ReLU raises the former to
            the zero point.
    """

    strides: tuple[int, int] = (1, 1)
    padding: Literal["same", "valid"] = "same"
    output_min: int = -128
    output_max: int = 127

    def encode(self) -> bytes:
        """Return the bytes of the operator's custom options."""
        valid = self.padding == "valid"
        return struct.pack(
            _FORMAT, _VERSION, *self.strides, valid, self.output_min, self.output_max
        )

    @classmethod
    def decode(cls, encoded: bytes) -> BinaryConvOptions:
        """Read what :meth:`encode` wrote.

        Raises:
            InputError: it is of another version.
        """
        if len(encoded) != struct.calcsize(_FORMAT) or encoded[0] != _VERSION:
            raise InputError(f"{NAME}: unknown options; export the model again")
        _, height, width, valid, low, high = struct.unpack(_FORMAT, encoded)
        return cls((height, width), "valid" if valid else "same", low, high)


def pack_signs(values: np.ndarray) -> np.ndarray:
    """Pack the signs of the last axis into words: bit i of word w is channel 32 * w + i.

    Args:
        values: any numbers ``(..., channels)``; at least zero counts as +1.

    Returns:
        int32 ``(..., ceil(channels / 32))``, bits beyond the last channel zero.
    """
    bits = np.packbits(values >= 0, axis=-1, bitorder="little")
    padding = -bits.shape[-1] % 4
    bits = np.concatenate([bits, np.zeros((*bits.shape[:-1], padding), np.uint8)], axis=-1)
    return bits.view("<i4")


def pack_filter(kernel: np.ndarray) -> np.ndarray:
    """Pack a Keras kernel ``(height, width, in, out)`` as ``(out, height, width, words)``."""
    return np.ascontiguousarray(pack_signs(kernel.transpose(3, 0, 1, 2)))


def requantization(scale: np.ndarray, bias: np.ndarray, output_scale: float) -> np.ndarray:
    """Turn real output = scale * sum + bias into integers.

    Args:
        scale: of each output channel, above zero.
        bias: of each output channel.
        output_scale: of the quantized output.

    Returns:
        int32 ``(out, 3)``: multiplier, shift, bias, so that output = zero point + round(
        (sum * 2^12 + bias) * multiplier * 2^(-31 - shift)).

    Raises:
        InputError: a scale that is not positive, or that no shift of 1..30 can express.
    """
    scale = np.asarray(scale, np.float64)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise InputError("binary convolution: scales must be above zero; flip the weights' signs")
    fraction, exponent = np.frexp(scale / output_scale / 2**FRACTION_BITS)
    multiplier = np.round(fraction * 2**31).astype(np.int64)
    # Rounding up to 2^31 would overflow.
    exponent = np.where(multiplier == 2**31, exponent + 1, exponent)
    multiplier = np.where(multiplier == 2**31, 2**30, multiplier)
    shift = -exponent
    if (shift < 1).any() or (shift > _MAX_SHIFT).any():
        raise InputError("binary convolution: scales are too far from the output's scale")
    fine_bias = np.round(np.asarray(bias, np.float64) / scale * 2**FRACTION_BITS)
    limit = 2**30
    if (np.abs(fine_bias) > limit).any():
        raise InputError("binary convolution: a bias is too large for its channel's scale")
    return np.stack([multiplier, shift, fine_bias], axis=1).astype(np.int32)


def binary_conv_2d(
    inputs: np.ndarray,
    filters: np.ndarray,
    requantization: np.ndarray,
    options: BinaryConvOptions,
    input_zero_point: int,
    output_zero_point: int,
) -> np.ndarray:
    """Run the operator, bit by bit as the firmware does.

    Args:
        inputs: int8 ``(n, height, width, channels)``; at least the zero point counts as +1.
        filters: int32 ``(out, height, width, words)``, see :func:`pack_filter`.
        requantization: int32 ``(out, 3)``, see :func:`requantization`.
        options: strides, padding, range.
        input_zero_point, output_zero_point: of the two tensors.

    Returns:
        int8 ``(n, out height, out width, out)``.
    """
    _, height, width, channels = inputs.shape
    out_channels, filter_height, filter_width, _ = filters.shape
    signs = np.where(inputs >= input_zero_point, 1, -1)
    bits = np.unpackbits(filters.view(np.uint8), axis=-1, bitorder="little")
    weights = 2 * bits[..., :channels].astype(np.int64) - 1
    rows = _extent(height, filter_height, options.strides[0], options.padding)
    columns = _extent(width, filter_width, options.strides[1], options.padding)
    padded = np.pad(signs, ((0, 0), rows.padding, columns.padding, (0, 0)))
    sums = np.zeros((len(inputs), rows.size, columns.size, out_channels), np.int64)
    for y in range(filter_height):
        for x in range(filter_width):
            taken = padded[
                :,
                y : y + rows.size * options.strides[0] : options.strides[0],
                x : x + columns.size * options.strides[1] : options.strides[1],
            ][:, : rows.size, : columns.size]
            sums += taken @ weights[:, y, x].T
    multiplier, shift, bias = requantization.T.astype(np.int64)
    fine = sums * 2**FRACTION_BITS + bias
    values = (fine * multiplier + (1 << (30 + shift)) >> (31 + shift)) + output_zero_point
    return np.clip(values, options.output_min, options.output_max).astype(np.int8)


@dataclasses.dataclass(frozen=True)
class _Extent:
    """Positions along one axis of the output, and zeros before and after the input."""

    size: int
    padding: tuple[int, int]


def _extent(size: int, window: int, stride: int, padding: str) -> _Extent:
    if padding == "valid":
        return _Extent((size - window) // stride + 1, (0, 0))
    count = -(-size // stride)
    total = max((count - 1) * stride + window - size, 0)
    # The window may reach beyond what padding asks for where the stride leaves a rest.
    return _Extent(count, (total // 2, total - total // 2))


def _scratch(operator: Operator, target: Target) -> list[int]:
    """Packed input, a field and its mask: ``BinaryConvShape`` in firmware/ops/binary_conv.h."""
    _, height, width, channels = operator.input(0).shape
    words = -(-channels // 32)
    _, rows, columns, _ = operator.input(1).shape
    return [4 * words * (height * width + 2 * rows * columns)]


BINARY_CONV_2D = Op(
    NAME,
    inputs=("data", "filters", "requantization"),
    tflm=False,
    types=(INT8,),
    memory=Memory(data=same(76), scratch=_scratch),
    registration="AddCustom(tinyseg::kBinaryConvName, tinyseg::RegisterBinaryConv())",
)
