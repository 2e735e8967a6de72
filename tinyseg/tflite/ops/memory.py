"""The bytes of tensor arena that TensorFlow Lite Micro's kernels ask for.

A kernel takes bytes for good (``AllocatePersistentBuffer``: they count in the arena's tail) and
bytes that live during its own operator alone (``RequestScratchBufferInArena``: planned with the
activations in the head). Sizes of structures are those that GCC gives for x86-64 with
``USE_TFLM_COMPRESSION``, and for 32-bit Arm with its short enumerations; they and the conditions
are those of the sources:

* options: ``tensorflow/lite/c/builtin_op_data.h``, allocated by
  ``tensorflow/lite/core/api/flatbuffer_conversions.cc``;
* reference kernels: ``tensorflow/lite/micro/kernels/*.cc``;
* kernels for Cortex-M: ``tensorflow/lite/micro/kernels/cmsis_nn/*.cc`` and CMSIS-NN's
  ``*_get_buffer_size`` functions (``cmsis_nn.py`` and the operators' own files here).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.target import Target

Sizes = Callable[[Operator, Target], list[int]]


def none(operator: Operator, target: Target) -> list[int]:
    """Ask for nothing."""
    return []


@dataclasses.dataclass(frozen=True)
class Memory:
    """What one use of an operator takes, besides its node and tensors.

    Attributes:
        options: bytes of the parsed options, on 64-bit hosts and on 32-bit Arm.
        data: bytes of the kernel's own structure, on hosts, and on Arm; zero if it has none.
        more: further persistent allocations in bytes.
        scratch: scratch buffers in bytes, in the order of the requests.
        alignment: of the options on hosts, where it is more than 4.
    """

    options: tuple[int, int] = (0, 0)
    data: tuple[int, int] = (0, 0)
    more: Sizes = none
    scratch: Sizes = none
    alignment: int = 4


def same(size: int) -> tuple[int, int]:
    """Return a size that is the same on hosts and on Arm."""
    return size, size


# Options that are one enumeration, which is short on Arm.
ENUM = (4, 1)


def tensor_bytes(tensor: Tensor) -> int:
    """Return the bytes of a tensor's content in memory; TFLM keeps int4 as int8."""
    sizes = {"int4": 1, "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2}
    sizes |= {"int64": 8, "uint64": 8, "float64": 8, "complex64": 8}
    return tensor.elements * sizes.get(tensor.dtype, 4)


def dimensions(tensor: Tensor) -> int:
    """Return the bytes of a ``TfLiteIntArray`` that holds a shape."""
    return 4 * (1 + len(tensor.shape))


def output_dimensions(operator: Operator, target: Target) -> list[int]:
    """Ask for the shape of the output."""
    return [dimensions(operator.outputs[0])]


def is_integer(tensor: Tensor) -> bool:
    """Return whether a tensor holds quantized activations."""
    return tensor.dtype in ("int8", "int16")


def positive(size: int) -> list[int]:
    """Ask for bytes, unless there are none."""
    return [size] if size > 0 else []


def channel_arrays(channels: int) -> list[int]:
    """Return a multiplier and a shift for each output channel."""
    return [4 * channels, 4 * channels]


def convolution_arrays(axis: int) -> Sizes:
    """Return what convolutions keep for each channel; ``axis`` is that of the kernel's channels."""

    def arrays(operator: Operator, target: Target) -> list[int]:
        # The reference kernels allocate them for float32 too.
        if target.cmsis and not is_integer(operator.input(0)):
            return []
        return channel_arrays(operator.input(1).shape[axis])

    return arrays


def convolution_scratch(cmsis_nn: Callable[[Operator, bool], int]) -> Sizes:
    """Return what convolutions ask for: int4 weights unpacked, or CMSIS-NN's buffer.

    Args:
        cmsis_nn: bytes of that buffer of an operator, with or without MVE.
    """

    def scratch(operator: Operator, target: Target) -> list[int]:
        if not target.cmsis:
            return unpacked_int4(operator)
        return positive(cmsis_nn(operator, target.mve))

    return scratch


def unpacked_int4(operator: Operator) -> list[int]:
    """Return the bytes of int4 weights as int8, which reference kernels unpack."""
    weights = operator.input(1)
    return [weights.elements] if weights.dtype == "int4" else []
