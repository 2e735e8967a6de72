"""What the tests of networks share: building small ones, converting them, running the files."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg import plan as plans
from tinyseg.compression.quantization import (
    convert_float,
    convert_post_training,
    convert_quantization_aware,
)
from tinyseg.compression.quantization_aware import quantization_aware
from tinyseg.runtime.engine import EngineRunner
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import Arena, TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import supported, total_cost
from tinyseg.zoo import build, network
from tinyseg.zoo.blocks.residual_binary_convolution import fit_gammas
from tinyseg.zoo.summary import count_macs

Size = tuple[int, int, int]


def plan_for(name: str, size: Size, **arguments: Any) -> plans.Plan:
    """A plan for a network at an input size: height, width, channels."""
    height, width, channels = size
    return plans.from_mapping(
        {
            "model": {"name": name, "arguments": arguments},
            "preprocessing": {"height": height, "width": width, "channels": channels},
        }
    )


def make(name: str, size: Size, **arguments: Any) -> keras.Model:
    """Build a network with random weights."""
    plan = plan_for(name, size, **arguments)
    return build(*plan.network)


def pictures(count: int, size: Size, seed: int = 0) -> np.ndarray:
    """Random patches of 4 x 4 pixels under a little noise, in [0, 1)."""
    rng = np.random.default_rng(seed)
    height, width, channels = size
    patches = rng.random((count, -(-height // 4), -(-width // 4), channels), np.float32)
    patches = patches.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return 0.9 * patches + 0.1 * rng.random((count, *size), np.float32)


def enliven(model: keras.Model) -> keras.Model:
    """Give a network weights that a converter cannot drop, and its masks all values."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if len(weight.shape) == 1:
            around_one = "gamma:" in weight.name or "variance" in weight.name
            weight.assign(rng.uniform(*((0.5, 1.5) if around_one else (-0.2, 0.2)), weight.shape))
    images = pictures(8, model.input_shape[1:])
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm in norms:
        # Where a channel hardly varies, rounding would be all that is left of it.
        norm.moving_variance.assign(tf.maximum(norm.moving_variance, 0.1))
    fit_gammas(model)
    head = model.layers[-1]
    if head.weights:
        spread_logits(head, keras.Model(model.input, head.input)(images))
    return model


def spread_logits(head: keras.layers.Layer, features: tf.Tensor) -> None:
    """Let the last convolution's results have mean 0 and deviation 2 in each channel."""
    activation, head.activation = head.activation, keras.activations.linear
    logits = head(features).numpy()
    head.activation = activation
    axes = tuple(range(logits.ndim - 1))
    scale = 2 / logits.std(axes)
    kernel, bias, *gammas = head.get_weights()
    head.set_weights([kernel * scale, (bias - logits.mean(axes)) * scale, *gammas])
    if gammas:
        head.fit_gammas()


def to_integers(
    model: keras.Model, plan: plans.Plan, calibration: np.ndarray, recipe: str
) -> tuple[TfliteModel, keras.Model]:
    """Return the integer file and the network whose rounded form it is."""
    if recipe == "qat_wi8_ai8":
        model = quantization_aware(model, calibration)
        return TfliteModel.parse(convert_quantization_aware(model, plan)), model
    return TfliteModel.parse(convert_post_training(model, plan, calibration)), model


def check_float_file(model: keras.Model, plan: plans.Plan, images: np.ndarray) -> None:
    """Assert that the float file computes what the network does."""
    runner = TfliteRunner(TfliteModel.parse(convert_float(model, plan)))
    tolerance = rounding_of_probabilities(model, images)
    np.testing.assert_allclose(runner.run(images), model(images), rtol=0, atol=tolerance)


def rounding_of_probabilities(model: keras.Model, images: np.ndarray) -> float:
    """Return how far apart the probabilities of two float32 interpreters may lie.

    A sum of K products is rounded by about sqrt(K) eps of the sum of its terms' sizes (Higham and
    Mary, SIAM J. Sci. Comput. 41, 2019), and layers add up. The last one turns what is relative to
    the terms into logits, of which a probability changes by a quarter at most.
    """
    with_kernel = [layer for layer in model.layers if any(len(w.shape) > 1 for w in layer.weights)]
    terms = [np.prod(layer.weights[0].shape[:-1]) for layer in with_kernel]
    head = with_kernel[-1]
    features, weights = keras.Model(model.input, head.input), head.get_weights()
    activation, head.activation = head.activation, keras.activations.linear
    head.set_weights([np.abs(weight) for weight in weights])
    size = np.max(head(np.abs(features(images))))
    head.set_weights(weights)
    head.activation = activation
    return float(np.finfo(np.float32).eps * np.sqrt(terms).sum() * size / 4)


def check_on_tflm(file: TfliteModel, images: np.ndarray) -> tuple[np.ndarray, Arena]:
    """Assert that TFLM runs a file as the reference kernels do, and our own engine as TFLM.

    Returns:
        Outputs and arena.
    """
    assert [operator.opcode for operator in file.operators if not supported(operator)] == []
    on_tflm = TflmRunner(file)
    stored = on_tflm.input.quantize(images)
    outputs = on_tflm.run(stored)
    np.testing.assert_array_equal(outputs, TfliteRunner(file, reference=True).run(stored))
    np.testing.assert_array_equal(outputs, EngineRunner(file).run(stored))
    return on_tflm.output.dequantize(outputs), on_tflm.arena


def check_files(
    name: str, size: Size, arguments: dict[str, Any], recipe: str = "static_wi8_ai8"
) -> None:
    """Assert that a network's files compute what it does, the integer one on TFLM too."""
    keras.utils.set_random_seed(0)
    plan, model = plan_for(name, size, **arguments), enliven(make(name, size, **arguments))
    images = pictures(4, size, seed=2)
    check_float_file(model, plan, images)
    file, rounded = to_integers(model, plan, pictures(8, size), recipe)
    outputs, arena = check_on_tflm(file, images)
    assert total_cost(file).macs == count_macs(model)
    assert arena.total == arena.head + arena.tail > 0
    assert np.ptp(outputs) > 0
    # The few probabilities of a small random classifier are its rounding's noise.
    if network(name).task == "segmentation":
        assert np.ptp(outputs) > 0.5
        assert np.corrcoef(outputs.ravel(), np.ravel(rounded(images)))[0, 1] > 0.9
