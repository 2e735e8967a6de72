"""Size of a network's parameters by formula, binarized kernels counted in bits."""

from __future__ import annotations

import math
from typing import NamedTuple

import tf_keras as keras

from tinyseg.zoo.blocks.residual_binary_convolution import ResidualBinaryKernels


class FormulaSize(NamedTuple):
    """What the parameters would take if nothing else were stored.

    A file also holds the graph, and its quantized biases and scales differ from float ones.

    Attributes:
        binary_bits: levels times elements, summed over the binarized kernels.
        float_parameters: all others, gammas and biases among them, of 32 bits each.
        mebibytes: both together, in units of 2**20 bytes.
    """

    binary_bits: int
    float_parameters: int
    mebibytes: float


def formula_size(model: keras.Model) -> FormulaSize:
    """Return the size of a network's parameters as BLU-Net's author counts it.

    The formula is that of C. Zhang's MSc thesis (2022), with each kernel of a separable
    convolution counted at its own number of levels.
    """
    bits = latent = 0
    for layer in model.layers:
        if isinstance(layer, ResidualBinaryKernels):
            for name, levels in layer.kernel_levels.items():
                elements = math.prod(getattr(layer, name).shape)
                bits += levels * elements
                latent += elements
    floats = model.count_params() - latent
    return FormulaSize(bits, floats, (bits + 32 * floats) / 8 / 2**20)
