"""The element types that kernels take, held against TFLM's interpreter: each operator is run."""

import json
import subprocess
import sys

import numpy as np

from tests import fixtures
from tests.fixtures import Draft
from tests.tflite.ops.test_memory import CASES, integers, options, single
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import supported

DTYPES = ("int8", "int16", "float32", "uint8", "int32", "int64", "bool", "uint32")
# Kernels that take no scales with these types.
PLAIN = ("int32", "int64", "bool", "uint32")
WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "PRELU"}
# Operators of one tensor.
UNARY = """
    ABS CEIL COS ELU EXP FLOOR HARD_SWISH L2_NORMALIZATION LOG LOGISTIC LOG_SOFTMAX NEG RELU RELU6
    ROUND SIN SQRT SQUARE TANH
"""
# Scale and zero point of outputs that kernels ask for.
FIXED = {
    ("int8", "LOGISTIC"): (1 / 256, -128),
    ("int8", "LOG_SOFTMAX"): (16 / 256, 127),
    ("int16", "LOGISTIC"): (1 / 32768, 0),
    ("int16", "TANH"): (1 / 32768, 0),
}
# A process of its own, a fork for each file: what a kernel refuses, it may refuse with a crash.
PROBE = """
import json, os, sys
import numpy as np
from tflite_micro.python.tflite_micro import runtime

def run(content, inputs):
    interpreter = runtime.Interpreter.from_bytes(bytes.fromhex(content), arena_size=1 << 20)
    for number, (shape, dtype) in enumerate(inputs):
        interpreter.set_input(np.ones(shape, dtype), number)
    interpreter.invoke()

ran = []
for name, (content, inputs) in json.load(sys.stdin).items():
    child = os.fork()
    if not child:
        try:
            run(content, inputs)
        except BaseException:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        ran.append(name)
json.dump(ran, sys.stdout)
"""


def cases_of(dtype):
    """The operators without weights, their int8 tensors of another type."""

    def changed(draft):
        scale = None if dtype in PLAIN else draft.scale
        return draft._replace(dtype=dtype, scale=scale) if draft.dtype == "int8" else draft

    return {
        name: ([changed(draft) for draft in inputs], changed(output), *rest)
        for (known, name), (inputs, output, *rest) in CASES.items()
        if known == "int8" and name not in WEIGHTED
    }


def conversions():
    """Files of operators whose result has another type than what they read."""
    image, made = Draft((1, 6, 4, 8)), {}
    for source in DTYPES:
        for target in DTYPES:
            data, output = image._replace(dtype=source), image._replace(dtype=target)
            for name in ("QUANTIZE", "DEQUANTIZE", "CAST"):
                choices = options("Cast") if name == "CAST" else None
                key = f"{source} to {target}", name
                made[key] = fixtures.one_operator(name, [data], output, choices)
    for name, output in (("ARG_MAX", (1, 6, 4)), ("SHAPE", (4,))):
        inputs = [image, single(3)] if name == "ARG_MAX" else [image]
        choices = options("ArgMax", outputType=4) if name == "ARG_MAX" else options("Shape")
        made["int8 to int64", name] = fixtures.one_operator(
            name, inputs, Draft(output, "int64"), choices
        )
    return made


def long_constants():
    """Files of operators whose axes, sizes and indices are int64."""

    def changed(draft):
        if draft.data is None or draft.dtype != "int32":
            return draft
        return draft._replace(dtype="int64", data=draft.data.astype(np.int64))

    made = {}
    for (dtype, name), (inputs, *rest) in CASES.items():
        if dtype == "int8" and name not in WEIGHTED and [changed(d) for d in inputs] != inputs:
            content = fixtures.one_operator(name, [changed(d) for d in inputs], *rest)
            made["int8 with int64", name] = content
    return made


def files():
    """Files of one operator by its name and type, of every type that there is."""
    made = {key: fixtures.one_operator(key[1], *parts) for key, parts in CASES.items()}
    for dtype in DTYPES:
        for name, parts in cases_of(dtype).items():
            made.setdefault((dtype, name), fixtures.one_operator(name, *parts))
    made |= conversions() | long_constants()
    for dtype in DTYPES:
        image = Draft((1, 6, 4, 8), dtype, scale=None if dtype in PLAIN else 0.5)
        for name in UNARY.split():
            output = image
            if (dtype, name) in FIXED:
                scale, zero = FIXED[dtype, name]
                output = image._replace(scale=scale, zero_point=zero)
            made[dtype, name] = fixtures.one_operator(name, [image], output)
        blocks = options("DepthToSpace", blockSize=2)
        made[dtype, "DEPTH_TO_SPACE"] = fixtures.one_operator(
            "DEPTH_TO_SPACE", [image], Draft((1, 12, 8, 2), dtype), blocks
        )
        made[dtype, "RESIZE_BILINEAR"] = fixtures.one_operator(
            "RESIZE_BILINEAR",
            [image, integers(12, 8)],
            Draft((1, 12, 8, 8), dtype),
            options("ResizeBilinear"),
        )
        made[dtype, "ARG_MIN"] = fixtures.one_operator(
            "ARG_MIN",
            [image, single(3)],
            Draft((1, 6, 4), "int32"),
            options("ArgMin", outputType=2),
        )
        made[dtype, "GATHER"] = fixtures.one_operator(
            "GATHER", [image, integers(0, 1)], Draft((1, 2, 4, 8), dtype), options("Gather", axis=1)
        )
        for name in ("MAXIMUM", "SUB", "GREATER", "LESS"):
            output = image if name in ("MAXIMUM", "SUB") else image._replace(dtype="bool")
            choices = options("Sub") if name == "SUB" else None
            made[dtype, name] = fixtures.one_operator(name, [image, image], output, choices)
    return made


def test_types_are_those_that_the_interpreter_runs():
    content = files()
    models = {key: TfliteModel.parse(data) for key, data in content.items()}
    asked = {
        " ".join(key): (data.hex(), [(t.shape, t.dtype) for t in models[key].inputs])
        for key, data in content.items()
    }
    answer = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    ran = set(json.loads(answer.stdout))
    known = {" ".join(key) for key, model in models.items() if supported(model.operators[0])}
    assert len(asked) > 700
    assert {"float32 EXP", "int8 RESIZE_BILINEAR"} <= ran
    # It takes the halves of each long integer for two numbers, and says nothing.
    assert known == ran - {"int8 with int64 TRANSPOSE"}
