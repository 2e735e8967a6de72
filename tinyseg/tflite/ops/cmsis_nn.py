"""What CMSIS-NN's kernels share of their scratch memory, in bytes.

The functions of this name in the files of the operators follow its ``*_get_buffer_size``
functions: ``Source/ConvolutionFunctions/arm_*_get_buffer_sizes_*.c`` and
``Source/FullyConnectedFunctions/arm_fully_connected_get_buffer_sizes_*.c`` of CMSIS-NN, built
with GCC for cores with the DSP extension (Cortex-M4, M7, M33) or with MVE (M55, M85), and the
callers in ``tensorflow/lite/micro/kernels/cmsis_nn`` of TensorFlow Lite Micro.
"""

from __future__ import annotations


def im2col(length: int, mve: bool) -> int:
    """Return the buffer of some columns of a field of so many values."""
    return 4 * up(length, 16) if mve else 4 * up(length, 4)


def up(value: int, multiple: int) -> int:
    """Round up to a multiple."""
    return -(-value // multiple) * multiple
