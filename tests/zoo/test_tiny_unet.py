"""TinyU-Net's block against the paper's own, which splits channels by parity."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.zoo.contract import enliven
from tinyseg.errors import InputError
from tinyseg.zoo import build
from tinyseg.zoo.tiny_unet import cascaded_receptive_fields, tiny_unet


def block(channels, filters, receptive_fields, deployable=False):
    source = keras.Input((6, 8, channels))
    x = cascaded_receptive_fields(
        source, filters, receptive_fields, deployable=deployable, name="block"
    )
    return keras.Model(source, x)


def papers_block(model, x, receptive_fields):
    """One convolution, split by parity, its kernel's filters those of ours in turn."""

    def norm(x, name):
        return model.get_layer(f"{name}_norm")(x, training=False)

    odd, even = (model.get_layer(f"block_{part}") for part in ("odd", "even"))
    kernel = np.stack([odd.kernel.numpy(), even.kernel.numpy()], axis=-1)
    x = tf.nn.conv2d(x, kernel.reshape(*kernel.shape[:3], -1), 1, "SAME")
    odd, x = norm(x[..., ::2], "block_odd"), norm(x[..., 1::2], "block_even")
    odd, x = tf.nn.gelu(odd), tf.nn.gelu(x)
    fields = [odd + x]
    for step in range(1, receptive_fields):
        kernel = model.get_layer(f"block_field{step}").depthwise_kernel
        x = norm(tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "SAME"), f"block_field{step}")
        fields.append(x)
    x = tf.nn.conv2d(tf.concat(fields, -1), model.get_layer("block_mix").kernel, 1, "SAME")
    return tf.nn.gelu(norm(x, "block_mix"))


@pytest.mark.parametrize("receptive_fields", [1, 2, 4])
def test_block_computes_what_the_papers_does(receptive_fields):
    model = enliven(block(3, 16, receptive_fields))
    x = np.random.default_rng(0).random((2, 6, 8, 3), np.float32)
    np.testing.assert_allclose(model(x), papers_block(model, x, receptive_fields), atol=1e-5)


def test_block_adds_its_input_where_channels_are_equal():
    model = enliven(block(8, 8, 2))
    x = np.random.default_rng(0).random((2, 6, 8, 8), np.float32)
    np.testing.assert_allclose(model(x), papers_block(model, x, 2) + x, atol=1e-5)


def test_network_has_no_shortcut_and_no_bottleneck():
    names = [layer.name for layer in tiny_unet((16, 16, 3), base_width=16, depth=2).layers]
    assert not [name for name in names if "shortcut" in name or "bottleneck" in name]


def test_width_must_be_divisible():
    with pytest.raises(InputError, match="divisible by 16 at 8 receptive_fields; use 32"):
        build("tiny_unet", {"base_width": 20}, (256, 256, 3))
    with pytest.raises(InputError, match="receptive_fields must be at least 1"):
        build("tiny_unet", {"receptive_fields": 0}, (256, 256, 3))
