"""Attention coefficients are those of the gates, and are stored after every epoch."""

import numpy as np
import pytest
import tf_keras as keras

from tests.zoo.contract import make, pictures
from tinyseg.errors import InputError
from tinyseg.training.attention_maps import (
    AttentionMaps,
    attention_maps,
    gate_layers,
    stored_maps,
)

SIZE = (32, 32, 1)
GATED = [
    ("attention_unet", {"base_width": 2, "depth": 2}),
    ("attention_unet", {"base_width": 2, "depth": 2, "gate": "oktay"}),
    ("attention_unet_ds", {"base_width": 2, "depth": 3}),
    ("brain_attention_unet", {"base_width": 2, "depth": 2}),
]


@pytest.mark.parametrize(("name", "arguments"), GATED, ids=["seed", "oktay", "separable", "brain"])
def test_coefficients_are_what_skips_are_multiplied_by(name, arguments):
    model = make(name, SIZE, **arguments)
    images = pictures(2, SIZE)
    maps = attention_maps(model, images)
    # Oktay's network has none on the finest skip.
    assert len(maps) == arguments["depth"] - ("gate" in arguments)
    sizes = [gate.shape[1] for gate in maps.values()]
    assert sizes == sorted(sizes)
    for layer, (gate, coefficients) in zip(gate_layers(model), maps.items(), strict=True):
        assert layer.startswith(gate)
        assert coefficients.dtype == np.uint8
        values = keras.Model(model.input, model.get_layer(layer).output)(images).numpy()
        assert values.min() >= 0
        assert values.max() <= 1
        np.testing.assert_allclose(coefficients / 255, values[..., 0], atol=0.5 / 255 + 1e-6)


def test_a_file_an_epoch(tmp_path):
    model = make("attention_unet", SIZE, base_width=2, depth=2)
    images = pictures(1, SIZE)
    callback = AttentionMaps(model, images, tmp_path)
    for epoch in (0, 1, 9):
        callback.on_epoch_end(epoch)
    stored = stored_maps(tmp_path)
    assert [epoch for epoch, _ in stored] == [1, 2, 10]
    for name, expected in attention_maps(model, images).items():
        np.testing.assert_array_equal(stored[-1][1][name], expected)


@pytest.mark.parametrize("kept", [0, 100, -40])
def test_damaged_file(tmp_path, kept):
    whole = tmp_path / "whole"
    model = make("attention_unet", SIZE, base_width=2, depth=2)
    AttentionMaps(model, pictures(1, SIZE), whole).on_epoch_end(0)
    content = (whole / "epoch_0001.npz").read_bytes()
    (tmp_path / "epoch_0001.npz").write_bytes(content[:kept])
    with pytest.raises(InputError, match=r"epoch_0001\.npz: is damaged.*remove it"):
        stored_maps(tmp_path)


def test_coefficients_follow_the_weights(tmp_path):
    model = make("attention_unet", SIZE, base_width=2, depth=2)
    images = pictures(1, SIZE)
    callback = AttentionMaps(model, images, tmp_path)
    callback.on_epoch_end(0)
    model.set_weights([2 * weight + 0.1 for weight in model.get_weights()])
    callback.on_epoch_end(1)
    (_, before), (_, after) = stored_maps(tmp_path)
    for name, expected in attention_maps(model, images).items():
        np.testing.assert_array_equal(after[name], expected)
        assert (before[name] != after[name]).any()


def test_network_without_gates(tmp_path):
    model = make("unet", SIZE, base_width=2, depth=2)
    assert gate_layers(model) == []
    with pytest.raises(InputError, match="unet: has no attention gates"):
        attention_maps(model, pictures(1, SIZE))
    with pytest.raises(InputError, match=r"leave training\.attention_maps out"):
        AttentionMaps(model, pictures(1, SIZE), tmp_path)
