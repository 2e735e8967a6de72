"""The vision transformer's attention and arguments."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.zoo import build
from tinyseg.zoo.blocks.attention import DotProductAttention
from tinyseg.zoo.vit import vit


def test_attention_is_that_of_keras():
    rng = np.random.default_rng(0)
    query, key, value = rng.normal(size=(3, 2, 5, 12)).astype(np.float32)
    theirs = keras.layers.MultiHeadAttention(num_heads=3, key_dim=4, use_bias=False)
    theirs(query, value, key)
    identity = np.eye(12, dtype=np.float32)
    # Query, key, value and output projections that change nothing.
    theirs.set_weights([*[identity.reshape(12, 3, 4)] * 3, identity.reshape(3, 4, 12)])
    column = [x[:, :, None] for x in (query, key, value)]
    ours = DotProductAttention(3)(column)
    np.testing.assert_allclose(ours[:, :, 0], theirs(query, value, key), atol=1e-5)


def test_attention_drops_weights_only_in_training():
    layer = DotProductAttention(2, dropout=0.5)
    x = [np.random.default_rng(0).random((1, 9, 1, 4), np.float32)] * 3
    assert np.array_equal(layer(x), layer(x, training=False))
    assert not np.array_equal(layer(x), layer(x, training=True))


def test_label_follows_from_the_class_token_alone():
    model = vit((32, 32, 3), base_width=8, depth=1, heads=2, hidden_width=8)
    tokens = model.get_layer("class_token").output
    assert tokens.shape == (None, 1 + 4, 1, 8)
    assert model.get_layer("class_features").output.shape == (None, 1, 1, 8)
    first = model.get_layer("class_token")(tf.zeros((3, 4, 1, 8)))[:, 0, 0]
    layer = model.get_layer("class_token")
    expected = layer.token[0, 0, 0] + layer.positions[0, 0, 0]
    np.testing.assert_allclose(first, np.tile(expected, (3, 1)), rtol=1e-6)


def test_all_layers_share_a_normalization():
    model = vit((16, 16, 3), base_width=8, depth=3, heads=2, hidden_width=8)
    assert len(model.get_layer("norm").inbound_nodes) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": 6}, "base_width 512 must be divisible by 6 heads; use 516"),
        ({"heads": 0}, "heads must be at least 1"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"hidden_width": 0}, "hidden_width must be at least 1"),
        ({"patch_size": 0}, "patch_size must be at least 1"),
        ({"patch_size": 24}, "divisible by patch_size 24; use 144x144"),
        ({"dropout": 1.0}, "dropout takes a rate"),
    ],
)
def test_bad_arguments_name_the_cure(arguments, message):
    with pytest.raises(InputError, match=f"^vit: .*{message}"):
        build("vit", arguments, (128, 128, 3))
