"""Small networks and hand-made files for the tests of tflite, runtime, verification, profiling."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg import plan as plans
from tinyseg.compression.quantization import convert_float, convert_post_training
from tinyseg.zoo import build

SIZE = 32


def plan(recipe: str, io: str, base_width: int, size: int = SIZE, depth: int = 2) -> plans.Plan:
    """A depthwise separable attention U-Net, at 32 x 32 x 3 with two stages if not told else."""
    arguments = {"base_width": base_width, "depth": depth}
    return plans.from_mapping(
        {
            "model": {"name": "attention_unet_ds", "arguments": arguments},
            "preprocessing": {"height": size, "width": size},
            "quantization": {"recipe": recipe, "io": io},
        }
    )


def network(base_width: int = 4, size: int = SIZE, depth: int = 2) -> keras.Model:
    """That network with random weights that keep the image visible in a mask of all greys."""
    return _network(base_width, size, depth)


@functools.cache
def _network(base_width: int, size: int, depth: int) -> keras.Model:
    choice = plan("static_wi8_ai8", "integer", base_width, size, depth)
    model = build(*choice.network)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        shape = weight.shape
        if len(shape) == 1:
            # Biases and normalization that a converter cannot drop.
            low, high = (-0.2, 0.2) if "bias" in weight.name else (0.5, 1.5)
            weight.assign(rng.uniform(low, high, shape))
        else:
            fan_in = np.prod(shape[:2] if "depthwise" in weight.name else shape[:3])
            weight.assign(rng.normal(0, np.sqrt(1 / fan_in), shape))
    head = model.get_layer("mask")
    kernel, _ = head.get_weights()
    head.set_weights([10 * kernel, np.zeros(1)])
    # About half of the pixels are to be foreground.
    probability = np.median(model(pictures(4, size=size), training=False))
    head.set_weights([10 * kernel, np.log([1 / probability - 1])])
    return model


def seed_folder() -> Path:
    """Where the seed's file and MLTK's published report of it lie; skips the test if nowhere."""
    if not os.environ.get("TINYSEG_DATA"):
        pytest.skip("TINYSEG_DATA is not set")
    return Path(os.environ["TINYSEG_DATA"]).parent / "seeds" / "edgeml"


def pictures(count: int, seed: int = 0, size: int = SIZE) -> np.ndarray:
    """Network inputs in [0, 1): random patches of 4 x 4 pixels under a little noise."""
    rng = np.random.default_rng(seed)
    patches = rng.random((count, size // 4, size // 4, 3), np.float32)
    noise = rng.random((count, size, size, 3), np.float32)
    return 0.9 * patches.repeat(4, axis=1).repeat(4, axis=2) + 0.1 * noise


def quantized(
    recipe: str = "static_wi8_ai8",
    io: str = "integer",
    base_width: int = 4,
    size: int = SIZE,
    depth: int = 2,
) -> bytes:
    """The network as an integer file."""
    return _quantized(recipe, io, base_width, size, depth)


# Behind a function of its own: the cache tells f() from f("default").
@functools.cache
def _quantized(recipe: str, io: str, base_width: int, size: int, depth: int) -> bytes:
    choice = plan(recipe, io, base_width, size, depth)
    return convert_post_training(network(base_width, size, depth), choice, pictures(4, size=size))


@functools.cache
def float_twin() -> bytes:
    """The network as a float32 file."""
    return convert_float(network(), plan("static_wi8_ai8", "integer", 4))


def convert(model: keras.Model, calibration: np.ndarray | None = None, **settings: Any) -> bytes:
    """Convert any network with TensorFlow's own converter, as others' files come about.

    Args:
        model: with a fixed batch.
        calibration: for full-integer quantization, network inputs; None for none.
        settings: attributes of the converter.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    for name, value in settings.items():
        setattr(converter, name, value)
    with warnings.catch_warnings():
        # It misses statistics that only a kind of quantization abandoned long ago had.
        warnings.simplefilter("ignore")
        return converter.convert()


def interpreter(content: bytes, **options: Any) -> tf.lite.Interpreter:
    """TensorFlow Lite with reference kernels, ready to run."""
    with warnings.catch_warnings():
        # It announces its successor, ai-edge-litert.
        warnings.simplefilter("ignore")
        made = tf.lite.Interpreter(
            model_content=content,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
            **options,
        )
    made.allocate_tensors()
    return made


def reference_outputs(content: bytes, inputs: np.ndarray) -> np.ndarray:
    """What TensorFlow Lite's reference kernels make of stored inputs ``(images, ...)``."""
    made, outputs = interpreter(content), []
    for image in inputs:
        made.set_tensor(made.get_input_details()[0]["index"], image[None])
        made.invoke()
        outputs.append(made.get_tensor(made.get_output_details()[0]["index"])[0])
    return np.stack(outputs)


def unpack(content: bytes) -> schema.ModelT:
    """Return a file as objects that can be edited."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))


def pack(model: schema.ModelT) -> bytes:
    """Return the bytes of edited objects."""
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class Draft(NamedTuple):
    """A tensor of a hand-made file; ``data`` makes it a constant, no scale a plain number."""

    shape: Sequence[int]
    dtype: str = "int8"
    data: np.ndarray | None = None
    scale: float | None = 0.5
    zero_point: int = 0


def one_operator(
    opcode: str,
    inputs: Sequence[Draft],
    output: Draft,
    options: Any = None,
    custom: str = "",
    custom_options: bytes = b"",
) -> bytes:
    """Make a file with a single operator whose non-constant inputs are the file's.

    Args:
        opcode: name of the builtin operator, ``CUSTOM`` for a custom one.
        inputs, output: its tensors.
        options: an object of the schema such as ``schema.Conv2DOptionsT()``.
        custom: name of the custom operator.
        custom_options: its bytes.
    """
    builtin = getattr(schema.BuiltinOperator, opcode)
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
    code.customCode = custom or None
    operator, graph, model = schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    operator.inputs, operator.outputs = list(range(len(inputs))), [len(inputs)]
    if options is not None:
        operator.builtinOptions = options
        name = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
    if custom_options:
        operator.customOptions = np.frombuffer(custom_options, np.uint8)
    graph.tensors, graph.operators = [], [operator]
    graph.inputs = [i for i, draft in enumerate(inputs) if draft.data is None]
    graph.outputs = operator.outputs
    # Buffer 0 is empty by convention: activations refer to it.
    model.version, model.buffers = 3, [schema.BufferT()]
    model.operatorCodes, model.subgraphs = [code], [graph]
    for index, draft in enumerate([*inputs, output]):
        tensor, quantization = schema.TensorT(), schema.QuantizationParametersT()
        tensor.name, tensor.shape = f"tensor_{index}", list(draft.shape)
        tensor.type = getattr(schema.TensorType, draft.dtype.upper())
        if draft.scale is not None:
            quantization.scale, quantization.zeroPoint = [draft.scale], [draft.zero_point]
        tensor.quantization = quantization
        tensor.buffer = 0
        if draft.data is not None:
            tensor.buffer = len(model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(draft.data.tobytes(), np.uint8)
            model.buffers.append(buffer)
        graph.tensors.append(tensor)
    return pack(model)
