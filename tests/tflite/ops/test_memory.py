"""What kernels ask for, operator by operator, against TFLM's own interpreter."""

import copy

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.fixtures import Draft
from tests.tflite.measured import measure
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena import memory, tail
from tinyseg.tflite.ops import registry
from tinyseg.tflite.ops.registry import OPS
from tinyseg.tflite.target import TARGETS, target_of

COPIES = 9
STEPS = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
WINDOW = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2, "padding": 1}
BIAS = {"int8": np.int32, "int16": np.int64, "float32": np.float32}


def options(name, **values):
    made = getattr(schema, f"{name}OptionsT")()
    assert set(values) <= set(vars(made))
    vars(made).update(values)
    return made


def integers(*values):
    return Draft((len(values),), "int32", np.array(values, np.int32))


def pairs(value):
    return Draft((4, 2), "int32", np.full((4, 2), value, np.int32))


def single(value):
    return Draft((), "int32", np.array(value, np.int32))


def drafts(dtype):
    """Every operator that takes one type of activations: its inputs, output and options."""

    def of(*shape):
        return Draft(shape, dtype)

    def weights(*shape):
        kind = np.float32 if dtype == "float32" else np.int8
        return Draft(shape, np.dtype(kind).name, np.ones(shape, kind), 0.02)

    def bias(channels):
        kind = BIAS[dtype]
        return Draft((channels,), np.dtype(kind).name, np.zeros(channels, kind), 0.01)

    image = of(1, 6, 5, 16)
    half = of(1, 3, 2, 16)
    truth = Draft(image.shape, "bool")
    softmax = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0), "float32": (1.0, 0)}[dtype]
    probability = image._replace(scale=softmax[0], zero_point=softmax[1])
    made = {
        "CONV_2D": (
            [image, weights(8, 3, 3, 16), bias(8)],
            of(1, 6, 5, 8),
            options("Conv2D", **STEPS),
        ),
        "DEPTHWISE_CONV_2D": (
            [image, weights(1, 3, 3, 16), bias(16)],
            image,
            options("DepthwiseConv2D", depthMultiplier=1, **STEPS),
        ),
        "TRANSPOSE_CONV": (
            [integers(1, 12, 10, 8), weights(8, 2, 2, 16), image, bias(8)],
            of(1, 12, 10, 8),
            options("TransposeConv", strideH=2, strideW=2),
        ),
        "FULLY_CONNECTED": (
            [of(1, 480), weights(10, 480), bias(10)],
            of(1, 10),
            options("FullyConnected"),
        ),
        "SOFTMAX": ([image], probability, options("Softmax", beta=1.0)),
        "CONCATENATION": ([image, image], of(1, 6, 5, 32), options("Concatenation", axis=3)),
        "RESHAPE": ([image, integers(1, 480)], of(1, 480), options("Reshape", newShape=[1, 480])),
        "SQUEEZE": ([image], of(6, 5, 16), options("Squeeze", squeezeDims=[0])),
        "PAD": ([image, pairs(1)], of(3, 8, 7, 18), options("Pad")),
        "MIRROR_PAD": ([image, pairs(0)], image, options("MirrorPad")),
        "RESIZE_NEAREST_NEIGHBOR": (
            [image, integers(12, 10)],
            of(1, 12, 10, 16),
            options("ResizeNearestNeighbor"),
        ),
        "STRIDED_SLICE": (
            [image, integers(0, 0, 0, 0), integers(1, 3, 5, 16), integers(1, 1, 1, 1)],
            of(1, 3, 5, 16),
            options("StridedSlice"),
        ),
        "SLICE": (
            [image, integers(0, 0, 0, 0), integers(1, 3, 5, 16)],
            of(1, 3, 5, 16),
            options("Slice"),
        ),
        "TRANSPOSE": ([image, integers(0, 2, 1, 3)], of(1, 5, 6, 16), options("Transpose")),
        "BATCH_MATMUL": ([of(2, 4, 6), of(2, 6, 3)], of(2, 4, 3), options("BatchMatMul")),
        "DIV": ([image, image], image, options("Div")),
        "SELECT_V2": ([truth, image, image], image, None),
        "EXPAND_DIMS": ([image, integers(0)], of(1, 1, 6, 5, 16), None),
        "PACK": ([image, image], of(2, 1, 6, 5, 16), options("Pack", valuesCount=2)),
        "CAST": ([image], Draft(image.shape, "int32"), options("Cast")),
        "ARG_MAX": ([image, single(3)], Draft((1, 6, 5), "int32"), options("ArgMax", outputType=2)),
        "SHAPE": ([image], Draft((4,), "int32"), options("Shape", outType=2)),
        "LEAKY_RELU": ([image], image, options("LeakyRelu", alpha=0.1)),
        "PRELU": ([image, weights(1, 1, 16)], image, None),
        "EQUAL": ([image, image], truth, None),
    }
    made |= {name: ([image, image], image, options(name.title())) for name in ("ADD", "SUB", "MUL")}
    made |= {name: ([image, image], image, None) for name in ("MAXIMUM", "SQUARED_DIFFERENCE")}
    simple = ["ABS", "RSQRT", "SQRT", "RELU", "RELU6", "HARD_SWISH", "ELU", "SIN", "NEG"]
    if dtype != "float32":
        made["DEQUANTIZE"] = [image], Draft(image.shape, "float32"), None
        made["QUANTIZE"] = [Draft(image.shape, "float32")], image, None
    if dtype == "float32":
        simple += ["LOGISTIC", "TANH", "EXP", "CEIL", "ROUND"]
        made["L2_POOL_2D"] = [image], half, options("Pool2D", **WINDOW)
    if dtype != "int16":
        made["ADD_N"] = [image, image, image], image, None
        made["CUMSUM"] = [image, single(1)], image, options("Cumsum")
        made["DEPTH_TO_SPACE"] = (
            [image],
            of(1, 12, 10, 4),
            options("DepthToSpace", blockSize=2),
        )
        made["SPACE_TO_DEPTH"] = [of(1, 6, 4, 4)], half, options("SpaceToDepth", blockSize=2)
        made["GATHER"] = [image, integers(0, 1, 2)], of(1, 3, 5, 16), options("Gather", axis=1)
    made |= {name: ([image], image, None) for name in simple}
    for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        made[name] = [image], half, options("Pool2D", **WINDOW)
    for name in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
        made[name] = [image, integers(1, 2)], of(1, 16), options("Reducer")
    return made


CASES = {
    (dtype, opcode): draft for dtype in BIAS for opcode, draft in sorted(drafts(dtype).items())
}


def repeated(dtype, opcode, copies=COPIES):
    """A file whose one operator stands there several times, each with an output of its own."""
    inputs, output, choices = CASES[dtype, opcode]
    model = fixtures.unpack(fixtures.one_operator(opcode, inputs, output, choices))
    graph = model.subgraphs[0]
    for _ in range(copies - 1):
        graph.tensors.append(copy.copy(graph.tensors[-1]))
        operator = copy.copy(graph.operators[0])
        operator.outputs = [len(graph.tensors) - 1]
        graph.operators.append(operator)
    graph.outputs = [len(graph.tensors) - 1]
    return fixtures.pack(model)


@pytest.mark.parametrize(("dtype", "opcode"), CASES, ids="-".join)
def test_arena_is_that_of_tflm(capfd, dtype, opcode):
    content = repeated(dtype, opcode)
    plan = memory.predict_arena(TfliteModel.parse(content))
    assert (plan.head, plan.tail) == measure(content, capfd)


@pytest.mark.parametrize("opcode", ["CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "STRIDED_SLICE", "PAD"])
def test_one_more_operator_costs_its_overhead(capfd, opcode):
    channels = CASES["int8", opcode][1].shape[-1]
    less, more = (measure(repeated("int8", opcode, copies), capfd)[1] for copies in (8, 16))
    assert abs((more - less) / 8 - tail.operator_overhead(opcode, channels)) <= 2


def test_every_operator_of_tflm_has_an_overhead_on_every_target():
    for target in TARGETS:
        node = target_of(target).node
        for opcode in (*OPS, *registry.TFLM_CUSTOM_OPS, *registry.FIRMWARE_OPS, "unheard of"):
            one, two = (tail.operator_overhead(opcode, 8, n, target) for n in (1, 2))
            assert one >= node
            assert two >= one + target_of(target).eval_tensor


def test_constants_of_an_operator_take_a_structure_each():
    plain = tail.operator_overhead("CONV_2D", 8)
    assert tail.operator_overhead("CONV_2D", 8, constants=2) == plain + 2 * 24


def test_unknown_target():
    for ask in (
        lambda: tail.operator_overhead("ADD", 1, target="cray"),
        lambda: memory.predict_arena(TfliteModel.parse(repeated("int8", "ADD")), "cray"),
    ):
        with pytest.raises(InputError, match=r"cray.*host, cortex_m"):
            ask()


def scratch(target, opcode, inputs, output, **values):
    """Scratch of an int8 operator whose options are plain attributes."""
    content = fixtures.one_operator(opcode, inputs, output, options(values.pop("name"), **values))
    operator = TfliteModel.parse(content).operators[0]
    return registry.scratch(operator, target_of(target))


def kernel(*shape):
    return Draft(shape, data=np.ones(shape, np.int8))


IMAGE = Draft((1, 8, 8, 6))
CMSIS = {
    # 3 * 3 * 6 = 54 bytes of a field: two of int16, rounded to 4; four of int8, rounded to 16.
    "conv": ("CONV_2D", [IMAGE, kernel(4, 3, 3, 6)], "Conv2D", STEPS, [224], [256]),
    "pointwise": ("CONV_2D", [IMAGE, kernel(4, 1, 1, 6)], "Conv2D", STEPS, [], []),
    # A depthwise kernel of 3x3 with at most one row of padding needs none without vectors.
    "depthwise": ("DEPTHWISE_CONV_2D", [IMAGE, kernel(1, 3, 3, 6)], "DepthwiseConv2D", STEPS,
                  [], [4 * 124 * 9]),
    "depthwise 5x5": ("DEPTHWISE_CONV_2D", [IMAGE, kernel(1, 5, 5, 6)], "DepthwiseConv2D", STEPS,
                      [2 * 6 * 25], [4 * 124 * 25]),
    "dilated": ("DEPTHWISE_CONV_2D", [IMAGE, kernel(1, 3, 3, 6)], "DepthwiseConv2D",
                {**STEPS, "dilationHFactor": 2}, [], []),
}  # fmt: skip


@pytest.mark.parametrize("case", CMSIS)
def test_scratch_of_cmsis_nn(case):
    opcode, inputs, name, values, plain, vectors = CMSIS[case]
    output = Draft((1, 8, 8, inputs[1].shape[3 if "DEPTHWISE" in opcode else 0]))
    for target, expected in (("cortex_m", plain), ("cortex_m55", vectors)):
        assert scratch(target, opcode, inputs, output, name=name, **values) == expected


@pytest.mark.parametrize(
    ("channels", "plain", "vectors"),
    # Up to 16 channels an int32 row of the output; above, a field and the kernel turned round.
    [(16, [4 * (14 + 2) * 5 * 2, 0], [4 * (14 + 2) * 5 * 2, 0]), (20, [320, 400], [320, 400])],
)
def test_transposed_convolution_of_cmsis_nn(channels, plain, vectors):
    inputs = [integers(1, 16, 16, 5), kernel(5, 2, 2, channels), Draft((1, 8, 8, channels))]
    for target, expected in (("cortex_m", plain), ("cortex_m55", vectors)):
        values = {"name": "TransposeConv", "strideH": 2, "strideW": 2}
        assert (
            scratch(target, "TRANSPOSE_CONV", inputs, Draft((1, 16, 16, 5)), **values) == expected
        )


@pytest.mark.parametrize("opcode", ["CONV_2D", "TRANSPOSE_CONV", "MEAN", "BATCH_MATMUL", "SVDF"])
@pytest.mark.parametrize("target", TARGETS)
def test_operators_that_lack_tensors_are_damage(opcode, target):
    content = fixtures.one_operator(opcode, [Draft([1, 4])], Draft([1, 4]))
    with pytest.raises(InputError, match=f"operator 0 {opcode}.*damaged"):
        memory.predict_arena(TfliteModel.parse(content), target)
