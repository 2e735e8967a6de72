"""One row per operator: whether TensorFlow Lite Micro has it, and what it costs.

Costs follow MLTK's profiler, so that both give the same totals: MACs are
multiply-accumulates of convolutions and matrix products, operations count two per MAC plus
bias, activation and element-wise work. Support is that of the interpreter in the
``tflite-micro`` package (its ``python_ops_resolver.cc``). Add an operator: add a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg.tflite.model import Operator, TfliteModel

_RELU_TYPES = {
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU6,
    schema.ActivationFunctionType.RELU_N1_TO_1,
}


@dataclasses.dataclass(frozen=True)
class Cost:
    """Work of one inference.

    Attributes:
        macs: multiply-accumulate operations.
        ops: all counted arithmetic operations.
    """

    macs: int
    ops: int


def _activation_ops(operator: Operator) -> int:
    fused = getattr(operator.options, "fusedActivationFunction", None)
    return 2 * operator.outputs[0].elements if fused in _RELU_TYPES else 0


def _convolution(operator: Operator) -> Cost:
    _, height, width, channels = operator.inputs[1].shape
    output = operator.outputs[0]
    macs = height * width * channels * output.elements
    return Cost(macs, 2 * macs + output.elements + _activation_ops(operator))


def _depthwise(operator: Operator) -> Cost:
    _, height, width, _ = operator.inputs[1].shape
    output = operator.outputs[0]
    macs = height * width * output.elements
    return Cost(macs, 2 * macs + output.elements + _activation_ops(operator))


def _transpose_convolution(operator: Operator) -> Cost:
    out_channels, height, width, _ = operator.inputs[1].shape
    data = operator.inputs[2]
    macs = height * width * out_channels * data.elements
    if len(operator.inputs) < 4:
        return Cost(macs, 2 * macs)
    # MLTK counts the bias as if this were an ordinary convolution of the same options.
    options = operator.options
    valid = options.padding == schema.Padding.VALID
    rows = -(-(data.shape[1] - valid * (height - 1)) // options.strideH)
    columns = -(-(data.shape[2] - valid * (width - 1)) // options.strideW)
    return Cost(macs, 2 * macs + out_channels * rows * columns)


def _fully_connected(operator: Operator) -> Cost:
    output = operator.outputs[0]
    macs = operator.inputs[1].shape[-1] * output.elements
    bias = output.elements if operator.inputs[2:] not in ((), (None,)) else 0
    return Cost(macs, 2 * macs + bias + _activation_ops(operator))


def _batch_matmul(operator: Operator) -> Cost:
    first, output = operator.inputs[0], operator.outputs[0]
    inner = first.shape[-2] if operator.options.adjX else first.shape[-1]
    macs = inner * output.elements
    return Cost(macs, 2 * macs)


def _pool(extra: int) -> Callable[[Operator], Cost]:
    def cost(operator: Operator) -> Cost:
        window = operator.options.filterHeight * operator.options.filterWidth
        work = operator.outputs[0].elements * (window + extra)
        return Cost(0, work + _activation_ops(operator))

    return cost


def _resize_nearest(operator: Operator) -> Cost:
    _, height, width, _ = operator.outputs[0].shape
    return Cost(0, height * (8 + 8 * width))


def _per_input(factor: int) -> Callable[[Operator], Cost]:
    return lambda operator: Cost(0, factor * operator.inputs[0].elements)


def _per_output(factor: int) -> Callable[[Operator], Cost]:
    return lambda operator: Cost(0, factor * operator.outputs[0].elements)


def _decode(operator: Operator) -> Cost:
    return Cost(0, sum(output.elements for output in operator.outputs))


def _free(operator: Operator) -> Cost:
    return Cost(0, 0)


@dataclasses.dataclass(frozen=True)
class OpInfo:
    """What is known of an operator.

    Attributes:
        cost: gives the work of one use.
        tflm: whether TFLM has a kernel.
        int16: whether that kernel takes int16 activations.
        in_place: whether it may write its result over an input of the same size: each element
            only depends on those at its place.
    """

    cost: Callable[[Operator], Cost] = _free
    tflm: bool = True
    int16: bool = True
    in_place: bool = False


OPS: dict[str, OpInfo] = {
    "ADD": OpInfo(_per_input(1), in_place=True),
    "AVERAGE_POOL_2D": OpInfo(_pool(1)),
    "BATCH_MATMUL": OpInfo(_batch_matmul),
    "CONV_2D": OpInfo(_convolution),
    "DEPTHWISE_CONV_2D": OpInfo(_depthwise),
    "DEQUANTIZE": OpInfo(_per_input(2)),
    "FULLY_CONNECTED": OpInfo(_fully_connected),
    "GELU": OpInfo(tflm=False),
    "LOGISTIC": OpInfo(in_place=True),
    "MAX_POOL_2D": OpInfo(_pool(0)),
    "MIRROR_PAD": OpInfo(int16=False),
    "MUL": OpInfo(_per_output(1), in_place=True),
    "PAD": OpInfo(_per_output(6)),
    "POW": OpInfo(tflm=False),
    "QUANTIZE": OpInfo(_per_input(4)),
    "REDUCE_MAX": OpInfo(int16=False),
    "RELU": OpInfo(_per_input(2), in_place=True),
    "RELU6": OpInfo(_per_input(2), in_place=True),
    "RESIZE_BILINEAR": OpInfo(int16=False),
    "RESIZE_NEAREST_NEIGHBOR": OpInfo(_resize_nearest),
    "SIGN": OpInfo(tflm=False),
    "SOFTMAX": OpInfo(_per_input(5)),
    "TILE": OpInfo(tflm=False),
    "TRANSPOSE_CONV": OpInfo(_transpose_convolution),
}
# The schema's options of operators that passes read or make.
OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "GATHER": "GatherOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "PAD": "PadOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SLICE": "SliceOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
}
# Inputs that operators with options, see above, cannot do without.
INPUTS = {
    **dict.fromkeys(OPTIONS, 1),
    **dict.fromkeys(
        ("ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "GATHER", "MUL", "PAD", "RESIZE_NEAREST_NEIGHBOR"),
        2,
    ),
    **dict.fromkeys(("SLICE", "TRANSPOSE_CONV"), 3),
    "STRIDED_SLICE": 4,
}
# Operators that TFLM runs and whose work nobody counts.
_UNCOUNTED = """
    ABS ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO
    CALL_ONCE CAST CEIL CONCATENATION COS CUMSUM DEPTH_TO_SPACE DIV DYNAMIC_UPDATE_SLICE ELU
    EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD GATHER GATHER_ND
    GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL
    LOG LOG_SOFTMAX LOGICAL_AND LOGICAL_NOT LOGICAL_OR MAXIMUM MEAN MINIMUM NEG
    NOT_EQUAL PACK PADV2 PRELU READ_VARIABLE REDUCE_ALL REDUCE_MIN RESHAPE REVERSE_V2 ROUND
    RSQRT SELECT_V2 SHAPE SIN SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
OPS |= {name: OpInfo() for name in _UNCOUNTED.split()}
# TFLM's operator that turns packed weights into plain ones, see packing.py.
DECODE = "TFLM_DECODE"
# Custom operators that TFLM registers under names of their own.
_CUSTOM = f"""
    CIRCULAR_BUFFER SignalDelay SignalEnergy SignalFftAutoScale SignalFilterBank
    SignalFilterBankLog SignalFilterBankSquareRoot SignalFramer SignalIrfft SignalOverlapAdd
    SignalPCAN SignalRfft SignalStacker SignalWindow {DECODE} TFLite_Detection_PostProcess
"""
TFLM_CUSTOM_OPS = frozenset(_CUSTOM.split())
_CUSTOM_COSTS = {DECODE: _decode}
# Our own operators, in firmware/ops; the interpreter on the host does not have them.
FIRMWARE_OPS = {
    "TINYSEG_BINARY_CONV_2D": (
        "AddCustom(tinyseg::kBinaryConvName, tinyseg::RegisterBinaryConv())"
    ),
}
# Where TFLM's method for an operator is not its name in camel case.
_METHODS = {
    "ADD_N": "AddAddN",
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
    DECODE: "AddDecode",
}
# Operators with kernels for int8 alone, which take less flash than those for all types.
_INT8 = """
    ADD AVERAGE_POOL_2D BATCH_MATMUL CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED MAXIMUM
    MAX_POOL_2D MINIMUM MUL PAD SOFTMAX TRANSPOSE TRANSPOSE_CONV
"""
_INT8_KERNELS = frozenset(_INT8.split())


def registration(uses: Sequence[Operator]) -> str | None:
    """Return the call that registers an operator with TFLM's ``MicroMutableOpResolver``.

    Args:
        uses: all uses of one operator in a model.

    Returns:
        The call without the object, None if neither TFLM nor our firmware has the operator.
    """
    opcode = uses[0].opcode
    if opcode in FIRMWARE_OPS:
        return FIRMWARE_OPS[opcode]
    if not all(map(supported, uses)) or (uses[0].custom and opcode not in _METHODS):
        return None
    parts = (part if part == "2D" else part.capitalize() for part in opcode.split("_"))
    method = _METHODS.get(opcode, f"Add{''.join(parts)}")
    if opcode not in _INT8_KERNELS:
        return f"{method}()"
    # Constants may be int32 too: biases, paddings, axes.
    tensors = [t for op in uses for t in (*op.inputs, *op.outputs) if t is not None]
    constants = {tensor.dtype for tensor in tensors if tensor.constant}
    activations = {tensor.dtype for tensor in tensors if not tensor.constant}
    int8 = activations == {"int8"} and constants <= {"int8", "int32"}
    return f"{method}(tflite::Register_{opcode}_INT8())" if int8 else f"{method}()"


def supported(operator: Operator) -> bool:
    """Tell whether TFLM has a kernel for an operator with its activation type."""
    if operator.custom:
        return operator.opcode in TFLM_CUSTOM_OPS
    info = OPS.get(operator.opcode)
    wide = any(t.dtype == "int16" and not t.constant for t in operator.outputs)
    return info is not None and info.tflm and (info.int16 or not wide)


def cost(operator: Operator) -> Cost:
    """Return an operator's work; operators without a row count nothing."""
    if operator.custom:
        return _CUSTOM_COSTS.get(operator.opcode, _free)(operator)
    return OPS.get(operator.opcode, OpInfo()).cost(operator)


def total_cost(model: TfliteModel) -> Cost:
    """Return the work of one inference."""
    costs = [cost(operator) for operator in model.operators]
    return Cost(sum(c.macs for c in costs), sum(c.ops for c in costs))
