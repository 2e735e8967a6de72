"""BLU-Net: bits, sizes, correspondence with the lightweight U-Net."""

import numpy as np
import pytest
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.zoo import build
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryKernels,
)
from tinyseg.zoo.blu_net import blu_net
from tinyseg.zoo.size import formula_size
from tinyseg.zoo.unet import lw_unet, unet

LEVELS = ("conv_levels", "depthwise_levels", "pointwise_levels", "activation_levels")


def levels(*values):
    return dict(zip(LEVELS, values, strict=True))


def tiny(**arguments):
    return blu_net((8, 8, 1), base_width=2, depth=1, **arguments)


@pytest.mark.parametrize(
    ("builder", "arguments", "bits", "floats", "mebibytes"),
    [
        (unet, {}, 0, 31_030_593, 118.37232),
        (lw_unet, {}, 0, 3_933_633, 15.00562),
        (blu_net, {}, 11_780_352, 7_044, 1.43120),
        (blu_net, levels(2, 2, 2, 2), 7_853_568, 6_979, 0.96284),
        (blu_net, levels(1, 1, 1, 1), 3_926_784, 6_914, 0.49448),
    ],
)
def test_formula_sizes_equal_the_published_ones(builder, arguments, bits, floats, mebibytes):
    size = formula_size(builder((32, 32, 1), **arguments))
    assert (size.binary_bits, size.float_parameters) == (bits, floats)
    assert round(size.mebibytes, 5) == mebibytes


def test_each_kernel_counts_at_its_own_levels():
    size = formula_size(blu_net((2, 2, 1), 1, 1, **levels(1, 2, 5, 4)))
    conv = 9 + 9 + 1
    # Bottleneck, 2x2 upsampling, two convolutions of the decoder.
    depthwise = 9 * 1 + 9 * 2 + 4 * 2 + 9 * 2 + 9 * 1
    pointwise = 1 * 2 + 2 * 2 + 2 * 1 + 2 * 1 + 1 * 1
    assert size.binary_bits == 1 * conv + 2 * depthwise + 5 * pointwise
    biases, gammas = 1 + 1 + 2 + 2 + 1 + 1 + 1 + 1, 3 * 1 + 5 * (2 + 5) + 7 * 4
    assert size.float_parameters == biases + gammas
    assert size.mebibytes == (size.binary_bits + 32 * size.float_parameters) / 8 / 1024**2


def test_gammas_by_channel_are_counted():
    whole, by_channel = (formula_size(tiny(per_channel=flag)) for flag in (False, True))
    assert by_channel.binary_bits == whole.binary_bits
    # Each of 8 convolutions: 3 gammas a filter of the last kernel, 3 a filter of the depthwise.
    filters = 2 + 2 + (2 + 4) + (4 + 4) + (4 + 2) + (4 + 2) + (2 + 2) + 1
    assert by_channel.float_parameters - whole.float_parameters == 3 * (filters - 13)


def test_levels_reach_their_layers():
    model = tiny(**levels(1, 2, 4, 5))
    for layer in model.layers:
        if isinstance(layer, ResidualSign):
            assert layer.levels == 5
        elif isinstance(layer, ResidualBinaryConv2D):
            assert layer.kernel_levels == {"kernel": 1}
        elif isinstance(layer, ResidualBinaryKernels):
            assert layer.kernel_levels == {"depthwise_kernel": 2, "pointwise_kernel": 4}
        else:
            assert not layer.weights
    assert sum(isinstance(layer, ResidualSign) for layer in blu_net((16, 16, 1), 1).layers) == 22


def test_weights_of_the_lightweight_net_fit_in_front_of_the_gammas():
    light, binary = lw_unet((8, 8, 1), base_width=2, depth=1), tiny()
    for layer in light.layers:
        ours, theirs = binary.get_layer(layer.name).get_weights(), layer.get_weights()
        assert [w.shape for w in ours][: len(theirs)] == [w.shape for w in theirs]
        binary.get_layer(layer.name).set_weights([*theirs, *ours[len(theirs) :]])
    np.testing.assert_array_equal(
        binary.get_layer("mask").kernel.numpy(), light.get_layer("mask").kernel.numpy()
    )


def test_activations_have_few_values():
    model = tiny(**levels(3, 3, 3, 2))
    layer = model.get_layer("decoder1_concat")
    maps = keras.Model(model.input, layer.output)(np.random.default_rng(0).random((1, 8, 8, 1)))
    assert len(np.unique(maps)) <= 4


def test_ordinary_convolutions_make_it_the_counterpart_of_the_unet():
    ordinary, full = tiny(separable=False), unet((8, 8, 1), base_width=2, depth=1)
    kernels = [layer for layer in ordinary.layers if isinstance(layer, ResidualBinaryKernels)]
    assert all(type(layer) is ResidualBinaryConv2D for layer in kernels)
    assert [k.name for k in kernels] == [layer.name for layer in full.layers if layer.weights]
    for layer in kernels:
        theirs = full.get_layer(layer.name).get_weights()
        assert [w.shape for w in layer.get_weights()[:2]] == [w.shape for w in theirs]
    size, weights = formula_size(ordinary), full.count_params()
    biases = sum(layer.bias.shape[0] for layer in kernels)
    # 8 convolutions and 7 signs, with three gammas each.
    assert size.float_parameters == biases + 3 * (8 + 7)
    assert size.binary_bits == 3 * (weights - biases)


def test_levels_of_ordinary_convolutions_are_those_of_the_first_stage():
    model = tiny(separable=False, **levels(2, 5, 5, 1))
    kinds = [layer.kernel_levels for layer in model.layers if hasattr(layer, "kernel_levels")]
    assert kinds == [{"kernel": 2}] * 8


@pytest.mark.parametrize("positive", [False, True])
def test_positive_reaches_the_signs(positive):
    model = tiny(positive=positive)
    signs = [layer for layer in model.layers if isinstance(layer, ResidualSign)]
    assert {sign.positive for sign in signs} == {positive}
    maps = keras.Model(model.input, model.get_layer("decoder1_concat").output)
    lowest = maps(np.random.default_rng(0).normal(size=(2, 8, 8, 1))).numpy().min()
    assert lowest == pytest.approx(0 if positive else -1, abs=1e-6)


def test_a_few_steps_of_training_reduce_the_loss():
    keras.utils.set_random_seed(2)
    model = blu_net((16, 16, 1), base_width=4, depth=1)
    images = np.random.default_rng(1).random((8, 4, 4, 1)).repeat(4, axis=1).repeat(4, axis=2)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    targets = (images > 0.5).astype(np.float32)
    losses = model.fit(images, targets, epochs=20, batch_size=4, verbose=0).history["loss"]
    assert np.mean(losses[-3:]) < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("argument", "layer"),
    [
        ("conv_levels", "encoder1_conv1: levels"),
        ("depthwise_levels", "bottleneck_conv1: depthwise_levels"),
        ("pointwise_levels", "bottleneck_conv1: pointwise_levels"),
        ("activation_levels", "encoder1_conv1_sign: levels"),
    ],
)
def test_too_few_levels_name_the_layer(argument, layer):
    arguments = {"base_width": 2, "depth": 1, argument: 0}
    with pytest.raises(InputError, match=f"^{layer} must be a whole number of at least 1"):
        build("blu_net", arguments, (8, 8, 1))
