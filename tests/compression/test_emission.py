"""Residual-binarized networks as files of standard integer operators.

The yardsticks are an implementation of the residual sign in NumPy, the network that simulates the
file in Keras, and TFLite's reference kernels.
"""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests import fixtures
from tinyseg.compression.emission import to_standard_layers
from tinyseg.compression.folding import SignGrid, fold, weights_by_name
from tinyseg.compression.quantization import convert_quantization_aware
from tinyseg.compression.quantization_aware import GammaQuantizer, quantization_aware
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.packing import is_packed, pack, unpack
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
    ResidualBinaryKernels,
)
from tinyseg.zoo.blu_net import blu_net

SIDE = 16
IMAGES = fixtures.pictures(4, size=SIDE)


PLAN = fixtures.plan("qat_wi8_ai8", "integer", 4)


CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


STANDARD = {
    *CONVOLUTIONS,
    "CAST",
    "GATHER",
    "MAX_POOL_2D",
    "RESIZE_NEAREST_NEIGHBOR",
    "CONCATENATION",
    "LOGISTIC",
}


def residual_sign(values, gammas):
    """ReBNet's recursion, with sign(0) = 1; gammas ``(levels,)`` or ``(levels, ...)``."""
    rest = np.array(values, np.float32)
    total = np.zeros_like(rest)
    for gamma in np.abs(gammas):
        term = np.where(rest >= 0, gamma, -gamma)
        total, rest = total + term, rest - term
    return total


def randomize(model, seed=0):
    """Give kernels the gammas that suit them, signs uneven gammas; leave the biases at zero."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, ResidualBinaryKernels):
            layer.fit_gammas()
        elif isinstance(layer, ResidualSign):
            (gammas,) = layer.get_weights()
            layer.set_weights([gammas * rng.uniform(0.8, 1.2, gammas.shape)])
    return model


class Emitted(NamedTuple):
    levels: int
    per_channel: bool
    aware: keras.Model
    content: bytes
    model: TfliteModel


CASES = {
    "signed, 1": (1, False, False, True),
    "positive, channels, 2": (2, True, True, True),
    "signed, channels, 3": (3, False, True, True),
    "positive, 3": (3, True, False, True),
    "ordinary, signed, 3": (3, False, False, False),
    "ordinary, positive, channels, 1": (1, True, True, False),
}


# Between them these show every choice; the rest are their combinations.
FAST = ("signed, 1", "positive, channels, 2", "positive, 3")


@pytest.fixture(
    scope="module",
    params=[pytest.param(case, marks=[] if case in FAST else pytest.mark.slow) for case in CASES],
)
def emitted(request):
    levels, positive, per_channel, separable = CASES[request.param]
    kinds = ("conv_levels", "depthwise_levels", "pointwise_levels", "activation_levels")
    keras.utils.set_random_seed(2)
    net = blu_net(
        (SIDE, SIDE, 3), base_width=4, depth=1, per_channel=per_channel, positive=positive,
        separable=separable, **dict.fromkeys(kinds, levels),
    )  # fmt: skip
    aware = quantization_aware(randomize(net), IMAGES)
    content = convert_quantization_aware(aware, PLAN)
    return Emitted(levels, per_channel, aware, content, TfliteModel.parse(content))


def test_only_standard_integer_operators(emitted):
    operators = emitted.model.operators
    assert {op.opcode for op in operators} <= STANDARD
    assert not any(op.custom for op in operators)
    types = {t.dtype for op in operators for t in (*op.inputs, *op.outputs) if t is not None}
    assert types == {"int8", "int32"}
    signs = [layer for layer in emitted.aware.layers if layer.name.endswith("_sign")]
    assert sum(op.opcode == "GATHER" for op in operators) == len(signs) == 7


def test_tflm_gives_the_bytes_of_the_reference(emitted):
    reference = TfliteRunner(emitted.model, reference=True)
    stored = reference.input.quantize(IMAGES)
    outputs = reference.run(stored)
    np.testing.assert_array_equal(TflmRunner(emitted.model).run(stored), outputs)
    assert len(np.unique(outputs)) > 3


def test_kernels_have_few_values(emitted):
    for operator in emitted.model.operators:
        if operator.opcode in CONVOLUTIONS:
            weights = operator.inputs[1]
            channels = np.moveaxis(weights.array(), weights.axis, 0)
            groups = channels if emitted.per_channel else channels[None]
            assert (weights.scales.size > 1) == (emitted.per_channel and len(channels) > 1)
            for group in groups:
                assert len(np.unique(group)) <= 2**emitted.levels


def test_kernels_are_those_of_the_simulation(emitted):
    """Binarized in NumPy, with the gammas in 127ths of their sum."""
    wrappers = {layer.name: layer for layer in emitted.aware.layers}
    for operator in emitted.model.operators:
        if operator.opcode not in CONVOLUTIONS:
            continue
        stored = operator.inputs[1]
        weights = weights_by_name(wrappers[stored.layer])
        kind = "depthwise_" if "depthwise_kernel" in weights else ""
        gammas = np.abs(weights[f"{kind}gammas"].numpy())
        unit = gammas.sum(0) / 127
        rest = np.round(gammas[1:] / unit)
        rounded = np.concatenate([127 - rest.sum(0, keepdims=True), rest]) * unit
        kernel = residual_sign(weights[f"{kind}kernel"].numpy(), rounded.astype(np.float32))
        values = (stored.array() * stored.scales.reshape([-1 if i == stored.axis else 1
                                                          for i in range(4)]))  # fmt: skip
        if not kind:
            values = np.moveaxis(values, 0, -1)
        np.testing.assert_allclose(
            values.reshape(kernel.shape), kernel, atol=1e-5 * np.abs(kernel).max()
        )


def test_tables_are_residual_signs(emitted):
    """All 128 inputs of each; what lies between two integers may become either."""
    wrappers = {layer.name: layer for layer in emitted.aware.layers}
    casts = {op.outputs[0].index: op.inputs[0] for op in emitted.model.operators
             if op.opcode == "CAST"}  # fmt: skip
    for operator in emitted.model.operators:
        if operator.opcode != "GATHER":
            continue
        table, indices = operator.inputs
        output, source = operator.outputs[0], casts[indices.index]
        assert table.shape == (128,)
        assert source.zero_points[0] == 0
        layer = wrappers[output.layer].layer
        (gammas,) = (w.numpy() for w in layer.weights if "gammas" in w.name)
        scale = source.scales[0]
        assert layer.offset == pytest.approx(63.75 * scale, rel=1e-5)
        reals = residual_sign((np.arange(128) - 63.75) * scale, gammas)
        if layer.positive:
            reals = reals + np.abs(gammas).sum()
        exact = reals / output.scales[0] + output.zero_points[0]
        assert np.abs(table.array() - exact).max() <= 0.501
        # Values next to each other may become the same integer.
        assert 2 ** (emitted.levels - 1) < len(np.unique(table.array())) <= 2**emitted.levels


def test_file_agrees_with_the_simulation(emitted):
    """Masks of the whole network, in which one rounded sum can flip many signs further on."""
    runner = TfliteRunner(emitted.model, reference=True)
    simulated = emitted.aware.predict(IMAGES, verbose=0)
    exported = runner.output.dequantize(runner.run(runner.input.quantize(IMAGES)))
    assert (np.abs(exported - simulated) < 1.5 / 256).mean() > 0.95


def test_packed_file_gives_the_same_bytes():
    kinds = ("conv_levels", "depthwise_levels", "pointwise_levels", "activation_levels")
    keras.utils.set_random_seed(4)
    net = randomize(blu_net((SIDE, SIDE, 3), 16, 1, **dict.fromkeys(kinds, 2)))
    content = convert_quantization_aware(quantization_aware(net, IMAGES), PLAN)
    packed = pack(content)
    model = TfliteModel.parse(packed)
    assert is_packed(model)
    assert len(packed) < len(content)
    stored = TfliteRunner(TfliteModel.parse(content)).input.quantize(IMAGES)
    np.testing.assert_array_equal(
        TflmRunner(model).run(stored), TflmRunner(TfliteModel.parse(content)).run(stored)
    )
    assert TfliteModel.parse(unpack(packed)).opcodes == TfliteModel.parse(content).opcodes


def single(kind, positive, per_channel, biases):
    """One binarized convolution and a sign."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    if kind == "conv":
        layer = ResidualBinaryConv2D(6, 3, padding="same", per_channel=per_channel, name="conv")
    else:
        layer = ResidualBinaryDepthwiseConv2D(3, padding="same", per_channel=per_channel)
    model = keras.Model(image, ResidualSign(3, positive, name="sign")(layer(image)), name="net")
    randomize(model)
    if biases:
        layer.bias.assign(np.random.default_rng(6).normal(0, 0.3, layer.bias.shape))
    return model


# Equal biases at the start of training are a case of their own for the converter.
@pytest.mark.parametrize(
    ("kind", "positive", "per_channel", "biases"),
    [
        ("conv", False, False, True),
        ("conv", True, True, True),
        ("conv", False, True, False),
        ("depthwise", True, True, False),
        ("depthwise", False, False, True),
    ],
)
def test_convolution_and_sign_equal_the_simulation(kind, positive, per_channel, biases):
    keras.utils.set_random_seed(5)
    aware = quantization_aware(single(kind, positive, per_channel, biases), IMAGES)
    runner = TfliteRunner(TfliteModel.parse(convert_quantization_aware(aware, PLAN)))
    exported = runner.output.dequantize(runner.run(runner.input.quantize(IMAGES)))
    simulated = aware.predict(IMAGES, verbose=0)
    # TFLite rounds products twice, so that a sum next to a threshold can fall on its other side.
    assert (np.abs(exported - simulated) > 1e-5).mean() <= 0.005
    assert len(np.unique(exported)) > 4


def test_ladder_of_initial_gammas_is_rounded_as_in_the_simulation():
    """With 3 levels from zero up, half of its values lie halfway between two integers."""
    keras.utils.set_random_seed(5)
    model = single("conv", True, False, biases=True)
    model.get_layer("sign").set_weights([np.array([1 / 2, 1 / 3, 1 / 6], np.float32)])
    aware = quantization_aware(model, IMAGES)
    runner = TfliteRunner(TfliteModel.parse(convert_quantization_aware(aware, PLAN)))
    exported = runner.output.dequantize(runner.run(runner.input.quantize(IMAGES)))
    assert (np.abs(exported - aware.predict(IMAGES, verbose=0)) > 1e-5).mean() <= 0.005


def test_folding_shifts_without_a_change():
    keras.utils.set_random_seed(5)
    net = randomize(blu_net((SIDE, SIDE, 3), 4, 1, positive=True))
    folded = fold(net)
    assert np.mean(np.abs(folded(IMAGES) - net(IMAGES)) > 1e-4) < 0.01
    probe = keras.Model(folded.input, folded.get_layer("encoder1_conv2").output)
    assert probe(IMAGES).numpy().min() >= 0


@pytest.mark.parametrize("gammas", [[0.5, 0.3, 0.2], [-0.7, 0.2], [1.0]])
def test_grid_reaches_beyond_the_last_threshold(gammas):
    """Thresholds are sums of all gammas but the last, with any signs."""
    sign = ResidualSign(len(gammas))
    sign.build((None, 4))
    sign.set_weights([np.float32(gammas)])
    step, offset = SignGrid.of(sign)
    magnitudes = np.abs(gammas[:-1])
    signs = itertools.product([-1, 1], repeat=len(magnitudes))
    last = max((np.dot(choice, magnitudes) for choice in signs), default=0.0)
    assert 0 <= last < 127 * step - offset
    assert offset > last
    # Halfway between integers would be decided by chance.
    assert offset / step % 1 == pytest.approx(0.75)


@pytest.mark.parametrize("shape", [(3,), (3, 5), (2, 4, 1), (1,)])
def test_gammas_become_127ths_of_their_sum(shape):
    rng = np.random.default_rng(1)
    gammas = (rng.uniform(0.05, 1, shape) * rng.choice([-1, 1], shape)).astype(np.float32)
    with tf.GradientTape() as tape:
        point = tf.constant(gammas)
        tape.watch(point)
        rounded = GammaQuantizer()(point, True, {})
        total = tf.reduce_sum(rounded)
    sums = np.abs(gammas).sum(0)
    np.testing.assert_allclose(rounded.numpy().sum(0), sums, rtol=1e-6)
    in_units = rounded.numpy() / sums * 127
    np.testing.assert_allclose(in_units, np.round(in_units), atol=1e-3)
    assert np.abs(in_units - np.abs(gammas) / sums * 127).max() <= 0.5 * max(shape[0] - 1, 1)
    np.testing.assert_array_equal(tape.gradient(total, point), np.sign(gammas))


@pytest.mark.parametrize("per_channel", [False, True])
def test_gradient_reaches_latent_kernels_and_gammas(per_channel):
    keras.utils.set_random_seed(3)
    net = randomize(blu_net((SIDE, SIDE, 3), 4, 1, per_channel=per_channel))
    aware = quantization_aware(net, IMAGES)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(aware(IMAGES, training=True)))
    gradients = tape.gradient(loss, aware.trainable_variables)
    names = [weight.name for weight in aware.trainable_variables]
    assert all(g is not None and np.abs(g).max() > 0 for g in gradients)
    # 3 ordinary and 5 separable convolutions, which have become two; 7 signs.
    assert sum("kernel" in name for name in names) == 3 + 2 * 5
    assert sum("gammas" in name for name in names) == 3 + 2 * 5 + 7


def test_what_was_trained_goes_into_the_file():
    keras.utils.set_random_seed(3)
    model = single("conv", False, False, biases=True)
    aware = quantization_aware(model, IMAGES)
    sign = aware.get_layer("sign")
    gammas = weights_by_name(sign)["gammas"]
    gammas.assign(gammas * [0.95, 0.9, 0.8])
    (function,) = to_standard_layers(aware).signs.values()
    values = np.arange(128, dtype=np.float32) * 0.015
    expected = residual_sign(values - sign.layer.offset, gammas.numpy())
    # Within half a step of the range that calibration gave to the gammas from before.
    step = 256 / 127 * np.abs(model.get_layer("sign").gammas).sum() / 255
    assert np.abs(function(values) - expected).max() <= 0.501 * step
