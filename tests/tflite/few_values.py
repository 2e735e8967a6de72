"""Quantized files whose kernels have few distinct values, and TFLM to run them."""

import functools

import numpy as np
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import seal
from tinyseg.tflite.packing import pack

KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")


def with_weights(content, weights):
    """The file with other weights, given by tensor index."""
    model = fixtures.unpack(content)
    for index, values in weights.items():
        tensor = model.subgraphs[0].tensors[index]
        assert values.dtype == np.int8
        assert list(values.shape) == list(tensor.shape)
        model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return seal(model)


def draw(rng, shape, axis, distinct, own):
    """Random weights; each channel has so many distinct values, its own or those of all."""
    channels = shape[axis]
    values = np.array([rng.choice(256, distinct, replace=False) - 128 for _ in range(channels)])
    values = values if own else np.repeat(values[:1], channels, axis=0)
    others = np.delete(shape, axis)
    chosen = rng.integers(distinct, size=(channels, np.prod(others)))
    chosen[:, :distinct] = np.arange(distinct)
    rows = np.take_along_axis(values, chosen, axis=1).astype(np.int8)
    return np.moveaxis(rows.reshape(channels, *others), 0, axis)


def inputs_of(content, images=4, seed=3):
    shape = TfliteModel.parse(content).inputs[0].shape[1:]
    return np.random.default_rng(seed).integers(-128, 128, (images, *shape), np.int8)


def tflm(content, inputs):
    """Outputs of TFLM's interpreter."""
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 22)
    outputs = []
    for image in inputs:
        interpreter.set_input(image[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    return np.stack(outputs)


def few_valued(content, distinct=4, seed=0):
    """The file with few distinct values in every kernel of a convolution."""
    model, rng = TfliteModel.parse(content), np.random.default_rng(seed)
    found = {}
    for operator in model.operators:
        if operator.opcode in KERNELS:
            weights = operator.inputs[1]
            values = rng.choice(np.linspace(-127, 127, distinct).astype(np.int8), weights.shape)
            found[weights.index] = values
    return with_weights(content, found)


@functools.cache
def whole(recipe="static_wi8_ai8", io="integer"):
    """A whole network of few distinct weights, as ``quantize`` writes files, and packed."""
    plain = few_valued(fixtures.quantized(recipe, io, base_width=8))
    return plain, pack(plain)


def conv_file(weights, scales=None):
    """One convolution of a 4 x 4 image; scales by output channel, one for all if None."""
    out_channels, _, _, channels = weights.shape
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    bias = np.arange(out_channels, dtype=np.int32)
    content = one_operator(
        "CONV_2D",
        [
            Draft((1, 4, 4, channels)),
            Draft(weights.shape, data=weights, scale=0.01),
            Draft((out_channels,), "int32", bias, scale=0.005),
        ],
        Draft((1, 4, 4, out_channels), scale=8.0),
        options,
    )
    if scales is None:
        return content
    model = fixtures.unpack(content)
    for index, factor in ((1, 1.0), (2, 0.5)):
        quantization = model.subgraphs[0].tensors[index].quantization
        quantization.scale = [factor * scale for scale in scales]
        quantization.zeroPoint = [0] * out_channels
    return fixtures.pack(model)
