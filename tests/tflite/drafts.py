"""Small files of several operators, written with the schema alone, and what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID


class File:
    """A file in the making; tensors are known by their numbers."""

    def __init__(self) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        # Buffer 0 is empty by convention: activations refer to it.
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: float | Sequence[float] = 0.05,
        zero_point: int = 0,
        axis: int = 0,
        name: str = "",
    ) -> int:
        """Add an activation, quantized unless it holds int32 or floats."""
        made = schema.TensorT()
        number = len(self.graph.tensors)
        made.name, made.shape = name or f"tensor_{number}", [int(size) for size in shape]
        made.type = getattr(schema.TensorType, dtype.upper())
        made.buffer = 0
        if dtype in ("int8", "int16") or np.ndim(scale):
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [float(value) for value in np.atleast_1d(scale)]
            made.quantization.zeroPoint = [zero_point] * len(made.quantization.scale)
            made.quantization.quantizedDimension = axis
        self.graph.tensors.append(made)
        return number

    def constant(self, values: Any, dtype: str = "int8", **settings: Any) -> int:
        """Add a constant with a buffer of its own."""
        values = np.asarray(values).astype(dtype)
        number = self.tensor(values.shape, dtype, **settings)
        self.graph.tensors[number].buffer = len(self.model.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return number

    def operator(self, opcode: str, inputs: Sequence[int], output: int, options: Any = None) -> int:
        """Add an operator and return its output; -1 stands for an absent input."""
        builtin = getattr(schema.BuiltinOperator, opcode)
        codes = [code.builtinCode for code in self.model.operatorCodes]
        if builtin not in codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
            code.version = 1
            self.model.operatorCodes.append(code)
            codes.append(builtin)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = codes.index(builtin), [*inputs], [output]
        if options is not None:
            made.builtinOptions = options
            name = type(options).__name__.removesuffix("T")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        self.graph.operators.append(made)
        return output

    def content(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Return the bytes."""
        self.graph.inputs, self.graph.outputs = [*inputs], [*outputs]
        return fixtures.pack(self.model)


def options(kind: str, **values: Any) -> Any:
    """Return options of the schema such as ``Conv2D``; strides and dilation are 1 by default."""
    made = getattr(schema, f"{kind}OptionsT")()
    ones = ("strideH", "strideW", "dilationHFactor", "dilationWFactor", "depthMultiplier")
    for name in ones:
        if hasattr(made, name):
            setattr(made, name, 1)
    for name, value in values.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def conv(
    file: File,
    source: int,
    channels: int,
    size: tuple[int, int] = (1, 1),
    seed: int = 0,
    target: int | None = None,
) -> int:
    """Add a convolution with random weights, a scale for each channel, and a bias; stride 1."""
    random = np.random.default_rng(seed)
    batch, height, width, depth = file.graph.tensors[source].shape
    weights = random.integers(-127, 128, (channels, *size, depth))
    scales = random.uniform(0.004, 0.02, channels)
    kernel = file.constant(weights, scale=scales)
    bias = file.constant(random.integers(-500, 500, channels), "int32")
    if target is None:
        target = file.tensor((batch, height, width, channels), scale=0.1, zero_point=-3)
    return file.operator("CONV_2D", [source, kernel, bias], target, options("Conv2D"))


def add_metadata(model: schema.ModelT, name: str, data: bytes) -> None:
    """Add an entry to a file's metadata."""
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer = name, len(model.buffers)
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def on_tflm(content: bytes, inputs: Sequence[np.ndarray], arena: int = 1 << 22) -> list[np.ndarray]:
    """Return all outputs of TFLM for one set of inputs."""
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
    for number, value in enumerate(inputs):
        interpreter.set_input(value, number)
    interpreter.invoke()
    count = len(fixtures.unpack(content).subgraphs[0].outputs)
    return [interpreter.get_output(number).copy() for number in range(count)]


def on_reference(content: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return all outputs of TensorFlow Lite's reference kernels for one set of inputs."""
    interpreter = fixtures.interpreter(content)
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def random_inputs(content: bytes, seed: int = 0) -> list[np.ndarray]:
    """Return integers of the whole range for every input of a file."""
    random, made = np.random.default_rng(seed), []
    graph = fixtures.unpack(content).subgraphs[0]
    for index in graph.inputs:
        tensor = graph.tensors[index]
        dtype = np.int8 if tensor.type == schema.TensorType.INT8 else np.int16
        limits = np.iinfo(dtype)
        made.append(random.integers(limits.min, limits.max + 1, tensor.shape, dtype))
    return made


def assert_same(before: bytes, after: bytes, images: int = 2) -> None:
    """Compare a file and its rewritten form, byte for byte, on both interpreters."""
    varied = False
    for seed in range(images):
        inputs = random_inputs(before, seed)
        for run in (on_tflm, on_reference):
            expected, found = run(before, inputs), run(after, inputs)
            for one, other in zip(expected, found, strict=True):
                np.testing.assert_array_equal(other, one, strict=True)
                varied |= one.std() > 0
    assert varied
