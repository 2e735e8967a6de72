"""What kernels ask for, by hand from TFLM's sources: alignment hides most slips in an arena."""

import types

import numpy as np
import pytest

from tinyseg.errors import InputError
from tinyseg.tflite import Operator, Tensor
from tinyseg.tflite.ops.memory import tensor_bytes
from tinyseg.tflite.ops.registry import (
    FIRMWARE_OPS,
    OPS,
    TFLM_CUSTOM_OPS,
    example,
    options_bytes,
    persistent,
    scratch,
)
from tinyseg.tflite.target import target_of

MEMORY = {
    name: op.memory
    for name, op in (OPS | TFLM_CUSTOM_OPS | FIRMWARE_OPS).items()
    if op.memory is not None
}
TARGETS = ("host", "cortex_m", "cortex_m55")
# Options, then the kernel's structure, each on the host and on Arm: ``sizeof`` of what
# builtin_op_data.h and the kernels declare, zero where there is none.
STRUCTURES = {
    "ABS": (0, 0, 28, 28),
    "ADD": (8, 2, 60, 60),
    "ADD_N": (0, 0, 0, 0),
    "ARG_MAX": (4, 1, 0, 0),
    "ARG_MIN": (4, 1, 0, 0),
    "AVERAGE_POOL_2D": (40, 40, 32, 36),
    "BATCH_MATMUL": (3, 3, 32, 36),
    "CALL_ONCE": (4, 4, 8, 8),
    "CAST": (8, 2, 0, 0),
    "CONCATENATION": (8, 8, 80, 24),
    "CONV_2D": (28, 28, 80, 60),
    "CUMSUM": (2, 2, 0, 0),
    "DEPTHWISE_CONV_2D": (28, 28, 80, 60),
    "DEPTH_TO_SPACE": (4, 4, 0, 0),
    "DEQUANTIZE": (0, 0, 32, 32),
    "DIV": (4, 1, 28, 28),
    "ELU": (0, 0, 256, 256),
    "EMBEDDING_LOOKUP": (0, 0, 16, 8),
    "EQUAL": (0, 0, 32, 32),
    "FULLY_CONNECTED": (32, 5, 72, 72),
    "GATHER": (8, 8, 0, 0),
    "GATHER_ND": (0, 0, 0, 0),
    "GREATER": (0, 0, 32, 32),
    "GREATER_EQUAL": (0, 0, 32, 32),
    "HARD_SWISH": (0, 0, 20, 20),
    "L2_NORMALIZATION": (4, 1, 4, 4),
    "L2_POOL_2D": (40, 40, 0, 0),
    "LEAKY_RELU": (4, 4, 24, 24),
    "LESS": (0, 0, 32, 32),
    "LESS_EQUAL": (0, 0, 32, 32),
    "LOGISTIC": (0, 0, 16, 16),
    "LOG_SOFTMAX": (0, 0, 0, 0),
    "MAX_POOL_2D": (40, 40, 32, 36),
    "MEAN": (1, 1, 44, 44),
    "MIRROR_PAD": (4, 1, 20, 20),
    "MUL": (4, 1, 36, 36),
    "NOT_EQUAL": (0, 0, 32, 32),
    "PACK": (8, 8, 0, 0),
    "PAD": (0, 0, 56, 56),
    "PADV2": (0, 0, 56, 56),
    "PRELU": (0, 0, 28, 28),
    "QUANTIZE": (0, 0, 32, 32),
    "REDUCE_ALL": (1, 1, 44, 44),
    "REDUCE_MAX": (1, 1, 44, 44),
    "REDUCE_MIN": (1, 1, 44, 44),
    "RELU": (0, 0, 28, 28),
    "RELU6": (0, 0, 8, 8),
    "RESHAPE": (36, 36, 0, 0),
    "RESIZE_BILINEAR": (2, 2, 0, 0),
    "RESIZE_NEAREST_NEIGHBOR": (2, 2, 0, 0),
    "RSQRT": (0, 0, 28, 28),
    "SELECT_V2": (0, 0, 1, 1),
    "SHAPE": (4, 1, 0, 0),
    "SOFTMAX": (4, 4, 80, 64),
    "SPACE_TO_BATCH_ND": (0, 0, 4, 4),
    "SPACE_TO_DEPTH": (4, 4, 0, 0),
    "SPLIT": (4, 4, 0, 0),
    "SPLIT_V": (4, 4, 0, 0),
    "SQUARED_DIFFERENCE": (0, 0, 112, 112),
    "SQUEEZE": (36, 36, 0, 0),
    "STRIDED_SLICE": (24, 24, 84, 84),
    "SUB": (8, 2, 52, 52),
    "SUM": (1, 1, 44, 44),
    "SVDF": (12, 8, 36, 40),
    "TANH": (0, 0, 16, 16),
    "TFLM_DECODE": (0, 0, 0, 0),
    "TINYSEG_BINARY_CONV_2D": (0, 0, 76, 76),
    "TRANSPOSE_CONV": (20, 16, 88, 76),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (16, 16, 688, 912),
    "UNPACK": (8, 8, 0, 0),
    "VAR_HANDLE": (16, 8, 4, 4),
}


def tensor(*shape, dtype="int8", scales=1):
    scales = np.ones(scales, np.float32)
    return Tensor(0, "", shape, dtype, scales, np.zeros(scales.size, np.int64), 0, None)


def operator(opcode, inputs, *outputs, **options):
    settings = types.SimpleNamespace(**options)
    return Operator(3, opcode, tuple(inputs), outputs, settings, False)


@pytest.mark.parametrize("opcode", STRUCTURES)
def test_structures_take_what_the_sources_declare(opcode):
    host_options, arm_options, host, arm = STRUCTURES[opcode]
    for target in map(target_of, TARGETS):
        expected = host_options if target.name == "host" else arm_options
        assert options_bytes(opcode, target) == expected
        own = host if target.name == "host" else arm
        first = persistent(example(opcode, 8, 1), target)[:1]
        if own:
            assert first == [own]
        else:
            # Nothing, or what comes besides a structure.
            assert first == MEMORY[opcode].more(example(opcode, 8, 1), target)[:1]


def test_table_of_structures_is_whole():
    assert STRUCTURES.keys() == MEMORY.keys()


@pytest.mark.parametrize("target", TARGETS)
def test_operators_without_a_row_ask_for_nothing(target):
    unknown = operator("BUILTIN_999", [tensor(1, 4)], tensor(1, 4))
    build = target_of(target)
    assert options_bytes("BUILTIN_999", build) == 0
    assert persistent(unknown, build) == scratch(unknown, build) == []


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        ("int4", 1), ("bool", 1), ("int8", 1), ("uint8", 1), ("int16", 2), ("uint16", 2),
        ("float16", 2), ("int32", 4), ("uint32", 4), ("float32", 4), ("int64", 8), ("uint64", 8),
        ("float64", 8),
    ],
)  # fmt: skip
def test_bytes_of_a_tensor(dtype, size):
    assert tensor_bytes(tensor(3, 5, dtype=dtype)) == 15 * size


def images(dtype="int8"):
    return tensor(1, 9, 7, 6, dtype=dtype)


def convolution(opcode, dtype="int8", weights="int8"):
    kernel = tensor(5, 3, 2, 6, dtype=weights)
    return operator(
        opcode, [images(dtype), kernel, None], tensor(1, 9, 7, 5, dtype=dtype), padding=0,
        strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1,
    )  # fmt: skip


def transposed(dtype="int8", bias=None):
    inputs = [tensor(4, dtype="int32"), tensor(5, 3, 2, 6), images(dtype)]
    inputs += [] if bias is None else [tensor(5, dtype=bias)]
    return operator(
        "TRANSPOSE_CONV", inputs, tensor(1, 18, 14, 5, dtype=dtype), strideH=2, strideW=2
    )


def dense(dtype="int8", weights="int8", scales=1):
    inputs = [tensor(1, 30, dtype=dtype), tensor(7, 30, dtype=weights, scales=scales), None]
    return operator("FULLY_CONNECTED", inputs, tensor(1, 7, dtype=dtype))


def product(dtype="int8", left=False, right=False):
    """Of 4 x 6 and 6 x 3, three times; each may come transposed."""
    one = tensor(*((3, 6, 4) if left else (3, 4, 6)), dtype=dtype)
    other = tensor(*((3, 3, 6) if right else (3, 6, 3)), dtype=dtype)
    return operator(
        "BATCH_MATMUL", [one, other], tensor(3, 4, 3, dtype=dtype), adjX=left, adjY=right
    )


def reduction(opcode, dtype="int8"):
    axes = tensor(3, dtype="int32")
    return operator(opcode, [images(dtype), axes], tensor(1, 6, dtype=dtype))


def lstm(dtype="int8", state="int16"):
    inputs = [tensor(2, 5, 3, dtype=dtype)] * 19 + [tensor(2, 4, dtype=state)] + [None] * 4
    return operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, tensor(2, 5, 4, dtype=dtype))


def svdf(dtype="int8"):
    inputs = [tensor(3, 8, dtype=dtype), tensor(10, 8)]
    return operator("SVDF", inputs, tensor(3, 5, dtype=dtype), rank=2)


def plain(opcode, dtype="int8", output=None, count=1):
    return operator(opcode, count * [images(dtype)], output or images(dtype))


FIVE = [20, 20]  # A multiplier and a shift for each of five channels.
SIX = [24, 24]
# Per case the operator, and what it keeps beside its structure: on the host, on Arm without and
# with vectors.
KEPT = {
    "conv": (convolution("CONV_2D"), FIVE, FIVE, FIVE),
    "conv, int16": (convolution("CONV_2D", "int16"), FIVE, FIVE, FIVE),
    "conv, float": (convolution("CONV_2D", "float32"), FIVE, [], []),
    "depthwise": (convolution("DEPTHWISE_CONV_2D"), SIX, SIX, SIX),
    "depthwise, float": (convolution("DEPTHWISE_CONV_2D", "float32"), SIX, [], []),
    "transposed": (transposed(), FIVE, FIVE, FIVE),
    "transposed, float": (transposed("float32"), FIVE, FIVE, FIVE),
    "dense, one scale": (dense(), [], [], []),
    "dense, scales": (dense(scales=7), [28, 28], [28, 28], [28, 28]),
    "dense, int16": (dense("int16", scales=7), [28, 28], [28, 28], [28, 28]),
    "dense, float": (dense("float32", scales=7), [], [], []),
    "add n": (plain("ADD_N", count=3), [40], [40], [40]),
    "add n, float": (plain("ADD_N", "float32", count=3), [], [], []),
    "cumsum": (plain("CUMSUM"), [36], [36], [36]),
    "cumsum, float": (plain("CUMSUM", "float32"), [], [], []),
    "log softmax": (plain("LOG_SOFTMAX"), [40], [28], [28]),
    "log softmax, float": (plain("LOG_SOFTMAX", "float32"), [], [], []),
    "softmax": (plain("SOFTMAX"), [], [], []),
    # Two tables of 513 values of int16.
    "softmax, int16": (plain("SOFTMAX", "int16"), *3 * ([1026, 1026],)),
    # A count and so many dimensions.
    **{
        name.lower(): (plain(name, output=tensor(2, 3, 5)), [16], [16], [16])
        for name in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "GATHER", "GATHER_ND", "L2_POOL_2D",
                     "EMBEDDING_LOOKUP")
    },
    # The quantization; then structure, dimensions and content of what is turned round: the
    # right operand of 54 bytes unless it comes so, the left one of 72 if it does.
    "product": (product(), [24, 24, 16, 54, 16], *2 * ([24, 12, 16, 54, 16],)),
    "product, right": (product(right=True), *3 * ([24, 16],)),
    "product, left": (product(left=True, right=True), [24, 24, 16, 72, 16],
                      *2 * ([24, 12, 16, 72, 16],)),
    "product, both": (product("int16", left=True), [24, 24, 16, 144, 24, 16, 108, 16],
                      *2 * ([24, 12, 16, 144, 12, 16, 108, 16],)),
    "product, float": (product("float32", right=True), [16], [16], [16]),
    "svdf": (svdf(), [], [], [40]),
    "svdf, int16": (svdf("int16"), [], [], []),
    "lstm": (lstm(), [], 8 * [16], 8 * [16]),
    "lstm, int16": (lstm("int16"), [], 8 * [32], 8 * [32]),
    "lstm, float": (lstm("float32", "float32"), [], [], []),
    "decode": (operator("TFLM_DECODE", 4 * [tensor(9)], tensor(5), tensor(6)),
               [16, 72, 72], [8, 36, 36], [8, 36, 36]),
}  # fmt: skip


@pytest.mark.parametrize("case", KEPT)
def test_what_a_kernel_keeps(case):
    made, *expected = KEPT[case]
    host, arm = STRUCTURES[made.opcode][2:]
    for target, more in zip(TARGETS, expected, strict=True):
        own = host if target == "host" else arm
        assert persistent(made, target_of(target)) == [own] * bool(own) + more


# An int32 for each of 14 columns, 5 channels and the 3 rows that a kernel reaches.
ROW = 4 * ((7 - 1) * 2 + 2) * 5 * 3
SCRATCH = {
    # A field of 3 * 2 * 6 = 36: two of int16; with vectors four, rounded up to 48.
    "conv": (convolution("CONV_2D"), [], [4 * 36], [4 * 48]),
    "conv, float": (convolution("CONV_2D", "float32"), [], [], []),
    "conv, int4": (convolution("CONV_2D", weights="int4"), [180], [4 * 36], [4 * 48]),
    "depthwise": (convolution("DEPTHWISE_CONV_2D"), [], [2 * 6 * 6], [4 * 124 * 6]),
    "depthwise, float": (convolution("DEPTHWISE_CONV_2D", "float32"), [], [], []),
    "depthwise, int4": (convolution("DEPTHWISE_CONV_2D", weights="int4"), [180], [72], [2976]),
    # An int32 for each output; for int16 an int64, and so for each bias of int16.
    "transposed": (transposed(), [4 * 1260], [ROW, 0], [ROW, 0]),
    "transposed, bias": (transposed(bias="int32"), [4 * 1260], [ROW, 0], [ROW, 0]),
    "transposed, int16": (transposed("int16"), *3 * ([8 * 1260],)),
    "transposed, int16, bias": (transposed("int16", "int16"), *3 * ([8 * 1260, 40],)),
    "transposed, int16, wide": (transposed("int16", "int64"), *3 * ([8 * 1260],)),
    "transposed, float": (transposed("float32"), [], [], []),
    "dense": (dense(), [], [], [28]),
    "dense, int4": (dense(weights="int4"), [210], [], []),
    "average": (plain("AVERAGE_POOL_2D"), [], [24], []),
    "average, int16": (plain("AVERAGE_POOL_2D", "int16"), [], [24], []),
    "average, float": (plain("AVERAGE_POOL_2D", "float32"), [], [], []),
    "maximum": (plain("MAX_POOL_2D"), [], [], []),
    # Four dimensions, three axes; sums of six channels.
    "mean": (reduction("MEAN"), *3 * ([24, 16, 12],)),
    "mean, int16": (reduction("MEAN", "int16"), *3 * ([24, 16, 12],)),
    "mean, float": (reduction("MEAN", "float32"), *3 * ([16, 12],)),
    "sum": (reduction("SUM"), *3 * ([24, 16, 12],)),
    **{
        name.lower(): (reduction(name), *3 * ([16, 12],))
        for name in ("REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL")
    },
    "mirror": (plain("MIRROR_PAD"), *3 * ([16, 16],)),
    # Pointers to three operands.
    "add n": (plain("ADD_N", count=3), [24], [12], [12]),
    "product": (product(), [], [], [12]),
    "product, int16": (product("int16"), [], [], []),
    # Three rows of ten filters; of rank 2 these are five sums.
    "svdf": (svdf(), *3 * ([120, 60],)),
    "svdf, int16": (svdf("int16"), *3 * ([120],)),
    "lstm": (lstm(), 4 * [16], 3 * [16], 3 * [16]),
    "lstm, int16": (lstm("int16"), 4 * [16], 3 * [16], 3 * [16]),
    "lstm, float": (lstm("float32", "float32"), *3 * (4 * [32],)),
    # 33 channels are two words: of 5 x 4 pixels, and of 3 x 2 twice.
    "binary": (operator("TINYSEG_BINARY_CONV_2D", [tensor(1, 5, 4, 33), tensor(7, 3, 2, 2)],
                        tensor(1, 5, 4, 7)), *3 * ([4 * 2 * (20 + 12)],)),
}  # fmt: skip


@pytest.mark.parametrize("case", SCRATCH)
def test_what_a_kernel_borrows(case):
    made, *expected = SCRATCH[case]
    assert [scratch(made, target_of(target)) for target in TARGETS] == expected


def test_an_example_has_what_kernels_ask():
    made = example("CONV_2D", 6, 2)
    assert (made.opcode, made.custom, len(made.outputs)) == ("CONV_2D", False, 2)
    for tensor in (*made.inputs, *made.outputs):
        assert tensor.shape == (6, 1, 1, 6)
        assert tensor.scales.size == tensor.zero_points.size == 6
        assert (tensor.dtype, tensor.constant) == ("int8", False)
    for target in map(target_of, TARGETS):
        own = 80 if target.name == "host" else 60
        assert persistent(made, target) == [own, 24, 24]
        assert scratch(made, target) == []
        # Both operands come as the kernel wants them.
        assert persistent(example("BATCH_MATMUL", 6, 1), target)[1:] == [24, 20]


def test_damage_names_the_operator():
    broken = operator("CONV_2D", [tensor(1, 4)], tensor(1, 4))
    for ask in (persistent, scratch):
        with pytest.raises(InputError, match=r"^operator 3 CONV_2D: lacks.*damaged$"):
            ask(broken, target_of("cortex_m"))
