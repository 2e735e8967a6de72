"""Residual binarization against a NumPy reference and derivatives taken by hand."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import (
    ResidualSign,
    initial_gammas,
    residual_binarize,
)
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinaryDepthwiseConv2D,
    ResidualBinarySeparableConv2D,
)


def reference(tensor, gammas):
    """The recursion as ReBNet writes it, with sign(0) = 1."""
    residual, result = tensor, np.zeros_like(tensor)
    for gamma in np.abs(gammas):
        term = gamma * np.where(residual >= 0, 1, -1).astype(tensor.dtype)
        result, residual = result + term, residual - term
    return result


@pytest.mark.parametrize("levels", [1, 2, 3, 5])
@pytest.mark.parametrize("trailing", [(), (4,), (3, 4)])
def test_values_equal_the_reference(levels, trailing):
    rng = np.random.default_rng(levels)
    tensor = rng.normal(size=(5, 2, 3, 4)).astype(np.float32)
    gammas = rng.normal(size=(levels, *trailing)).astype(np.float32)
    result = residual_binarize(tf.constant(tensor), tf.constant(gammas)).numpy()
    np.testing.assert_array_equal(result, reference(tensor, gammas))
    if not trailing:
        assert len(np.unique(result)) <= 2**levels


def test_zero_is_positive():
    result = residual_binarize(tf.constant([0.0, -0.0, 0.5]), tf.constant([0.5, 0.25]))
    np.testing.assert_array_equal(result, [0.25, 0.25, 0.75])


def test_initial_gammas_are_the_ladder():
    np.testing.assert_allclose(initial_gammas((3,)), [1 / 2, 1 / 3, 1 / 6], rtol=1e-6)
    np.testing.assert_allclose(initial_gammas((2, 4)), [[2 / 3] * 4, [1 / 3] * 4], rtol=1e-6)
    assert initial_gammas((1,)).numpy() == 1


# Gammas 0.6 and 0.3. A level passes the gradient on where its own residual is in [-1, 1].
@pytest.mark.parametrize(
    ("x", "of_x", "of_gammas"),
    [
        # Residuals 0.5 and -0.1: 0.6 + 0.3 * (1 - 0.6); first sign +, second -.
        (0.5, 0.72, (1 - 0.3, -1)),
        # Residuals 1 and 0.4: the bound itself passes.
        (1.0, 0.72, (1 - 0.3, 1)),
        # Residuals 1.2 and 0.6: only the second level passes.
        (1.2, 0.3, (1 - 0.3, 1)),
        # Residuals -1.3 and -0.7, likewise below zero.
        (-1.3, 0.3, (-(1 - 0.3), -1)),
        # Residuals 2 and 1.4: none passes.
        (2.0, 0.0, (1, 1)),
    ],
)
def test_gradients_taken_by_hand(x, of_x, of_gammas):
    tensor, gammas = tf.constant([x]), tf.constant([0.6, 0.3])
    with tf.GradientTape() as tape:
        tape.watch([tensor, gammas])
        result = residual_binarize(tensor, gammas)
    gradients = tape.gradient(result, [tensor, gammas])
    np.testing.assert_allclose(gradients[0], [of_x], atol=1e-6)
    np.testing.assert_allclose(gradients[1], of_gammas, atol=1e-6)


def surrogate(tensor, gammas, at_tensor, at_gammas):
    """The function whose true gradient the straight-through one is.

    Each sign becomes clip(r) plus a constant, what is missing to the sign at the given point.
    """
    residual, at, result = tensor, at_tensor, 0
    for gamma, at_gamma in zip(np.abs(gammas), np.abs(at_gammas), strict=True):
        sign = np.where(at >= 0, 1.0, -1.0)
        term = gamma * (np.clip(residual, -1, 1) + sign - np.clip(at, -1, 1))
        result, residual, at = result + term, residual - term, at - at_gamma * sign
    return result


@pytest.mark.parametrize("trailing", [(), (3,)])
def test_gradients_equal_finite_differences(trailing):
    rng = np.random.default_rng(7)
    tensor, weight = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    gammas = rng.choice([-1, 1], (3, *trailing)) * rng.uniform(0.1, 0.7, (3, *trailing))
    point = [tf.constant(tensor), tf.constant(gammas)]
    with tf.GradientTape() as tape:
        tape.watch(point)
        loss = tf.reduce_sum(weight * residual_binarize(*point))
    for index, gradient in enumerate(tape.gradient(loss, point)):
        for element in np.ndindex(*gradient.shape):
            losses = []
            for step in (1e-6, -1e-6):
                moved = [tensor.copy(), gammas.copy()]
                moved[index][element] += step
                losses.append(np.sum(weight * surrogate(*moved, tensor, gammas)))
            assert gradient.numpy()[element] == pytest.approx((losses[0] - losses[1]) / 2e-6)


def test_gamma_of_one_level_has_the_gradient_of_the_function_itself():
    tensor = tf.constant(np.random.default_rng(3).normal(size=50))
    gamma = tf.constant([0.4], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(gamma)
        loss = tf.reduce_sum(residual_binarize(tensor, gamma) ** 2 - tensor * gamma)
    above, below = (
        np.sum(reference(tensor.numpy(), np.array([g])) ** 2 - tensor * g) for g in (0.401, 0.399)
    )
    assert float(tape.gradient(loss, gamma)[0]) == pytest.approx((above - below) / 0.002)


def test_activation_layer():
    layer = ResidualSign(2, name="sign")
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    outputs = layer(inputs).numpy()
    np.testing.assert_array_equal(outputs, reference(inputs, layer.gammas.numpy()))
    assert [weight.shape for weight in layer.trainable_weights] == [(2,)]
    again = ResidualSign.from_config(layer.get_config())
    assert (again.levels, again.name) == (2, "sign")


def test_positive_activation_starts_at_zero():
    """The same bits; only what they stand for moves up."""
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    layer = ResidualSign(3, positive=True)
    outputs = layer(inputs).numpy()
    gammas = layer.gammas.numpy()
    np.testing.assert_allclose(outputs, reference(inputs, gammas) + gammas.sum(), atol=1e-6)
    assert outputs.min() == pytest.approx(0, abs=1e-6)
    assert outputs.max() == pytest.approx(2 * gammas.sum())
    # Of negative gammas too only the magnitude counts.
    layer.set_weights([-gammas])
    np.testing.assert_array_equal(layer(inputs), outputs)


@pytest.mark.parametrize("positive", [False, True])
def test_offset_is_taken_off_first(positive):
    inputs = np.random.default_rng(1).normal(size=(50,)).astype(np.float32)
    plain, moved = ResidualSign(2, positive), ResidualSign(2, positive, offset=0.75)
    np.testing.assert_array_equal(moved(inputs), plain(inputs - np.float32(0.75)))
    again = ResidualSign.from_config(moved.get_config())
    assert (again.positive, again.offset) == (positive, 0.75)


def test_gammas_of_positive_signs_have_the_gradient_of_their_sum_as_well():
    """Beside that of the signs, which is taken by hand above."""
    inputs, layer = tf.constant([0.5]), ResidualSign(2, positive=True)
    layer.build((1,))
    layer.set_weights([np.float32([0.6, 0.3])])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs))
    np.testing.assert_allclose(tape.gradient(loss, layer.gammas), [1 - 0.3 + 1, -1 + 1], atol=1e-6)


def test_training_moves_gammas_towards_the_magnitudes():
    keras.utils.set_random_seed(0)
    layer = ResidualSign(2)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    values = np.random.default_rng(1).choice([-0.9, -0.5, 0.5, 0.9], (256, 8)).astype(np.float32)
    history = model.fit(values, values, epochs=20, batch_size=64, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0] / 20
    np.testing.assert_allclose(np.abs(layer.gammas), [0.7, 0.2], atol=0.05)


@pytest.mark.parametrize("levels", [0, -1, 2.5, True, "3", None])
@pytest.mark.parametrize(
    ("layer", "arguments", "argument"),
    [
        (ResidualSign, (), "levels"),
        (ResidualBinaryConv2D, (4, 3), "levels"),
        (ResidualBinaryDepthwiseConv2D, (3,), "depthwise_levels"),
        (ResidualBinarySeparableConv2D, (4, 3), "depthwise_levels"),
        (ResidualBinarySeparableConv2D, (4, 3), "pointwise_levels"),
    ],
)
def test_bad_levels_name_the_layer_and_the_cure(layer, arguments, argument, levels):
    message = f"^decoder1_conv1: {argument} must be a whole number of at least 1, not {levels};"
    with pytest.raises(InputError, match=message) as error:
        layer(*arguments, **{argument: levels}, name="decoder1_conv1")
    assert "\n" not in str(error.value)
