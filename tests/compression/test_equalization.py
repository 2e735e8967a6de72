"""Equalization: the float network stays, the integer one comes nearer to it."""

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tinyseg import plan as plans
from tinyseg.compression.equalization import equalize
from tinyseg.compression.quantization import convert_post_training
from tinyseg.errors import InputError
from tinyseg.runtime.runner import network_outputs
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.tflite import TfliteModel
from tinyseg.zoo import build

L = keras.layers
SHAPE = (16, 16, 3)
PREPROCESSING = plans.PreprocessingPlan(16, 16, 3)
PLAN = fixtures.plan("static_wi8_ai8", "integer", 4)
IMAGES = fixtures.pictures(8, size=16)

NETWORKS = {
    "unet": {"base_width": 4, "depth": 2},
    "lw_unet": {"base_width": 4, "depth": 2},
    "attention_unet": {"base_width": 4, "depth": 2},
    "attention_unet_ds": {"base_width": 4, "depth": 2},
    "tiny_unet": {"base_width": 8, "depth": 2, "receptive_fields": 2},
}


def uneven(name):
    """A network of the zoo whose channels have ranges a thousand times apart."""
    keras.utils.set_random_seed(0)
    model = build(name, NETWORKS[name], PREPROCESSING.input_shape)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer) is L.Conv2D:
            kernel, *bias = layer.get_weights()
            factors = 10 ** rng.uniform(-1.5, 1.5, kernel.shape[-1])
            layer.set_weights([kernel * factors / np.sqrt(np.mean(factors**2)), *bias])
    return model


def body(*layers):
    """A chain of layers between two convolutions of unequal channels."""
    image = keras.Input(SHAPE)
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="first")(image)
    for layer in layers:
        x = layer(x)
    model = keras.Model(image, L.Conv2D(1, 1, activation="sigmoid", name="mask")(x))
    first = model.get_layer("first")
    kernel, bias = first.get_weights()
    kernel = np.abs(kernel) * 10 ** np.linspace(-2, 2, 8)  # No channel is dead.
    first.set_weights([kernel, bias])
    return model


def channel_ranges(model, name):
    """Largest magnitudes of each channel of a layer's output."""
    probe = keras.Model(model.input, model.get_layer(name).output)
    return np.abs(probe.predict(IMAGES, verbose=0)).max((0, 1, 2))


def sqnr(model, outputs):
    """Signal to quantization noise of the int8 file, in dB."""
    file = TfliteModel.parse(convert_post_training(model, PLAN, IMAGES))
    noise = network_outputs(TfliteRunner(file, reference=True), IMAGES) - outputs
    return 10 * np.log10(np.sum(outputs**2) / np.sum(noise**2))


@pytest.mark.parametrize("name", NETWORKS)
def test_float_outputs_stay(name):
    model = uneven(name)
    before = model.predict(IMAGES, verbose=0)
    weights = [weight.copy() for weight in model.get_weights()]
    after = equalize(model, IMAGES).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(after, before, atol=2e-5)
    for weight, kept in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, kept)


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [L.MaxPooling2D],
        [L.AveragePooling2D],
        [lambda: L.UpSampling2D(interpolation="bilinear")],
        [lambda: L.ZeroPadding2D(1), L.ReLU],
        [lambda: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")],
        [lambda: L.Conv2DTranspose(5, 3, strides=2, padding="same", activation="relu")],
        [lambda: L.Conv2D(6, 3, strides=2), L.BatchNormalization, L.ReLU],
    ],
)
def test_layers_between(layers):
    model = body(*(layer() for layer in layers))
    equal = equalize(model, IMAGES)
    np.testing.assert_allclose(equal(IMAGES), model(IMAGES), atol=2e-5)
    before, after = channel_ranges(model, "first"), channel_ranges(equal, "first")
    assert before.max() > 100 * before.min()
    np.testing.assert_allclose(after, 1, rtol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        L.ReLU(max_value=6),
        L.ReLU(threshold=0.5),
        L.Activation("sigmoid"),
        L.Softmax(),
        L.LayerNormalization(),
    ],
    ids=lambda layer: layer.name,
)
def test_what_does_not_let_factors_through(layer):
    model = body(layer)
    equal = equalize(model, IMAGES)
    np.testing.assert_allclose(equal(IMAGES), model(IMAGES), atol=1e-6)
    np.testing.assert_array_equal(
        equal.get_layer("first").get_weights()[0], model.get_layer("first").get_weights()[0]
    )


def test_sums_and_products_stay():
    image = keras.Input(SHAPE)
    a = L.Conv2D(4, 3, padding="same", activation="relu", name="a")(image)
    b = L.Conv2D(4, 3, padding="same", activation="relu", name="b")(image)
    c = L.Conv2D(4, 1, name="c")(L.Add()([a, b]))
    model = keras.Model(image, L.Conv2D(1, 1, name="mask")(L.Multiply()([c, c])))
    equal = equalize(model, IMAGES)
    for one, other in zip(model.get_weights(), equal.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_map_joined_with_itself_and_others():
    image = keras.Input(SHAPE)
    a = L.Conv2D(4, 3, padding="same", activation="relu", name="first")(image)
    b = L.Conv2D(3, 3, padding="same", name="b")(image)
    joined = L.Concatenate()([b, a, a])
    joined = L.Concatenate()([joined, L.Conv2D(2, 1, name="c")(a)])
    model = keras.Model(image, L.Conv2D(1, 1, name="mask")(joined))
    equal = equalize(model, IMAGES)
    np.testing.assert_allclose(equal(IMAGES), model(IMAGES), atol=1e-5)
    for name in "b", "c":
        np.testing.assert_allclose(channel_ranges(equal, name), 1, rtol=1e-5)


def test_ranges_are_those_of_all_images():
    """More images than are looked at together, each channel's greatest in another one."""
    image = keras.Input(SHAPE)
    x = L.Conv2D(5, 1, name="first")(image)
    model = keras.Model(image, L.Conv2D(2, 3, name="mask")(x), name="net")
    rng = np.random.default_rng(2)
    # By turns below and above zero, at the beginning, at the end and between.
    images = rng.uniform(0.1, 0.2, (19, *SHAPE)).astype(np.float32)
    for number, place in enumerate((0, 6, 10, 15, 18)):
        images[place] = rng.normal(0, 1 + number, SHAPE)
    equal = equalize(model, images)
    kernel, bias = model.get_layer("first").get_weights()
    ranges = np.abs(images @ kernel[0, 0] + bias).max((0, 1, 2))
    found, found_bias = equal.get_layer("first").get_weights()
    np.testing.assert_allclose(found, kernel / ranges, rtol=1e-5)
    np.testing.assert_allclose(found_bias, bias / ranges, rtol=1e-5)
    np.testing.assert_allclose(equal(images), model(images), atol=2e-5)
    for first in range(0, 19, 8):
        part = np.abs(images[first : first + 8] @ kernel[0, 0] + bias).max((0, 1, 2))
        assert first == 16 or (part < 0.99 * ranges).any()


def test_channels_are_empty_below_a_millionth_of_the_greatest():
    model = body()
    kernel, bias = model.get_layer("first").get_weights()
    kernel = np.abs(kernel / np.abs(kernel).sum((0, 1, 2)))
    kernel[..., 2], kernel[..., 5] = 1e-7 * kernel[..., 2], 1e-5 * kernel[..., 5]
    model.get_layer("first").set_weights([kernel, bias])
    found = equalize(model, IMAGES).get_layer("first").get_weights()[0]
    np.testing.assert_array_equal(found[..., 2], kernel[..., 2])
    assert (found[..., 5] > 1000 * kernel[..., 5]).all()


def test_empty_channels_stay():
    model = body()
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., 3], bias[3] = 0, 0
    model.get_layer("first").set_weights([kernel, bias])
    equal = equalize(model, IMAGES)
    assert all(np.isfinite(weight).all() for weight in equal.get_weights())
    np.testing.assert_allclose(equal(IMAGES), model(IMAGES), atol=2e-5)


def test_integers_come_nearer():
    """Two maps of which one is a thousand times the other share a scale where they are joined."""
    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE)
    small = L.Conv2D(4, 3, padding="same", activation="relu", name="small")(image)
    large = L.Conv2D(4, 3, padding="same", activation="relu", name="large")(L.MaxPooling2D()(small))
    joined = L.Concatenate()([small, L.UpSampling2D()(large)])
    model = keras.Model(image, L.Conv2D(1, 3, padding="same", name="mask")(joined))
    kernel, bias = model.get_layer("large").get_weights()
    model.get_layer("large").set_weights([1000 * kernel, bias])
    kernel, bias = model.get_layer("mask").get_weights()
    kernel[:, :, 4:] /= 1000
    model.get_layer("mask").set_weights([kernel, bias])
    outputs = model.predict(IMAGES, verbose=0)
    assert sqnr(model, outputs) < 20
    assert sqnr(equalize(model, IMAGES), outputs) > 30


def test_what_cannot_be_folded_is_named():
    image = keras.Input(SHAPE)
    model = keras.Model(image, L.Conv2D(1, 1, activation="gelu", name="soft")(image))
    with pytest.raises(InputError, match="soft: activation 'gelu'"):
        equalize(model, IMAGES)


def test_residual_signs_are_refused():
    model = build("blu_net", {"base_width": 4, "depth": 1}, PREPROCESSING.input_shape)
    with pytest.raises(InputError, match=r"_sign: .*quantization.equalize off"):
        equalize(model, IMAGES)
