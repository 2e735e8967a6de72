"""Binarized networks that start from trained ones compute nearly the same.

With many levels there is next to nothing left to approximate: then the outputs must agree.
"""

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tinyseg.compression.binarization import is_binarized, transfer_weights
from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryKernels,
)
from tinyseg.zoo.blu_net import blu_net
from tinyseg.zoo.unet import lw_unet, unet

SHAPE = (32, 32, 3)
IMAGES = fixtures.pictures(6)


def levels(count):
    kinds = ("conv_levels", "depthwise_levels", "pointwise_levels", "activation_levels")
    return dict.fromkeys(kinds, count)


def source(builder):
    """A network trained to find the bright patches of a picture."""
    keras.utils.set_random_seed(1)
    model = builder(SHAPE, base_width=4, depth=2)
    images = fixtures.pictures(48, seed=1)
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    model.fit(images, bright(images), batch_size=4, epochs=6, verbose=0)
    return model


def bright(images):
    return (images.mean(-1, keepdims=True) > 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def light():
    return source(lw_unet)


@pytest.fixture(scope="module")
def exact(light):
    """Twelve levels everywhere."""
    return started(light, positive=True, **levels(12))


def started(original, **arguments):
    model = blu_net(SHAPE, base_width=4, depth=2, **arguments)
    transfer_weights(original, model, IMAGES)
    return model


def agreement(one, other):
    """IoU of masks and correlation of probabilities."""
    a, b = (np.asarray(model(IMAGES)) for model in (one, other))
    iou = ((a > 0.5) & (b > 0.5)).sum() / ((a > 0.5) | (b > 0.5)).sum()
    return iou, np.corrcoef(a.ravel(), b.ravel())[0, 1]


def outputs(model, name):
    return np.asarray(keras.Model(model.input, model.get_layer(name).output)(IMAGES))


def signs_of(model):
    return [layer for layer in model.layers if isinstance(layer, ResidualSign)]


def test_source_has_learned_something(light):
    assert ((np.asarray(light(IMAGES)) > 0.5) == bright(IMAGES)).mean() > 0.85


def test_many_levels_keep_the_outputs(light, exact):
    iou, correlation = agreement(light, exact)
    assert iou > 0.9
    assert correlation > 0.99


def test_ordinary_convolutions_start_from_the_unet():
    original = source(unet)
    iou, correlation = agreement(
        original, started(original, positive=True, separable=False, **levels(12))
    )
    assert iou > 0.9
    assert correlation > 0.99


def test_own_gammas_for_each_channel_keep_the_outputs(light):
    assert agreement(light, started(light, positive=True, per_channel=True, **levels(12)))[0] > 0.9


def test_three_levels_start_far_better_than_copied_kernels(light):
    """BLU-Net copies the kernels and sets the gammas, no more."""
    copied = blu_net(SHAPE, base_width=4, depth=2, positive=True)
    for layer in copied.layers:
        if isinstance(layer, ResidualBinaryKernels):
            theirs = light.get_layer(layer.name).get_weights()
            layer.set_weights([*theirs, *layer.get_weights()[len(theirs) :]])
            layer.fit_gammas()
    wide = started(light, positive=True)
    assert agreement(light, wide)[1] > agreement(light, copied)[1] + 0.1


def test_maps_are_those_of_the_source_up_to_a_factor(light, exact):
    for sign in signs_of(exact):
        ours, theirs = outputs(exact, sign.name), outputs(light, sign.name.removesuffix("_sign"))
        half = (ours * theirs).sum() / (ours**2).sum()
        # Values lie 2 / 4095 of half the range apart; the range is chosen to cut off few.
        assert np.abs(half * ours - theirs).mean() < 0.15 * theirs.mean()
        assert ours.min() > -1e-6


def test_gammas_of_signs_are_powers_of_two(light):
    ladder = np.array([4, 2, 1]) / 7
    for sign in signs_of(started(light)):
        np.testing.assert_allclose(sign.gammas.numpy(), ladder, rtol=1e-6)
        values = np.unique(sign(np.linspace(-2, 2, 1001, dtype=np.float32)))
        np.testing.assert_allclose(values, np.linspace(-1, 1, 8), atol=1e-6)


def test_signed_network_differs_at_borders_only(light, exact):
    """Padding is half the range to it; one pixel deep after the first convolution of signs."""
    signed = started(light, **levels(12))
    first = "encoder1_conv1_sign"
    np.testing.assert_allclose(outputs(signed, first) + 1, outputs(exact, first), atol=1e-6)
    second = "encoder1_conv2_sign"
    difference = np.abs(outputs(signed, second) + 1 - outputs(exact, second))
    assert difference[:, 1:-1, 1:-1].mean() < 0.005
    assert difference[:, 0].mean() > 10 * difference[:, 1:-1, 1:-1].mean()


def test_kernels_are_scaled_copies(light, exact):
    for layer in exact.layers:
        # Concatenation brings together inputs of two ranges, each with a factor of its own.
        if isinstance(layer, ResidualBinaryKernels) and not layer.name.startswith("decoder"):
            theirs = light.get_layer(layer.name).get_weights()
            for ours, kernel in zip(layer.binarized_kernels().values(), theirs, strict=False):
                assert np.corrcoef(ours.ravel(), kernel.ravel())[0, 1] > 0.99


def test_source_stays_as_it_is(light):
    before = light.get_weights()
    started(light)
    for old, new in zip(before, light.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_dead_relu_and_dropout_do_no_harm(light):
    original = keras.models.clone_model(light)
    original.set_weights(light.get_weights())
    layer = original.get_layer("bottleneck_conv1")
    *kernels, bias = layer.get_weights()
    layer.set_weights([*kernels, bias - 1000])
    assert outputs(original, "bottleneck_conv1").max() == 0
    model = started(original, positive=True, dropout=0.3, **levels(12))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert agreement(original, model)[0] > 0.9


def test_is_binarized(light, exact):
    assert is_binarized(exact)
    assert not is_binarized(light)


@pytest.mark.parametrize(
    ("original", "target", "words"),
    [
        (
            lambda: lw_unet(SHAPE, 4, 1),
            lambda: blu_net(SHAPE, 4, 2),
            ["encoder2_conv1: lw_unet has no such layer", "lw_unet", "separable=false", "depth"],
        ),
        (
            lambda: lw_unet(SHAPE, 2, 2),
            lambda: blu_net(SHAPE, 4, 2),
            ["encoder1_conv1", "(3, 3, 3, 2)", "(3, 3, 3, 4)", "same base width"],
        ),
        (
            lambda: lw_unet((32, 32, 1), 4, 2),
            lambda: blu_net(SHAPE, 4, 2),
            ["encoder1_conv1", "(3, 3, 1, 4)", "channels"],
        ),
        (
            lambda: unet(SHAPE, 4, 2),
            lambda: blu_net(SHAPE, 4, 2),
            ["encoder2_conv1", "(3, 3, 4, 8)", "(3, 3, 4, 1)"],
        ),
        (
            lambda: lw_unet(SHAPE, 4, 2),
            lambda: lw_unet(SHAPE, 4, 2),
            ["lw_unet: has no binarized layers; choose blu_net"],
        ),
    ],
    ids=["depth", "width", "channels", "ordinary", "not binarized"],
)
def test_networks_that_do_not_match_are_named(original, target, words):
    model = target()
    before = model.get_weights()
    with pytest.raises(InputError) as error:
        transfer_weights(original(), model, IMAGES)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_unknown_layers_are_named(light):
    image = keras.Input(SHAPE)
    x = ResidualBinaryConv2D(4, 3, padding="same", name="encoder1_conv1")(image)
    x = keras.layers.AveragePooling2D(1, name="odd")(ResidualSign(3)(x))
    x = ResidualBinaryConv2D(4, 3, padding="same", name="encoder1_conv2")(x)
    target = keras.Model(image, x)
    with pytest.raises(InputError, match=r"^odd: binarize does not know AveragePooling2D;"):
        transfer_weights(light, target, IMAGES)
