"""One row per operator: the bytes of tensor arena that TensorFlow Lite Micro's kernel asks for.

A kernel takes bytes for good (``AllocatePersistentBuffer``: they count in the arena's tail) and
bytes that live during its own operator alone (``RequestScratchBufferInArena``: planned with the
activations in the head). Sizes of structures are those that GCC gives for x86-64 with
``USE_TFLM_COMPRESSION``, and for 32-bit Arm with its short enumerations; they and the conditions
are those of the sources:

* options: ``tensorflow/lite/c/builtin_op_data.h``, allocated by
  ``tensorflow/lite/core/api/flatbuffer_conversions.cc``;
* reference kernels: ``tensorflow/lite/micro/kernels/*.cc``;
* kernels for Cortex-M: ``tensorflow/lite/micro/kernels/cmsis_nn/*.cc`` and CMSIS-NN's
  ``*_get_buffer_size`` functions (``cmsis_nn.py`` here).

Add an operator: add a row. Without one an operator costs what it costs in TFLM at least, its
node, and no kernel data.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg.errors import InputError
from tinyseg.tflite import cmsis_nn
from tinyseg.tflite.memory_target import Target
from tinyseg.tflite.model import Operator, Tensor
from tinyseg.tflite.op_table import DECODE

_INT16_TABLE_BYTES = 2 * 513
_FLOAT32 = "float32"


Sizes = Callable[[Operator, Target], list[int]]


def _none(operator: Operator, target: Target) -> list[int]:
    return []


@dataclasses.dataclass(frozen=True)
class OpMemory:
    """What one use of an operator takes, besides its node and tensors.

    Attributes:
        options: bytes of the parsed options, on 64-bit hosts and on 32-bit Arm.
        data: bytes of the kernel's own structure, on hosts, and on Arm; zero if it has none.
        more: further persistent allocations in bytes.
        scratch: scratch buffers in bytes, in the order of the requests.
    """

    options: tuple[int, int] = (0, 0)
    data: tuple[int, int] = (0, 0)
    more: Sizes = _none
    scratch: Sizes = _none


def tensor_bytes(tensor: Tensor) -> int:
    """Return the bytes of a tensor's content in memory; TFLM keeps int4 as int8."""
    sizes = {"int4": 1, "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2}
    sizes |= {"int64": 8, "uint64": 8, "float64": 8}
    return tensor.elements * sizes.get(tensor.dtype, 4)


def _dimensions(tensor: Tensor) -> int:
    """Bytes of a ``TfLiteIntArray`` that holds a shape."""
    return 4 * (1 + len(tensor.shape))


def _is_integer(tensor: Tensor) -> bool:
    return tensor.dtype in ("int8", "int16")


def _channel_arrays(channels: int) -> list[int]:
    """A multiplier and a shift for each output channel."""
    return [4 * channels, 4 * channels]


def _conv_arrays(axis: int) -> Sizes:
    def arrays(operator: Operator, target: Target) -> list[int]:
        # The reference kernels allocate them for float32 too.
        if target.cmsis and not _is_integer(operator.inputs[0]):
            return []
        return _channel_arrays(operator.inputs[1].shape[axis])

    return arrays


def _transpose_conv_arrays(operator: Operator, target: Target) -> list[int]:
    return _channel_arrays(operator.inputs[1].shape[0])


def _unpacked_int4(operator: Operator) -> list[int]:
    weights = operator.inputs[1]
    return [weights.elements] if weights.dtype == "int4" else []


def _conv_scratch(operator: Operator, target: Target) -> list[int]:
    if not target.cmsis:
        return _unpacked_int4(operator)
    return _positive(cmsis_nn.conv(operator, target.mve))


def _depthwise_scratch(operator: Operator, target: Target) -> list[int]:
    if not target.cmsis:
        return _unpacked_int4(operator)
    return _positive(cmsis_nn.depthwise_conv(operator, target.mve))


def _transpose_conv_scratch(operator: Operator, target: Target) -> list[int]:
    data, output = operator.inputs[2], operator.outputs[0]
    if data.dtype == "int16":
        bias = operator.inputs[3] if len(operator.inputs) > 3 else None
        short = bias is not None and bias.dtype == "int16"
        return [8 * output.elements, *([8 * bias.elements] if short else [])]
    if data.dtype != "int8":
        return []
    if target.cmsis:
        # Both are requested even if they are empty.
        return cmsis_nn.transpose_conv(operator, target.mve)
    return [4 * output.elements]


def _positive(size: int) -> list[int]:
    return [size] if size > 0 else []


def _fully_connected_more(operator: Operator, target: Target) -> list[int]:
    data, weights = operator.inputs[:2]
    per_channel = weights.scales.size > 1 and _is_integer(data)
    arrays = _channel_arrays(weights.scales.size) if per_channel else []
    return arrays + (cmsis_nn.kernel_sums(operator, target.mve) if target.cmsis else [])


def _fully_connected_scratch(operator: Operator, target: Target) -> list[int]:
    if target.cmsis:
        return cmsis_nn.fully_connected(operator, target.mve)
    return _unpacked_int4(operator)


def _average_pool_scratch(operator: Operator, target: Target) -> list[int]:
    if target.cmsis and not target.mve and _is_integer(operator.inputs[0]):
        return _positive(4 * operator.inputs[0].shape[-1])
    return []


def _reduction_scratch(operator: Operator, target: Target) -> list[int]:
    data, axes = operator.inputs[:2]
    return [4 * len(data.shape), 4 * axes.elements]


def _mean_scratch(operator: Operator, target: Target) -> list[int]:
    sums = [4 * operator.outputs[0].elements] if _is_integer(operator.inputs[0]) else []
    return sums + _reduction_scratch(operator, target)


def _mirror_pad_scratch(operator: Operator, target: Target) -> list[int]:
    return 2 * [4 * len(operator.inputs[0].shape)]


def _add_n_more(operator: Operator, target: Target) -> list[int]:
    return [40] if operator.outputs[0].dtype == "int8" else []


def _cumsum_more(operator: Operator, target: Target) -> list[int]:
    return [36] if operator.inputs[0].dtype == "int8" else []


def _log_softmax_more(operator: Operator, target: Target) -> list[int]:
    return [40 if target.wide else 28] if operator.inputs[0].dtype == "int8" else []


def _add_n_scratch(operator: Operator, target: Target) -> list[int]:
    return [target.pointer * len(operator.inputs)]


def _softmax_more(operator: Operator, target: Target) -> list[int]:
    return 2 * [_INT16_TABLE_BYTES] if operator.inputs[0].dtype == "int16" else []


def _output_dimensions(operator: Operator, target: Target) -> list[int]:
    return [_dimensions(operator.outputs[0])]


def _matrix_product_more(operator: Operator, target: Target) -> list[int]:
    left, right = operator.inputs[:2]
    transposed = [left] if operator.options.adjX else []
    if not operator.options.adjY:
        transposed.append(right)
    sizes = [24] if _is_integer(left) else []
    for tensor in transposed:
        sizes += [target.eval_tensor, _dimensions(tensor), tensor_bytes(tensor)]
    return sizes + _output_dimensions(operator, target)


def _matrix_product_scratch(operator: Operator, target: Target) -> list[int]:
    if target.mve and operator.inputs[0].dtype == "int8":
        return _positive(4 * operator.outputs[0].shape[-1])
    return []


def _svdf_scratch(operator: Operator, target: Target) -> list[int]:
    data, features = operator.inputs[:2]
    batch, filters = data.shape[0], features.shape[0]
    sizes = [4 * batch * filters]
    if data.dtype == "int8":
        sizes.append(4 * batch * (filters // operator.options.rank))
    return sizes


def _svdf_more(operator: Operator, target: Target) -> list[int]:
    if target.mve and operator.inputs[0].dtype == "int8":
        return [4 * operator.inputs[1].shape[0]]
    return []


def _lstm_scratch(operator: Operator, target: Target) -> list[int]:
    data, state = operator.inputs[0], operator.inputs[19]
    three = target.cmsis and _is_integer(data)
    return (3 if three else 4) * [tensor_bytes(state)]


def _lstm_more(operator: Operator, target: Target) -> list[int]:
    data = operator.inputs[0]
    if not target.cmsis or not _is_integer(data):
        return []
    hidden = operator.outputs[0].shape[-1]
    return 8 * [hidden * (4 if data.dtype == "int8" else 8)]


def _decode_more(operator: Operator, target: Target) -> list[int]:
    states = len(operator.outputs) * [72 if target.wide else 36]
    return [target.pointer * len(operator.outputs), *states]


def _binary_conv_scratch(operator: Operator, target: Target) -> list[int]:
    """Packed input, a field and its mask: ``BinaryConvShape`` in firmware/ops/binary_conv.h."""
    _, height, width, channels = operator.inputs[0].shape
    words = -(-channels // 32)
    _, rows, columns, _ = operator.inputs[1].shape
    return [4 * words * (height * width + 2 * rows * columns)]


def _same(size: int) -> tuple[int, int]:
    return size, size


_ENUM = (4, 1)
_POOL = {"options": _same(40)}
_REDUCTION = {"options": _same(1), "data": _same(44)}
MEMORY: dict[str, OpMemory] = {
    "ABS": OpMemory(data=_same(28)),
    "ADD": OpMemory((8, 2), _same(60)),
    "ADD_N": OpMemory(more=_add_n_more, scratch=_add_n_scratch),
    "ARG_MAX": OpMemory(_ENUM),
    "ARG_MIN": OpMemory(_ENUM),
    "AVERAGE_POOL_2D": OpMemory(**_POOL, data=(32, 36), scratch=_average_pool_scratch),
    "BATCH_MATMUL": OpMemory(
        _same(3), (32, 36), more=_matrix_product_more, scratch=_matrix_product_scratch
    ),
    "CALL_ONCE": OpMemory(_same(4), _same(8)),
    "CAST": OpMemory((8, 2)),
    "CONCATENATION": OpMemory(_same(8), (80, 24)),
    "CONV_2D": OpMemory(_same(28), (80, 60), more=_conv_arrays(0), scratch=_conv_scratch),
    "CUMSUM": OpMemory(_same(2), more=_cumsum_more),
    "DEPTHWISE_CONV_2D": OpMemory(
        _same(28), (80, 60), more=_conv_arrays(3), scratch=_depthwise_scratch
    ),
    "DEPTH_TO_SPACE": OpMemory(_same(4), more=_output_dimensions),
    "DEQUANTIZE": OpMemory(data=_same(32)),
    "DIV": OpMemory(_ENUM, _same(28)),
    "ELU": OpMemory(data=_same(256)),
    "EMBEDDING_LOOKUP": OpMemory(data=(16, 8), more=_output_dimensions),
    # The sources have 16 bytes of options on hosts; the interpreter on the host takes 32.
    "FULLY_CONNECTED": OpMemory(
        (32, 5), (72, 72), more=_fully_connected_more, scratch=_fully_connected_scratch
    ),
    "GATHER": OpMemory(_same(8), more=_output_dimensions),
    "GATHER_ND": OpMemory(more=_output_dimensions),
    "HARD_SWISH": OpMemory(data=_same(20)),
    "L2_NORMALIZATION": OpMemory(_ENUM, _same(4)),
    "L2_POOL_2D": OpMemory(**_POOL, more=_output_dimensions),
    "LEAKY_RELU": OpMemory(_same(4), _same(24)),
    "LOGISTIC": OpMemory(data=_same(16)),
    "LOG_SOFTMAX": OpMemory(more=_log_softmax_more),
    "MAX_POOL_2D": OpMemory(**_POOL, data=(32, 36)),
    "MEAN": OpMemory(**_REDUCTION, scratch=_mean_scratch),
    "MIRROR_PAD": OpMemory(_ENUM, _same(20), scratch=_mirror_pad_scratch),
    "MUL": OpMemory(_ENUM, _same(36)),
    "PACK": OpMemory(_same(8)),
    "PAD": OpMemory(data=_same(56)),
    "PADV2": OpMemory(data=_same(56)),
    "PRELU": OpMemory(data=_same(28)),
    "QUANTIZE": OpMemory(data=_same(32)),
    "REDUCE_ALL": OpMemory(**_REDUCTION, scratch=_reduction_scratch),
    "REDUCE_MAX": OpMemory(**_REDUCTION, scratch=_reduction_scratch),
    "REDUCE_MIN": OpMemory(**_REDUCTION, scratch=_reduction_scratch),
    "RELU": OpMemory(data=_same(28)),
    "RELU6": OpMemory(data=_same(8)),
    "RESHAPE": OpMemory(_same(36)),
    "RESIZE_BILINEAR": OpMemory(_same(2)),
    "RESIZE_NEAREST_NEIGHBOR": OpMemory(_same(2)),
    "RSQRT": OpMemory(data=_same(28)),
    "SELECT_V2": OpMemory(data=_same(1)),
    "SHAPE": OpMemory(_ENUM),
    "SOFTMAX": OpMemory(_same(4), (80, 64), more=_softmax_more),
    "SPACE_TO_BATCH_ND": OpMemory(data=_same(4)),
    "SPACE_TO_DEPTH": OpMemory(_same(4), more=_output_dimensions),
    "SPLIT": OpMemory(_same(4)),
    "SPLIT_V": OpMemory(_same(4)),
    "SQUARED_DIFFERENCE": OpMemory(data=_same(112)),
    "SQUEEZE": OpMemory(_same(36)),
    "STRIDED_SLICE": OpMemory(_same(24), _same(84)),
    "SUB": OpMemory((8, 2), _same(52)),
    "SUM": OpMemory(**_REDUCTION, scratch=_mean_scratch),
    "SVDF": OpMemory((12, 8), (36, 40), more=_svdf_more, scratch=_svdf_scratch),
    "TANH": OpMemory(data=_same(16)),
    "TRANSPOSE_CONV": OpMemory(
        (20, 16), (88, 76), more=_transpose_conv_arrays, scratch=_transpose_conv_scratch
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": OpMemory(
        _same(16), (688, 912), more=_lstm_more, scratch=_lstm_scratch
    ),
    "UNPACK": OpMemory(_same(8)),
    "VAR_HANDLE": OpMemory((16, 8), _same(4)),
    DECODE: OpMemory(more=_decode_more),
    "TINYSEG_BINARY_CONV_2D": OpMemory(data=_same(76), scratch=_binary_conv_scratch),
} | {
    name: OpMemory(data=_same(32))
    for name in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
}


def options_bytes(opcode: str, target: Target) -> int:
    """Return the bytes of an operator's parsed options; TFLM packs them without gaps."""
    return _pick(MEMORY.get(opcode, OpMemory()).options, target)


def persistent(operator: Operator, target: Target) -> list[int]:
    """Return the sizes of the buffers that a kernel keeps, in bytes.

    Raises:
        InputError: the operator lacks a tensor, dimension or option that its kernel needs.
    """
    row = MEMORY.get(operator.opcode, OpMemory())
    own = _pick(row.data, target)
    return ([own] if own else []) + _ask(row.more, operator, target)


def example(opcode: str, channels: int, outputs: int) -> Operator:
    """Return an int8 operator of a kind, for kernels whose data depend on nothing else.

    Args:
        opcode: builtin name, or that of a custom operator.
        channels: of its input, output and weights; the weights have scales of one a channel.
        outputs: tensors that it writes.
    """
    scales, zeros = np.ones(channels, np.float32), np.zeros(channels, np.int64)
    tensor = Tensor(0, "", (channels, 1, 1, channels), "int8", scales, zeros, 0, None)
    options = types.SimpleNamespace(
        padding=schema.Padding.VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1,
        adjX=False, adjY=True, rank=1,
    )  # fmt: skip
    # An LSTM has the most inputs.
    return Operator(0, opcode, 24 * (tensor,), outputs * (tensor,), options, False)


def scratch(operator: Operator, target: Target) -> list[int]:
    """Return the sizes of the scratch buffers that a kernel requests, in bytes and in order.

    Raises:
        InputError: the operator lacks a tensor, dimension or option that its kernel needs.
    """
    return _ask(MEMORY.get(operator.opcode, OpMemory()).scratch, operator, target)


def _ask(sizes: Sizes, operator: Operator, target: Target) -> list[int]:
    try:
        return sizes(operator, target)
    except (AttributeError, IndexError, TypeError, ValueError, ZeroDivisionError):
        raise InputError(
            f"operator {operator.index} {operator.opcode}: lacks a tensor, dimension or option "
            "that it needs; damaged"
        ) from None


def _pick(pair: tuple[int, int], target: Target) -> int:
    return pair[0 if target.wide else 1]
