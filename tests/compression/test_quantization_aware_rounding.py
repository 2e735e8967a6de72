"""The roundings themselves against NumPy: kernels, gammas, activations, and what gets which."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tinyseg.compression.clustering import ClusterQuantizer
from tinyseg.compression.quantization_aware import (
    GammaQuantizer,
    IntegerOperator,
    KernelQuantizer,
    RangeQuantizer,
    quantization_aware,
)
from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinarySeparableConv2D,
)

L = keras.layers
SHAPE = (4, 6, 3)
IMAGES = np.random.default_rng(0).random((3, *SHAPE), np.float32)

# The axes that one scale is shared by, of (height, width, inputs, outputs or multiplier).
SHARED = {"last": (0, 1, 2), "depthwise": (0, 1), "tensor": (0, 1, 2, 3)}


def uneven_kernel(shape=(2, 3, 4, 5)):
    """All dimensions different, every channel of another magnitude."""
    rng = np.random.default_rng(7)
    magnitudes = 10 ** rng.uniform(-2, 1, shape[2:])
    return (rng.normal(size=shape) * magnitudes).astype(np.float32)


@pytest.mark.parametrize("kind", SHARED)
def test_kernels_become_127ths_of_their_greatest(kind):
    kernel = uneven_kernel()
    upstream = np.random.default_rng(8).normal(size=kernel.shape).astype(np.float32)
    quantizer = KernelQuantizer(**KernelQuantizer(kind).get_config())
    with tf.GradientTape() as tape:
        point = tf.constant(kernel)
        tape.watch(point)
        rounded = quantizer(point, True, {})
        loss = tf.reduce_sum(rounded * upstream)
    largest = np.abs(kernel).max(SHARED[kind], keepdims=True)
    units = kernel / (largest / 127)
    in_units = rounded.numpy() / (largest / 127)
    np.testing.assert_allclose(in_units, np.round(in_units), atol=2e-4)
    assert np.abs(in_units - units).max() <= 0.5 + 1e-3
    # Symmetric: the greatest magnitude is kept, to either side.
    np.testing.assert_allclose(np.abs(rounded).max(SHARED[kind], keepdims=True), largest, rtol=1e-5)
    np.testing.assert_allclose(quantizer.limits(point), largest.ravel().squeeze(), rtol=1e-6)
    # The gradient passes, but for a greatest one that rounding of the ends leaves outside.
    gradient = tape.gradient(loss, point).numpy()
    inside = np.abs(kernel) < largest
    np.testing.assert_array_equal(gradient[inside], upstream[inside])


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("sign", [1, -1])
def test_ends_of_symmetric_kernels(kind, sign):
    """Both -127 and 127 are there, -128 is not: with it the other end would not be met."""
    kernel = np.tile(np.float32([1, -1, 0.3]), 16).reshape(4, 3, 2, 2) * sign * 0.7
    rounded = KernelQuantizer(kind)(tf.constant(kernel), False, {}).numpy()
    ends = np.abs(kernel) > 0.5
    np.testing.assert_allclose(rounded[ends], kernel[ends], rtol=1e-6)
    np.testing.assert_allclose(rounded[~ends], kernel[~ends], atol=0.51 * 0.7 / 127)


@pytest.mark.parametrize("kind", ["last", "depthwise"])
def test_empty_channels_of_a_kernel_stay_empty(kind):
    kernel = uneven_kernel((3, 3, 2, 4))
    kernel[..., 1, 2] = 0
    if kind == "last":
        kernel[..., 2] = 0
    rounded = KernelQuantizer(kind)(tf.constant(kernel), False, {}).numpy()
    assert np.isfinite(rounded).all()
    np.testing.assert_array_equal(rounded[kernel == 0], 0)
    assert np.abs(rounded[kernel != 0]).max() > 0


@pytest.mark.parametrize("shape", [(3,), (4, 5), (3, 4, 2), (1,)])
@pytest.mark.parametrize("scale", [0.02, 3])
def test_gammas_become_127ths_of_their_sum(shape, scale):
    rng = np.random.default_rng(1)
    gammas = scale * rng.uniform(0.05, 1, shape) * rng.choice([-1, 1], shape)
    with tf.GradientTape() as tape:
        point = tf.constant(gammas, tf.float32)
        tape.watch(point)
        rounded = GammaQuantizer(**GammaQuantizer().get_config())(point, True, {})
        loss = tf.reduce_sum(rounded)
    magnitudes = np.abs(gammas)
    unit = magnitudes.sum(0) / 127
    # The first takes what the others leave.
    others = np.round(magnitudes[1:] / unit)
    expected = np.concatenate([127 - others.sum(0, keepdims=True), others]) * unit
    np.testing.assert_allclose(rounded, expected, rtol=1e-5)
    np.testing.assert_array_equal(tape.gradient(loss, point), np.sign(gammas))


def test_gammas_of_zero_stay_finite():
    rounded = GammaQuantizer()(tf.zeros((3, 2)), False, {}).numpy()
    assert np.isfinite(rounded).all()
    assert np.abs(rounded).max() <= 1e-6


@pytest.mark.parametrize(("low", "high"), [(-1.3, 4.1), (0.0, 2.0), (-3.0, 0.0), (-5.0, 0.25)])
def test_activations_become_256_steps_of_their_range(low, high):
    values = np.random.default_rng(2).uniform(-7, 7, 2000).astype(np.float32)
    quantizer = RangeQuantizer(**RangeQuantizer(low, high).get_config())
    with tf.GradientTape() as tape:
        point = tf.constant(values)
        tape.watch(point)
        rounded = quantizer(point, True, {})
        loss = tf.reduce_sum(3 * rounded)
    step = (high - low) / 255
    zero = np.round(-low / step)
    expected = (np.clip(np.round(values / step) + zero, 0, 255) - zero) * step
    np.testing.assert_allclose(rounded, expected, atol=1e-5)
    gradient = tape.gradient(loss, point).numpy()
    margin = step
    np.testing.assert_array_equal(gradient[(values > low + margin) & (values < high - margin)], 3)
    np.testing.assert_array_equal(gradient[(values < low - margin) | (values > high + margin)], 0)


def test_a_grid_rounds_twice_with_halves_away_from_zero():
    """First to the grid of the channel, then to steps of 1."""
    quantizer = RangeQuantizer(-128.0, 127.0)
    plain = np.random.default_rng(3).uniform(-60, 60, (500, 3)).astype(np.float32)
    # Values that the first rounding brings to a half, and halves themselves.
    plain[:6] = np.float32([[2.4], [-2.4], [2.6], [-2.6], [2.5], [-2.5]])
    grid = np.float32([0.5, 0.25, 0.125])
    assert quantizer.grid is None
    quantizer.grid = grid
    fine = np.round(plain / grid) * grid
    expected = np.sign(fine) * np.floor(np.abs(fine) + 0.5)
    np.testing.assert_array_equal(quantizer(tf.constant(plain), False, {}), expected)
    assert expected[0, 0] == 3
    assert expected[1, 0] == -3
    quantizer.grid = None
    away = np.abs(plain % 1 - 0.5) > 1e-3
    once = quantizer(tf.constant(plain), False, {}).numpy()
    np.testing.assert_array_equal(once[away], np.round(plain)[away])


LAYERS = {
    "conv": (lambda: L.Conv2D(5, 3), "kernel", "last"),
    "depthwise": (lambda: L.DepthwiseConv2D(3, depth_multiplier=2), "depthwise_kernel",
                  "depthwise"),
    "transposed": (lambda: L.Conv2DTranspose(5, 3), "kernel", "tensor"),
    "dense": (lambda: L.Dense(5), "kernel", "tensor"),
}  # fmt: skip


@pytest.mark.parametrize("one_scale", [False, True])
@pytest.mark.parametrize(("build", "name", "kind"), LAYERS.values(), ids=LAYERS)
def test_kernels_get_the_rounding_that_the_converter_has(build, name, kind, one_scale):
    layer = build()
    layer.build((None, *SHAPE))
    config = IntegerOperator(None, one_scale)
    ((kernel, quantizer),) = config.get_weights_and_quantizers(layer)
    assert kernel is getattr(layer, name)
    assert quantizer.kind == ("tensor" if one_scale else kind)
    config.set_quantize_weights(layer, ["rounded"])
    assert getattr(layer, name) == "rounded"
    assert config.get_activations_and_quantizers(layer) == []


def test_layers_without_a_kernel_have_nothing_to_round():
    assert IntegerOperator((0.0, 1.0)).get_weights_and_quantizers(L.Add()) == []


@pytest.mark.parametrize("bits", [8, 3])
def test_binarized_kernels_have_their_gammas_rounded(bits):
    """However few bits the other kernels get."""
    config = IntegerOperator(weight_bits=bits)
    for layer, names in (
        (ResidualBinaryConv2D(5, 3), ["gammas"]),
        (ResidualBinarySeparableConv2D(5, 3), ["depthwise_gammas", "pointwise_gammas"]),
    ):
        layer.build((None, *SHAPE))
        found = config.get_weights_and_quantizers(layer)
        assert all(w is getattr(layer, n) for (w, _), n in zip(found, names, strict=True))
        assert [type(quantizer) for _, quantizer in found] == [GammaQuantizer] * len(names)


@pytest.mark.parametrize(("name", "channels"), [("conv", 5), ("depthwise", 6), ("transposed", 1)])
def test_fewer_bits_cluster_each_channel(name, channels):
    """Where all channels share a scale, they share the values, too."""
    layer = LAYERS[name][0]()
    layer.build((None, *SHAPE))
    ((_, quantizer),) = IntegerOperator(weight_bits=3).get_weights_and_quantizers(layer)
    assert type(quantizer) is ClusterQuantizer
    assert quantizer.build(None, "kernel", L.Layer())["values"].shape == (channels, 8)


def test_outputs_have_the_range_that_was_asked_for():
    assert IntegerOperator(None).get_output_quantizers(L.Add()) == []
    (quantizer,) = IntegerOperator((-0.5, 3.0)).get_output_quantizers(L.Add())
    assert (quantizer.low, quantizer.high) == (-0.5, 3.0)


def test_operator_can_be_made_again_from_its_arguments():
    config = IntegerOperator((-1.0, 2.0), True, 4).get_config()
    again = IntegerOperator(**config)
    assert (again.output, again.one_scale, again.weight_bits) == ((-1.0, 2.0), True, 4)
    assert IntegerOperator().get_config() == {
        "output": None,
        "one_scale": False,
        "weight_bits": 8,
    }


def body(*layers):
    image = keras.Input(SHAPE, name="image")
    x = image
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x, name="net")


def test_weights_are_copied_and_the_network_stays_as_it_is():
    model = body(L.Conv2D(4, 3, name="first"), L.Conv2D(2, 1, name="last"))
    for weight in model.weights:
        weight.assign(np.random.default_rng(9).normal(size=weight.shape))
    before = [weight.numpy() for weight in model.weights]
    aware = quantization_aware(model, IMAGES)
    for name in ("first", "last"):
        theirs = {w.name.split("/")[-1]: w.numpy() for w in aware.get_layer(name).weights}
        kernel, bias = model.get_layer(name).get_weights()
        np.testing.assert_array_equal(theirs["kernel:0"], kernel)
        np.testing.assert_array_equal(theirs["bias:0"], bias)
        aware.get_layer(name).layer.bias.assign_add(bias + 1)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_image_is_rounded_once_for_all_that_use_it():
    image = keras.Input(SHAPE, name="picture")
    a, b = L.Conv2D(2, 1, name="a")(image), L.MaxPooling2D(1, name="b")(image)
    model = keras.Model(image, L.Concatenate(name="joined")([a, b]), name="net")
    aware = quantization_aware(model, IMAGES)
    assert [layer.name for layer in aware.layers].count("picture_rounding") == 1
    for name in ("a", "b"):
        (parent,) = aware.get_layer(name).inbound_nodes[0].parent_nodes
        assert parent.layer.name == "picture_rounding"


@pytest.mark.parametrize(
    ("layer", "kind"),
    [(L.LayerNormalization(name="odd"), "LayerNormalization"), (L.PReLU(name="odd"), "PReLU")],
)
@pytest.mark.parametrize("first", [True, False])
def test_unknown_layers_are_named_wherever_they_are(layer, kind, first):
    around = [layer.__class__.from_config(layer.get_config()), L.Conv2D(2, 1, name="conv")]
    with pytest.raises(InputError) as error:
        quantization_aware(body(*(around if first else around[::-1])), IMAGES)
    assert str(error.value) == (
        f"odd: quantization-aware training does not know {kind}; use recipe static_wi8_ai8"
    )


def test_bits_of_weights_are_eight_unless_told_otherwise():
    model = body(L.Conv2D(2, 3, name="first"))
    for bits, count in (((), None), ((3,), 8)):
        aware = quantization_aware(model, IMAGES, *bits)
        found = [w.shape for w in aware.get_layer("first").weights if "values" in w.name]
        assert found == ([] if count is None else [(2, count)])
    for bits in (1, 9):
        with pytest.raises(InputError, match=f"^quantization.weight_bits: {bits} is not 8"):
            quantization_aware(model, IMAGES, bits)
