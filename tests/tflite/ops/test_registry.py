"""Costs by hand, and support as the TensorFlow Lite Micro interpreter itself tells it."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tf_keras as keras
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tinyseg.tflite import Operator, Tensor, TfliteModel, ops
from tinyseg.tflite.nodes import Buffer
from tinyseg.tflite.ops.cost import Cost
from tinyseg.tflite.ops.op import Op
from tinyseg.tflite.ops.registry import (
    FIRMWARE_OPS,
    OPS,
    TFLM_CUSTOM_OPS,
    cost,
    supported,
    total_cost,
)
from tinyseg.zoo.summary import count_macs

RELU = schema.ActivationFunctionType.RELU
RELU6 = schema.ActivationFunctionType.RELU6
NONE = schema.ActivationFunctionType.NONE
VALID = schema.Padding.VALID
SAME_2 = {"padding": schema.Padding.SAME, "strideH": 2, "strideW": 2}


def tensor(*shape, dtype="int8", data=None):
    empty = np.empty(0)
    return Tensor(0, "", shape, dtype, empty, empty, 0, data and Buffer(data))


def operator(opcode, inputs, output, custom=False, **options):
    """An operator whose options are plain attributes, as the schema's objects have them."""
    settings = schema.Conv2DOptionsT()
    settings.__dict__ = options
    return Operator(0, opcode, tuple(inputs), (output,), settings if options else None, custom)


# Per operator: inputs, output shape, options; then MACs and operations counted by hand from
# the formulas in section A.7 of the fact sheet.
IMAGE = tensor(1, 8, 6, 3)
COSTS = {
    # 4 filters of 3x3x3 = 27 MACs at 4x3 places: 27 * 48 = 1296; a bias for each of 48 outputs.
    "conv": ("CONV_2D", [IMAGE, tensor(4, 3, 3, 3), tensor(4)], (1, 4, 3, 4),
             {"fusedActivationFunction": NONE}, 1296, 2 * 1296 + 48),
    # A fused ReLU costs two more for each output.
    "conv relu": ("CONV_2D", [IMAGE, tensor(4, 3, 3, 3), tensor(4)], (1, 4, 3, 4),
                  {"fusedActivationFunction": RELU}, 1296, 2 * 1296 + 3 * 48),
    "conv relu6": ("CONV_2D", [IMAGE, tensor(4, 3, 3, 3), tensor(4)], (1, 4, 3, 4),
                   {"fusedActivationFunction": RELU6}, 1296, 2 * 1296 + 3 * 48),
    # Multiplier 2: 6 output channels, each output sees 5x5 inputs: 25 * 8*6*6 = 7200.
    "depthwise": ("DEPTHWISE_CONV_2D", [IMAGE, tensor(1, 5, 5, 6), tensor(6)], (1, 8, 6, 6),
                  {"fusedActivationFunction": NONE}, 7200, 2 * 7200 + 288),
    "depthwise relu": ("DEPTHWISE_CONV_2D", [IMAGE, tensor(1, 5, 5, 6), tensor(6)], (1, 8, 6, 6),
                       {"fusedActivationFunction": RELU}, 7200, 2 * 7200 + 3 * 288),
    # Each of 8*6*3 inputs meets 2x2 kernels of 5 filters: 144 * 20 = 2880; MLTK's quirk in the
    # bias: 5 filters at ceil(8/2) * ceil(6/2) = 12 places.
    "transpose conv": ("TRANSPOSE_CONV", [tensor(4), tensor(5, 2, 2, 3), IMAGE, tensor(5)],
                       (1, 16, 12, 5), SAME_2, 2880, 2 * 2880 + 60),
    # Odd sides round up: 3 filters at ceil(5/2) * ceil(3/2) = 6 places; 15 * 9*3*2 = 810 MACs.
    "transpose conv, odd": ("TRANSPOSE_CONV",
                            [tensor(4), tensor(3, 3, 3, 2), tensor(1, 5, 3, 2), tensor(3)],
                            (1, 10, 6, 3), SAME_2, 810, 2 * 810 + 18),
    # Without padding an ordinary convolution fits ceil((8 - 2) / 3) * ceil((6 - 2) / 3) = 4
    # places; 5 filters of 3x3 on 144 inputs are 6480 MACs.
    "transpose conv, valid": ("TRANSPOSE_CONV", [tensor(4), tensor(5, 3, 3, 3), IMAGE, tensor(5)],
                              (1, 24, 18, 5), {"padding": VALID, "strideH": 3, "strideW": 3},
                              6480, 2 * 6480 + 20),
    # Without a bias there is nothing to add.
    "transpose conv, no bias": ("TRANSPOSE_CONV", [tensor(4), tensor(5, 2, 2, 3), IMAGE],
                                (1, 16, 12, 5), SAME_2, 2880, 2 * 2880),
    "dense": ("FULLY_CONNECTED", [tensor(1, 144), tensor(10, 144), tensor(10)], (1, 10), {},
              1440, 2890),
    "dense relu": ("FULLY_CONNECTED", [tensor(1, 144), tensor(10, 144), tensor(10)], (1, 10),
                   {"fusedActivationFunction": RELU}, 1440, 2910),
    "dense, no bias": ("FULLY_CONNECTED", [tensor(1, 144), tensor(10, 144), None], (1, 10), {},
                       1440, 2880),
    "matrix product": ("BATCH_MATMUL", [tensor(2, 5, 7), tensor(2, 7, 3)], (2, 5, 3),
                       {"adjX": False, "adjY": False}, 210, 420),
    "matrix product, transposed": ("BATCH_MATMUL", [tensor(2, 7, 5), tensor(2, 7, 3)], (2, 5, 3),
                                   {"adjX": True, "adjY": False}, 210, 420),
    # 4*3*3 = 36 outputs, a window of 2x2; averaging divides once more.
    "max pool": ("MAX_POOL_2D", [IMAGE], (1, 4, 3, 3), {"filterHeight": 2, "filterWidth": 2},
                 0, 144),
    "average pool": ("AVERAGE_POOL_2D", [IMAGE], (1, 4, 3, 3),
                     {"filterHeight": 2, "filterWidth": 2}, 0, 180),
    "max pool relu": ("MAX_POOL_2D", [IMAGE], (1, 4, 3, 3),
                      {"filterHeight": 2, "filterWidth": 2, "fusedActivationFunction": RELU},
                      0, 144 + 72),
    # The size of the first input, even where the second is broadcast.
    "add": ("ADD", [IMAGE, tensor(3)], (1, 8, 6, 3), {}, 0, 144),
    # The size of the output: here the first input is broadcast.
    "mul": ("MUL", [tensor(1, 8, 6, 1), IMAGE], (1, 8, 6, 3), {}, 0, 144),
    "quantize": ("QUANTIZE", [IMAGE], (1, 8, 6, 3), {}, 0, 4 * 144),
    "dequantize": ("DEQUANTIZE", [IMAGE], (1, 8, 6, 3), {}, 0, 2 * 144),
    "softmax": ("SOFTMAX", [tensor(1, 10)], (1, 10), {}, 0, 50),
    "relu": ("RELU", [IMAGE], (1, 8, 6, 3), {}, 0, 2 * 144),
    "relu6": ("RELU6", [IMAGE], (1, 8, 6, 3), {}, 0, 2 * 144),
    # One pixel around each side: 10*8*3 = 240 outputs.
    "pad": ("PAD", [IMAGE, tensor(4, 2)], (1, 10, 8, 3), {}, 0, 6 * 240),
    # 16 rows of 8 + 8 * 12.
    "resize": ("RESIZE_NEAREST_NEIGHBOR", [tensor(1, 8, 6, 1), tensor(2)], (1, 16, 12, 1), {},
               0, 16 * 104),
    **{name.lower(): (name, [IMAGE], (1, 8, 6, 3), {}, 0, 0)
       for name in ("LOGISTIC", "MEAN", "CONCATENATION", "SHAPE", "STRIDED_SLICE", "PACK",
                    "SPLIT", "EXPAND_DIMS", "RESHAPE")},
}  # fmt: skip


@pytest.mark.parametrize("case", COSTS.values(), ids=COSTS)
def test_cost_by_hand(case):
    opcode, inputs, output, options, macs, ops = case
    assert cost(operator(opcode, inputs, tensor(*output), **options)) == Cost(macs, ops)


def test_operators_without_a_row_count_nothing():
    assert cost(operator("BUILTIN_999", [IMAGE], IMAGE)) == Cost(0, 0)
    assert cost(operator("FlexErf", [IMAGE], IMAGE, custom=True)) == Cost(0, 0)


def test_network_costs_what_its_keras_layers_cost():
    model = TfliteModel.parse(fixtures.quantized())
    assert total_cost(model).macs == count_macs(fixtures.network())


def test_every_kind_of_layer_costs_what_keras_says():
    layers = keras.layers
    image = keras.Input((12, 12, 3), batch_size=1)
    x = layers.Conv2D(6, 3, strides=2, padding="same", bias_initializer="ones")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")(x)
    x = layers.SeparableConv2D(5, 3, padding="same", bias_initializer="ones")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", bias_initializer="ones")(x)
    x = layers.Dense(7, bias_initializer="ones")(layers.Flatten()(x))
    model = keras.Model(image, x)
    # By hand, in the order above: 36*6*27, 16*12*9, 16*(12*9 + 12*5), 16*5*9*4, 256*7.
    expected = 5832 + 1728 + 2688 + 2880 + 1792
    calibration = np.random.default_rng(0).random((2, 12, 12, 3), np.float32)
    for content in (fixtures.convert(model), fixtures.convert(model, calibration)):
        assert total_cost(TfliteModel.parse(content)).macs == expected
    assert count_macs(model) == expected


# A process of its own: each model loads in a fork, whose standard error says whether TFLM's
# resolver knows the operator; that some models make TFLM crash afterwards does not matter.
PROBE = """
import json, os, sys, tempfile
from tflite_micro.python.tflite_micro import runtime

missing = []
for name, content in json.load(sys.stdin).items():
    with tempfile.TemporaryFile("w+b") as errors:
        child = os.fork()
        if not child:
            os.dup2(errors.fileno(), 2)
            try:
                runtime.Interpreter.from_bytes(bytes.fromhex(content), arena_size=1 << 16)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        errors.seek(0)
        if b"Failed to get registration" in errors.read():
            missing.append(name)
json.dump(missing, sys.stdout)
"""


def _missing_in_tflm(files):
    models = json.dumps({name: content.hex() for name, content in files.items()})
    answer = subprocess.run(
        [sys.executable, "-c", PROBE], input=models, capture_output=True, text=True, check=True
    )
    return set(json.loads(answer.stdout))


def test_support_is_that_of_the_tflm_interpreter():
    draft = fixtures.Draft([1, 4])
    builtins = [name for name in vars(schema.BuiltinOperator) if name.isupper()]
    builtins.remove("CUSTOM")
    assert len(builtins) > 150
    missing = _missing_in_tflm(
        {name: fixtures.one_operator(name, [draft], draft) for name in builtins}
    )
    assert {name for name, info in OPS.items() if info.tflm} == set(builtins) - missing
    assert set(OPS) <= set(builtins)


def test_custom_support_is_that_of_the_tflm_interpreter():
    draft = fixtures.Draft([1, 4])
    # Names that occur in the interpreter's library, TensorFlow's own, and a Larq operator.
    custom = [*TFLM_CUSTOM_OPS, "CIRCULAR_BUFFER", "SignalWindow", "SignalRfft", "ethosu"]
    custom += ["TFLite_Detection_PostProcess", "FlexErf", "LceBconv2d"]
    missing = _missing_in_tflm(
        {name: fixtures.one_operator("CUSTOM", [draft], draft, custom=name) for name in custom}
    )
    assert set(custom) - missing == set(TFLM_CUSTOM_OPS)


@pytest.mark.parametrize(
    ("opcode", "dtype", "custom", "expected"),
    [
        ("CONV_2D", "int8", False, True),
        ("CONV_2D", "int16", False, True),
        ("RESIZE_BILINEAR", "int8", False, True),
        ("RESIZE_BILINEAR", "int16", False, False),
        ("REDUCE_MAX", "int16", False, False),
        ("MIRROR_PAD", "int16", False, False),
        ("EXP", "float32", False, True),
        ("EXP", "int8", False, False),
        ("LOG", "int8", False, False),
        ("CONV_2D", "uint8", False, False),
        ("DEPTH_TO_SPACE", "int16", False, False),
        ("TILE", "int8", False, False),
        ("GELU", "int8", False, False),
        ("BUILTIN_999", "int8", False, False),
        ("FlexErf", "int8", True, False),
        # A custom operator is not the builtin whose name it bears.
        ("CONV_2D", "int8", True, False),
        ("TFLM_DECODE", "int8", True, True),
    ],
)
def test_supported(opcode, dtype, custom, expected):
    output = tensor(1, 4, dtype=dtype)
    assert supported(operator(opcode, [output], output, custom)) is expected


def test_only_elementwise_operators_may_write_over_what_they_read():
    """Those whose bytes in one place are held in test_placement_in_place.py."""
    in_place = {name for name, info in OPS.items() if info.in_place}
    assert in_place == {"ADD", "LOGISTIC", "MUL", "RELU", "RELU6"}


@pytest.mark.real_data
def test_seed_file_costs_what_mltk_published():
    model = TfliteModel.read(fixtures.seed_folder() / "ds_cnn_model_quant.tflite")
    assert len(model.operators) == 112
    assert total_cost(model) == Cost(2_874_605_568, 5_842_715_648)
    assert model.plan == {}


def test_every_file_of_operators_is_listed():
    folder = Path(ops.__file__).parent
    listed = {id(op) for op in (OPS | TFLM_CUSTOM_OPS | FIRMWARE_OPS).values()}
    for path in folder.glob("*.py"):
        if path.stem in ("__init__", "registry"):
            continue
        module = importlib.import_module(f"tinyseg.tflite.ops.{path.stem}")
        for value in vars(module).values():
            for op in value if isinstance(value, tuple) else (value,):
                assert not isinstance(op, Op) or id(op) in listed, path.name


def test_names_are_not_listed_twice():
    names = [*OPS, *TFLM_CUSTOM_OPS, *FIRMWARE_OPS]
    assert len(names) == len(set(names)) > 120
    # A family must not hide an operator of the same name that stands before it.
    sources = "".join(path.read_text() for path in Path(ops.__file__).parent.glob("*.py"))
    assert [name for name in names if not re.search(rf"\b{name}\b", sources)] == []
