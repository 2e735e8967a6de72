"""Folding against the network itself: the same outputs from single operators.

Sizes, channels, biases and statistics all differ, so that no axis or weight passes for another.
"""

import numpy as np
import pytest
import tf_keras as keras

from tinyseg.compression.folding import SignGrid, fold, walk, weights_by_name
from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
    ResidualBinarySeparableConv2D,
)

L = keras.layers
SHAPE = (9, 7, 3)
IMAGES = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


def filled(model):
    """With weights that a fold cannot drop; variances are positive."""
    rng = np.random.default_rng(3)
    for weight in model.weights:
        low = 0.2 if "variance" in weight.name else -1.0
        if "gammas" not in weight.name:
            weight.assign(rng.uniform(low, 1.5, weight.shape))
    return model


def chain(*layers):
    image = keras.Input(SHAPE, name="image")
    x = image
    for layer in layers:
        x = layer(x)
    return filled(keras.Model(image, x, name="net"))


def norm(**arguments):
    # Large enough to be missed.
    return L.BatchNormalization(epsilon=0.3, name="norm", **arguments)


CONVOLUTIONS = {
    "conv": lambda **a: L.Conv2D(4, (2, 3), name="body", **a),
    "depthwise": lambda **a: L.DepthwiseConv2D((2, 3), depth_multiplier=2, name="body", **a),
    "transposed": lambda **a: L.Conv2DTranspose(4, (2, 3), name="body", **a),
    "separable": lambda **a: L.SeparableConv2D(4, (2, 3), depth_multiplier=2, name="body", **a),
}
SETTINGS = {
    "valid": {},
    "same, strides": {"padding": "same", "strides": 2},
    "dilated": {"padding": "same", "dilation_rate": 2},
    "without bias": {"use_bias": False},
    "relu": {"activation": "relu"},
    "tanh": {"activation": "tanh"},
}


def kinds(model):
    return [type(layer).__name__ for layer in model.layers[1:]]


def assert_same(model, folded):
    expected = model(IMAGES, training=False)
    np.testing.assert_allclose(folded(IMAGES, training=False), expected, rtol=1e-4, atol=1e-4)
    assert np.std(expected) > 0.01


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolutions_take_normalization_and_activation(kind, settings):
    body = CONVOLUTIONS[kind](**settings)
    model = chain(body, norm(), L.ReLU(name="relu"))
    before = [weight.copy() for weight in model.get_weights()]
    folded = fold(model)
    assert_same(model, folded)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    own = type(body).__name__
    expected = ["DepthwiseConv2D", "Conv2D"] if kind == "separable" else [own]
    activation = settings.get("activation")
    if activation == "tanh":
        expected += ["Activation"]
    if activation:
        # What comes after an activation cannot go into the convolution before it.
        expected += ["DepthwiseConv2D", "ReLU"]
    assert kinds(folded) == expected
    last = folded.get_layer("body")
    fused = "linear" if activation == "tanh" else "relu"
    assert last.activation is keras.activations.get(fused)


@pytest.mark.parametrize("arguments", [{"scale": False}, {"center": False}, {}])
def test_parts_of_a_normalization(arguments):
    for layers in ([L.Conv2D(4, 2, name="body")], [], [L.Conv2D(4, 2, activation="relu")]):
        assert_same(*(lambda model: (model, fold(model)))(chain(*layers, norm(**arguments))))


@pytest.mark.parametrize(
    ("layer", "fused"),
    [
        (lambda: L.ReLU(), True),
        (lambda: L.Activation("relu"), True),
        (lambda: L.ReLU(max_value=0.5), False),
        (lambda: L.ReLU(negative_slope=0.3), False),
        (lambda: L.ReLU(threshold=0.4), False),
        (lambda: L.Activation("sigmoid"), False),
    ],
)
@pytest.mark.parametrize("between", [True, False])
def test_only_plain_relus_are_fused(layer, fused, between):
    model = chain(L.Conv2D(4, 2, name="body"), *([norm()] if between else []), layer())
    folded = fold(model)
    assert_same(model, folded)
    assert len(folded.layers) == (2 if fused else 3)


def test_dropout_is_gone_and_the_rest_stays():
    model = chain(
        L.Dropout(0.5), L.MaxPooling2D(2), L.ZeroPadding2D(((1, 0), (2, 0))), L.UpSampling2D((2, 3))
    )
    folded = fold(model)
    assert_same(model, folded)
    assert kinds(folded) == ["MaxPooling2D", "ZeroPadding2D", "UpSampling2D"]


@pytest.mark.parametrize("second", [lambda: L.ReLU(), lambda: norm()], ids=["relu", "norm"])
@pytest.mark.parametrize("join", [L.Add, L.Concatenate])
def test_what_others_use_too_is_not_changed(second, join):
    """A convolution whose output is used twice, once behind a ReLU or a normalization."""
    image = keras.Input(SHAPE, name="image")
    x = L.Conv2D(4, 2, name="body")(image)
    model = filled(keras.Model(image, join()([second()(x), x]), name="net"))
    folded = fold(model)
    assert_same(model, folded)
    assert folded.get_layer("body").activation is keras.activations.linear
    # Likewise behind a normalization that two use: it is folded, but no ReLU after it.
    image = keras.Input(SHAPE, name="image")
    x = norm()(L.Conv2D(4, 2, name="body")(image))
    model = filled(keras.Model(image, L.Add()([L.ReLU()(x), x]), name="net"))
    assert_same(model, fold(model))


def test_inputs_keep_their_order():
    image = keras.Input(SHAPE, name="image")
    a, b = L.Conv2D(2, 1, name="a")(image), L.Conv2D(3, 1, name="b")(image)
    model = filled(keras.Model(image, L.Concatenate()([b, a, image]), name="net"))
    folded = fold(model)
    assert_same(model, folded)
    assert (folded.name, folded.input_shape, folded.layers[0].name) == (
        "net", (None, *SHAPE), "image"
    )  # fmt: skip


def test_layer_that_another_network_uses_too_counts_once():
    image, other = keras.Input(SHAPE, name="image"), keras.Input(SHAPE)
    layer = L.Conv2D(4, 2, name="body")
    model = filled(keras.Model(image, layer(image), name="net"))
    layer(other)
    assert_same(model, fold(model))


def test_networks_that_cannot_be_walked_are_named():
    image = keras.Input(SHAPE)
    twice = L.Conv2D(3, 3, padding="same", name="twice")
    inner = keras.Model(image, L.Conv2D(2, 1)(image), name="inner")
    for model, name in (
        (keras.Model(image, twice(twice(image))), "twice"),
        (keras.Model(image, inner(image)), "inner"),
    ):
        with pytest.raises(InputError) as error:
            walk(model, lambda layer, sources: layer(sources[0]))
        message = f"{name}: layers used twice are not supported; build it flat"
        assert str(error.value) == message


@pytest.mark.parametrize("place", ["convolution", "layer"])
def test_activations_without_an_operator_are_named(place):
    model = chain(
        L.Conv2D(2, 1, activation="gelu", name="odd")
        if place == "convolution"
        else L.Activation("elu", name="odd")
    )
    with pytest.raises(InputError) as error:
        fold(model)
    function = "gelu" if place == "convolution" else "elu"
    assert str(error.value) == (
        f"odd: activation '{function}' has no int8 operator in TFLite Micro; use relu"
    )


BINARY = {
    "conv": lambda **a: ResidualBinaryConv2D(4, (2, 3), levels=2, name="body", **a),
    "depthwise": lambda **a: ResidualBinaryDepthwiseConv2D(
        (2, 3), depth_multiplier=2, depthwise_levels=2, name="body", **a
    ),
    "separable": lambda **a: ResidualBinarySeparableConv2D(
        4, (2, 3), depth_multiplier=2, depthwise_levels=2, pointwise_levels=4, name="body", **a
    ),
}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("kind", BINARY)
def test_binarized_convolutions_are_copied(kind, settings, per_channel):
    body = BINARY[kind](**settings, per_channel=per_channel)
    model = chain(body)
    body.fit_gammas()
    folded = fold(model)
    assert_same(model, folded)
    assert len(folded.layers) == 2 + (kind == "separable") + ("tanh" in settings.values())
    assert {layer.per_channel for layer in folded.layers[1:] if hasattr(layer, "per_channel")} == {
        per_channel
    }


@pytest.mark.parametrize("positive", [False, True])
def test_signs_see_what_was_raised_above_zero(positive):
    sign = ResidualSign(3, positive, name="sign")
    model = chain(L.Conv2D(4, 2, name="body", use_bias=False), norm(), L.ReLU())
    model = keras.Model(model.input, sign(model.get_layer("body").output), name="net")
    sign.set_weights([np.float32([0.9, -0.5, 0.2])])
    folded = fold(model)
    assert_same(model, folded)
    step, offset = SignGrid.of(sign)
    assert step == pytest.approx(1.1 * 1.4 / 63, rel=1e-6)
    assert offset == pytest.approx(63.75 * step)
    assert folded.get_layer("sign").offset == offset
    body = folded.get_layer("body")
    assert body.activation is keras.activations.relu
    np.testing.assert_allclose(body.bias, offset, rtol=1e-6)
    # The converter takes a bias of equal values for one value.
    assert body.bias.numpy()[0] > offset >= body.bias.numpy()[1]


def test_grid_of_one_level_is_as_wide_as_its_gamma():
    sign = ResidualSign(1)
    sign.build((None, 2))
    for gamma, step in ((-0.63, 0.01), (0.0, 1e-6 / 63)):
        sign.set_weights([np.float32([gamma])])
        assert SignGrid.of(sign).step == pytest.approx(step)


@pytest.mark.parametrize("through", [None, L.ReLU, L.MaxPooling2D])
def test_signs_need_a_convolution_of_their_own(through):
    image = keras.Input(SHAPE, name="image")
    x = L.Conv2D(4, 2, name="body")(image)
    y = ResidualSign(2, name="lonely")(through()(x) if through else x)
    model = keras.Model(image, y if through else L.Concatenate()([x, y]))
    with pytest.raises(InputError, match=r"^lonely: a residual sign must follow a convolution"):
        fold(model)


def test_weights_have_their_last_names():
    layer = BINARY["separable"]()
    layer.build((None, *SHAPE))
    found = weights_by_name(layer)
    assert set(found) == {
        "depthwise_kernel", "pointwise_kernel", "bias", "depthwise_gammas", "pointwise_gammas",
    }  # fmt: skip
    assert found["pointwise_kernel"].shape == (1, 1, 6, 4)
