"""Convolutions with binarized kernels against loops in NumPy and against Keras."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.zoo.test_residual_binarization import reference
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
    ResidualBinarySeparableConv2D,
)


def convolve(inputs, kernel, strides=1, depthwise=False):
    """A SAME convolution of ``(height, width, channels)``, pixel by pixel, padded with zeros."""
    rows, columns = kernel.shape[:2]
    height, width = (-(-side // strides) for side in inputs.shape[:2])
    padding = []
    for side, out, size in zip(inputs.shape, (height, width), (rows, columns), strict=False):
        total = max((out - 1) * strides + size - side, 0)
        padding.append((total // 2, total - total // 2))
    padded = np.pad(inputs, [*padding, (0, 0)])
    formula = "hwi,hwim->im" if depthwise else "hwi,hwio->o"
    return np.array(
        [
            [
                np.einsum(
                    formula,
                    padded[y * strides : y * strides + rows, x * strides : x * strides + columns],
                    kernel,
                ).ravel()
                for x in range(width)
            ]
            for y in range(height)
        ]
    )


def prepare(layer, inputs):
    """Build a layer and give it uneven gammas, some negative, and biases."""
    layer.build(inputs.shape)
    rng = np.random.default_rng(5)
    for weight in layer.weights:
        if "gammas" in weight.name:
            weight.assign(weight * rng.uniform(0.5, 1.5, weight.shape) * rng.choice([-1, 1]))
        elif "bias" in weight.name:
            weight.assign(rng.normal(size=weight.shape))
    return layer


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(2).normal(size=(2, 6, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("size", "strides", "levels"), [(3, 1, 3), (2, 1, 2), (3, 2, 1)])
def test_conv(inputs, size, strides, levels, per_channel):
    layer = ResidualBinaryConv2D(
        4, size, strides=strides, padding="same", levels=levels, per_channel=per_channel
    )
    prepare(layer, inputs)
    kernel = reference(layer.kernel.numpy(), layer.gammas.numpy())
    assert layer.gammas.shape == ((levels, 4) if per_channel else (levels,))
    np.testing.assert_array_equal(layer.binarized_kernels()["kernel"], kernel)
    for channel in range(4) if per_channel else [slice(None)]:
        assert len(np.unique(kernel[..., channel])) <= 2**levels
    expected = [convolve(image, kernel, strides) + layer.bias.numpy() for image in inputs]
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("per_channel", [False, True])
def test_depthwise_conv(inputs, per_channel):
    layer = ResidualBinaryDepthwiseConv2D(
        3,
        strides=2,
        padding="same",
        depth_multiplier=2,
        activation="relu",
        depthwise_levels=2,
        per_channel=per_channel,
    )
    prepare(layer, inputs)
    assert layer.depthwise_gammas.shape == ((2, 3, 2) if per_channel else (2,))
    kernel = reference(layer.depthwise_kernel.numpy(), layer.depthwise_gammas.numpy())
    np.testing.assert_array_equal(layer.binarized_kernels()["depthwise_kernel"], kernel)
    sums = [convolve(image, kernel, 2, depthwise=True) + layer.bias.numpy() for image in inputs]
    np.testing.assert_allclose(layer(inputs), np.maximum(sums, 0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("per_channel", [False, True])
def test_separable_conv(inputs, per_channel):
    layer = ResidualBinarySeparableConv2D(
        5, 3, padding="same", depthwise_levels=1, pointwise_levels=3, per_channel=per_channel
    )
    prepare(layer, inputs)
    assert layer.depthwise_gammas.shape == ((1, 3, 1) if per_channel else (1,))
    assert layer.pointwise_gammas.shape == ((3, 5) if per_channel else (3,))
    kernels = layer.binarized_kernels()
    for name, gammas in (
        ("depthwise_kernel", layer.depthwise_gammas),
        ("pointwise_kernel", layer.pointwise_gammas),
    ):
        np.testing.assert_array_equal(
            kernels[name], reference(getattr(layer, name).numpy(), gammas.numpy())
        )
    between = [convolve(i, kernels["depthwise_kernel"], depthwise=True) for i in inputs]
    expected = [convolve(i, kernels["pointwise_kernel"]) + layer.bias.numpy() for i in between]
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5, atol=1e-5)


LAYERS = [
    (ResidualBinaryConv2D, keras.layers.Conv2D, (4, 3), {"levels": 2}),
    (
        ResidualBinaryDepthwiseConv2D,
        keras.layers.DepthwiseConv2D,
        (3,),
        {"depthwise_levels": 2},
    ),
    (
        ResidualBinarySeparableConv2D,
        keras.layers.SeparableConv2D,
        (4, 3),
        {"depthwise_levels": 2, "pointwise_levels": 1},
    ),
]


@pytest.mark.parametrize(("kind", "plain", "arguments", "levels"), LAYERS)
def test_weights_begin_as_those_of_the_plain_layer(inputs, kind, plain, arguments, levels):
    layer, float_layer = kind(*arguments, **levels), plain(*arguments)
    layer.build(inputs.shape)
    float_layer.build(inputs.shape)
    shapes = [weight.shape for weight in float_layer.weights]
    assert [weight.shape for weight in layer.weights][: len(shapes)] == shapes
    assert all("gammas" in weight.name for weight in layer.weights[len(shapes) :])
    # With the binarized kernels a plain layer gives the same.
    float_layer.set_weights([*layer.binarized_kernels().values(), layer.bias.numpy()])
    np.testing.assert_allclose(layer(inputs), float_layer(inputs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("kind", "plain", "arguments", "levels"), LAYERS)
def test_configuration_is_complete(kind, plain, arguments, levels):
    settings = {"strides": 2, "padding": "same", "use_bias": False, "per_channel": True}
    layer = kind(*arguments, **levels, **settings, activation="relu", name="layer")
    config = layer.get_config()
    expected = {**plain(*arguments).get_config(), **settings, **levels}
    assert set(config) == set(expected)
    again = kind.from_config(config)
    assert again.get_config() == config
    assert again.kernel_levels == layer.kernel_levels


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("kind", "plain", "arguments", "levels"), LAYERS)
def test_fitted_gammas_come_near_the_kernel(inputs, kind, plain, arguments, levels, per_channel):
    layer = kind(*arguments, **levels, per_channel=per_channel)
    layer.build(inputs.shape)
    latent = {name: getattr(layer, name).numpy() for name in layer.kernel_levels}
    before = layer.binarized_kernels()
    layer.fit_gammas()
    for name, kernel in layer.binarized_kernels().items():
        error, old_error = (np.sum((k - latent[name]) ** 2) for k in (kernel, before[name]))
        assert error < old_error / 2
        np.testing.assert_array_equal(getattr(layer, name), latent[name])
        # No worse than level by level, which is the mean magnitude of what remains.
        axes = (0, 1, 2, 3) if not per_channel else (0, 1) if "depthwise" in name else (0, 1, 2)
        residual = latent[name]
        for _ in range(layer.kernel_levels[name]):
            gamma = np.abs(residual).mean(axes)
            residual = residual - gamma * np.where(residual >= 0, 1, -1)
        assert error <= np.sum(residual**2) * (1 + 1e-5)


def test_one_gamma_is_the_mean_magnitude():
    layer = ResidualBinaryConv2D(3, 2, levels=1, per_channel=True)
    layer.build((1, 4, 4, 5))
    layer.fit_gammas()
    np.testing.assert_allclose(layer.gammas[0], np.abs(layer.kernel).mean((0, 1, 2)), rtol=1e-5)


def test_kernels_of_few_values_are_fitted_exactly():
    layer = ResidualBinaryConv2D(2, 2, levels=2, per_channel=True)
    layer.build((1, 4, 4, 1))
    # 0.5 +- 0.2 in the one channel, 3 +- 1 in the other.
    kernel = np.array([[[0.7, 4], [-0.3, -2]], [[-0.7, 2], [0.3, -4]]]).reshape(2, 2, 1, 2)
    layer.set_weights([kernel, np.zeros(2), np.ones((2, 2))])
    layer.fit_gammas()
    np.testing.assert_allclose(layer.gammas, [[0.5, 3], [0.2, 1]], rtol=1e-6)
    np.testing.assert_allclose(layer.binarized_kernels()["kernel"], kernel, rtol=1e-6)


def test_latent_kernels_get_straight_through_gradients():
    layer = ResidualBinaryConv2D(1, 1, levels=1, use_bias=False)
    layer.build((1, 1, 1, 3))
    layer.set_weights([np.reshape([0.5, -1.5, -0.0], (1, 1, 3, 1)), np.array([0.25])])
    inputs = tf.reshape([2.0, 3.0, 5.0], (1, 1, 1, 3))
    with tf.GradientTape() as tape:
        output = layer(inputs)
    assert float(tf.squeeze(output)) == 0.25 * (2 - 3 + 5)
    of_kernel, of_gamma = tape.gradient(output, layer.trainable_weights)
    # The second is outside [-1, 1].
    np.testing.assert_allclose(tf.reshape(of_kernel, -1), [0.25 * 2, 0, 0.25 * 5])
    np.testing.assert_allclose(of_gamma, [2 - 3 + 5])


def small_net(per_channel=False):
    shared = {"padding": "same", "per_channel": per_channel}
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            ResidualBinaryConv2D(4, 3, **shared),
            ResidualSign(),
            ResidualBinaryDepthwiseConv2D(3, **shared),
            ResidualSign(2),
            ResidualBinarySeparableConv2D(4, 3, pointwise_levels=2, **shared),
            ResidualSign(1),
            keras.layers.Conv2D(1, 1),
        ]
    )


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_stored_model_loads_without_custom_objects(suffix, inputs, tmp_path):
    model = small_net(per_channel=True)
    for weight in model.weights:
        weight.assign_add(0.01 * tf.random.stateless_normal(weight.shape, [1, 2]))
    model.save(tmp_path / f"model{suffix}")
    again = keras.models.load_model(tmp_path / f"model{suffix}")
    image = np.random.default_rng(1).normal(size=(1, 8, 8, 2)).astype(np.float32)
    np.testing.assert_array_equal(model(image), again(image))


def test_a_few_steps_of_training_reduce_the_loss():
    keras.utils.set_random_seed(1)
    model = small_net()
    images = np.random.default_rng(3).normal(size=(16, 8, 8, 2)).astype(np.float32)
    targets = np.abs(images).sum(-1, keepdims=True)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    before = model.get_weights()
    losses = model.fit(images, targets, epochs=15, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))


def test_half_precision_computation_keeps_float32_weights(inputs):
    layer = ResidualBinarySeparableConv2D(4, 3, dtype="mixed_float16")
    assert layer(tf.cast(inputs, tf.float16)).dtype == tf.float16
    assert {weight.dtype for weight in layer.weights} == {tf.float32}
    assert layer.binarized_kernels()["pointwise_kernel"].dtype == np.float32
