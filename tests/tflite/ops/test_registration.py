"""The calls that register operators, held against TensorFlow Lite Micro's own headers."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.compression import model_editor
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.tflite.few_values import conv_file, draw
from tinyseg.boards.c_source import ArenaSize, export
from tinyseg.tflite import Operator, Tensor, TfliteModel
from tinyseg.tflite.nodes import Buffer
from tinyseg.tflite.ops.registry import FIRMWARE_OPS, OPS, TFLM_CUSTOM_OPS, registration
from tinyseg.tflite.packing import pack

BUILTINS = sorted(name for name, info in OPS.items() if info.tflm)
# Kernels that CMSIS-NN has for int8 alone.
INT8_ONLY = [
    "ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
    "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "MUL", "PAD", "SOFTMAX", "TRANSPOSE", "TRANSPOSE_CONV",
]  # fmt: skip


def tensor(dtype="int8", constant=False):
    empty = np.empty(0)
    return Tensor(0, "", (1, 4), dtype, empty, empty, 0, Buffer(b"\0" * 4) if constant else None)


def use(opcode, *inputs, output="int8", custom=False):
    """One use of an operator; inputs are types, in upper case those of constants."""
    tensors = tuple(name and tensor(name.lower(), name.isupper()) for name in inputs)
    return Operator(0, opcode, tensors, (tensor(output),), None, custom)


@pytest.mark.parametrize(
    ("opcode", "call"),
    [
        ("LOGISTIC", "AddLogistic()"),
        ("RESIZE_NEAREST_NEIGHBOR", "AddResizeNearestNeighbor()"),
        ("CONCATENATION", "AddConcatenation()"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd()"),
        ("CAST", "AddCast()"),
        ("GATHER", "AddGather()"),
        ("ADD_N", "AddAddN()"),
        ("CUMSUM", "AddCumSum()"),
        ("CONV_2D", "AddConv2D(tflite::Register_CONV_2D_INT8())"),
        ("MAX_POOL_2D", "AddMaxPool2D(tflite::Register_MAX_POOL_2D_INT8())"),
        ("TRANSPOSE_CONV", "AddTransposeConv(tflite::Register_TRANSPOSE_CONV_INT8())"),
        ("BATCH_MATMUL", "AddBatchMatMul(tflite::Register_BATCH_MATMUL_INT8())"),
    ],
)
def test_calls_for_int8(opcode, call):
    assert registration([use(opcode, "int8")]) == call


def test_call_for_float32():
    assert registration([use("L2_POOL_2D", "float32", output="float32")]) == "AddL2Pool2D()"


@pytest.mark.parametrize("opcode", INT8_ONLY)
def test_kernels_for_int8_alone_are_taken_for_int8_alone(opcode):
    special, general = f"tflite::Register_{opcode}_INT8()", f"{method(opcode)}()"
    kinds = ["int8", "INT32" if OPS[opcode].int32 else "INT8", "INT32"]
    if opcode == "TRANSPOSE_CONV":
        kinds.reverse()
    int8 = use(opcode, *kinds)
    assert special in registration([int8])
    assert special in registration([int8, use(opcode, "int8", None)])
    for other in ("int16", "float32"):
        assert registration([use(opcode, other, output=other)]) == general
        # One kernel serves all uses.
        assert registration([int8, use(opcode, other, output=other)]) == general
        assert registration([use(opcode, other, output=other), int8]) == general
    if "INT8" in kinds:
        kinds[1] = "INT4"
        assert registration([use(opcode, *kinds)]) == general


@pytest.mark.parametrize("opcode", ["ADD", "MUL", "MAXIMUM", "MINIMUM", "PAD"])
def test_kernels_for_int8_alone_do_not_take_int32(opcode):
    """Shapes are computed with it; a constant of int32 beside int8 is a bias or a list of axes."""
    shapes = use(opcode, "int32", "INT32", output="int32")
    assert registration([shapes]) == f"{method(opcode)}()"
    assert registration([use(opcode, "int8"), shapes]) == f"{method(opcode)}()"


def method(opcode):
    """Return the method's name, from a call that names it."""
    dtype = (OPS[opcode].types or ("float32",))[-1]
    return registration([use(opcode, dtype, output=dtype)]).partition("(")[0]


@pytest.mark.parametrize("opcode", ["TILE", "GELU", "SIGN", "POW", "BUILTIN_999"])
def test_operators_that_tflm_lacks_have_no_call(opcode):
    assert registration([use(opcode, "int8")]) is None


def test_a_type_that_a_kernel_lacks_has_no_call():
    assert registration([use("RESIZE_BILINEAR", "int8")]) == "AddResizeBilinear()"
    assert registration([use("RESIZE_BILINEAR", "int16", output="int16")]) is None
    assert registration([use("L2_POOL_2D", "int8")]) is None


def test_custom_operators():
    calls = {name: registration([use(name, "int8", custom=True)]) for name in TFLM_CUSTOM_OPS}
    assert calls.pop("TFLM_DECODE") == "AddDecode()"
    # The others take methods that nobody has looked at.
    assert set(calls.values()) == {None}
    assert registration([use("FlexErf", "int8", custom=True)]) is None
    # A custom operator is not the builtin whose name it bears.
    assert registration([use("CONV_2D", "int8", custom=True)]) is None


@pytest.mark.parametrize("name", FIRMWARE_OPS)
def test_our_own_operators_are_added_by_name(name):
    assert registration([use(name, "int8", custom=True)]) == FIRMWARE_OPS[name].registration
    assert FIRMWARE_OPS[name].registration.startswith("AddCustom(")


def packed_with_table():
    """A packed convolution whose outputs a CAST and a GATHER look up."""
    weights = draw(np.random.default_rng(0), (16, 3, 3, 16), 0, 4, own=False)
    model = model_editor.read(pack(conv_file(weights)))
    graph, types = model.subgraphs[0], schema.TensorType
    (source,) = graph.outputs
    table = graph.add_tensor(shape=(128,), dtype=types.INT8, data=np.arange(128, dtype=np.int8))
    indices = graph.add_tensor(shape=source.shape, dtype=types.INT32)
    target = graph.add_tensor(shape=source.shape, dtype=types.INT8)
    target.quantization = model_editor.Quantization(0.5, 0)
    graph.add_operator(opcode=schema.BuiltinOperator.CAST, inputs=[source], outputs=[indices])
    graph.add_operator(
        opcode=schema.BuiltinOperator.GATHER, inputs=[table, indices], outputs=[target]
    )
    graph.outputs = [target]
    return bytes(model.build())


def test_resolver_of_a_packed_file_with_tables(tmp_path):
    model = TfliteModel.parse(packed_with_table())
    assert model.opcodes == ["TFLM_DECODE", "CONV_2D", "CAST", "GATHER"]
    export(model, None, ArenaSize(1024, 2048, "a test"), tmp_path, "packed")
    text = (tmp_path / "model_ops.h").read_text()
    assert "MicroMutableOpResolver<4>" in text
    assert re.findall(r"resolver->(.+) != kTfLiteOk", text) == [
        "AddCast()",
        "AddConv2D(tflite::Register_CONV_2D_INT8())",
        "AddGather()",
        "AddDecode()",
    ]
    # None of our own operators is in it.
    assert "ops/" not in text


def header(*parts):
    return Path(os.environ["TFLM_ROOT"], "tensorflow", "lite", "micro", *parts).read_text()


@pytest.mark.tflm
def test_every_method_exists_in_the_resolver():
    declared = set(re.findall(r"TfLiteStatus (Add\w+)\(", header("micro_mutable_op_resolver.h")))
    assert len(declared) > 100
    calls = {name: method(name) for name in BUILTINS}
    assert {name: call for name, call in calls.items() if call not in declared} == {}
    # No two operators share one, else the second would fail at start.
    assert len(set(calls.values())) == len(calls)
    assert {"AddDecode", "AddCustom"} <= declared


@pytest.mark.tflm
def test_every_method_registers_the_operator_of_that_name():
    text = header("micro_mutable_op_resolver.h")
    bodies = re.findall(r"TfLiteStatus (Add\w+)\([^{]*\{(.*?)\n  \}", text, re.S)
    registered = {name: re.findall(r"BuiltinOperator_(\w+)", body) for name, body in bodies}
    for opcode in BUILTINS:
        assert registered[method(opcode)] == [opcode]


@pytest.mark.tflm
def test_every_int8_kernel_is_declared():
    """And its method takes a registration."""
    folder = Path(os.environ["TFLM_ROOT"], "tensorflow", "lite", "micro", "kernels")
    kernels = "\n".join(path.read_text() for path in folder.glob("*.h"))
    resolver = header("micro_mutable_op_resolver.h")
    special = [name for name in BUILTINS if "_INT8" in (registration([use(name, "int8")]) or "")]
    assert special == INT8_ONLY
    for opcode in special:
        assert re.search(rf"TFLMRegistration Register_{opcode}_INT8\(\)", kernels), opcode
        parameters = re.search(rf"TfLiteStatus {method(opcode)}\(([^)]*)", resolver)[1]
        assert parameters.strip().startswith("const TFLMRegistration& registration"), opcode
