"""The attention U-Nets against the published counts of edgeml-project."""

import numpy as np
import pytest
import tf_keras as keras

from tests.zoo.contract import check_files
from tinyseg.errors import InputError
from tinyseg.zoo import build
from tinyseg.zoo.attention_unet import attention_unet
from tinyseg.zoo.blocks import oktay_gate
from tinyseg.zoo.summary import count_macs

# Parameters by part of the depthwise separable net, as read from the seed's file.
PARTS_DS = {
    "encoder1": 155 + 1_344,
    "bottleneck": 133_888 + 267_264,
    "attention1": 135_936 + 68_096 + 513 + 1_024,
    "attention4": 2_656 + 1_344 + 65 + 128,
    "decoder1_upsample": 1_179_904,
    "decoder4": 18_464 + 2_656 + 1_344,
    "mask": 33,
}


def test_parameters_of_each_part():
    model = attention_unet(separable=True)
    for prefix, expected in PARTS_DS.items():
        layers = [layer for layer in model.layers if layer.name.startswith(prefix)]
        assert sum(layer.count_params() for layer in layers) == expected, prefix


def test_macs_follow_the_formula_on_a_net_small_enough_for_hand_arithmetic():
    model = attention_unet((8, 8, 1), base_width=1, depth=1, dropout=0.0)
    full, half = 64, 16
    encoder = full * 9 * (1 * 1 + 1 * 1)
    bottleneck = half * 9 * (1 * 2 + 2 * 2)
    gate = half * (9 * 2 * 1 + 9 * 1 * 1 + 1)
    upsample = half * 9 * 2 * 1
    decoder = full * 9 * (2 * 1 + 1 * 1)
    assert count_macs(model) == encoder + bottleneck + gate + upsample + decoder + full


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 6}, "use 256x128"),
        ({"dropout": 1.5}, "dropout"),
        ({"dropout": [0.1]}, "dropout"),
        ({"depth": 1, "dropout": [0.1, 1.0, 0.3]}, "dropout"),
        ({"gate": "none"}, "gate is edgeml or oktay, not none"),
    ],
)
def test_bad_arguments_name_the_cure(arguments, message):
    with pytest.raises(InputError, match=message):
        build("attention_unet", arguments, (224, 96, 3))


def test_dropout_by_stage():
    model = attention_unet((8, 8, 3), base_width=3, depth=1, dropout=[0.1, 0.2, 0.3])
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.1, 0.2, 0.3]


def test_gate_of_oktay_follows_the_formula():
    """Weights psi(relu(Wx x + Wg g + b)) with everything at one pixel of the coarse grid."""
    rng = np.random.default_rng(0)
    gating, skip = keras.Input((2, 2, 5)), keras.Input((4, 4, 3))
    model = keras.Model([gating, skip], oktay_gate(gating, skip, name="gate"))
    g, x = rng.normal(size=(1, 2, 2, 5)), rng.normal(size=(1, 4, 4, 3))
    wg, bg = model.get_layer("gate_gating").get_weights()
    (wx,) = model.get_layer("gate_skip").get_weights()
    psi, b_psi = model.get_layer("gate_psi").get_weights()
    assert wg.shape == (1, 1, 5, 3)
    assert wx.shape == (1, 1, 3, 3)
    assert b_psi == [3]
    hidden = np.maximum(x[:, ::2, ::2] @ wx[0, 0] + g @ wg[0, 0] + bg, 0)
    alpha = 1 / (1 + np.exp(-(hidden @ psi[0, 0] + b_psi)))
    # Bilinear, half-pixel: 3/4 of the near pixel, 1/4 of the far one, the border repeated.
    mix = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    alpha = np.einsum("ih,jw,nhwc->nijc", mix, mix, alpha)
    np.testing.assert_allclose(model([g, x]), alpha * x, rtol=1e-4, atol=1e-5)


def test_gates_of_oktay_leave_the_finest_skip_alone():
    model = attention_unet((16, 16, 1), base_width=2, depth=3, gate="oktay")
    gated = {layer.name.split("_")[0] for layer in model.layers if "attention" in layer.name}
    assert gated == {"attention1", "attention2"}
    finest = model.get_layer("decoder3_concat").input[1]
    assert finest is model.get_layer("encoder1_conv2").output


def test_deep_supervision_joins_the_maps_of_all_stages():
    plain = attention_unet((16, 16, 1), base_width=2, depth=3, classes=2)
    model = attention_unet((16, 16, 1), base_width=2, depth=3, classes=2, deep_supervision=True)
    sides = model.get_layer("supervision_concat").input
    assert [side.shape for side in sides] == [(None, 16, 16, 2)] * 3
    # 1x1 convolutions of 8, 4, 2 features to two classes; six class maps instead of 2 features.
    extra = (8 + 1) * 2 + (4 + 1) * 2 + (2 + 1) * 2 + (6 - 2) * 2
    assert model.count_params() == plain.count_params() + extra


def test_oktays_form_runs_on_tflm():
    arguments = {"base_width": 4, "depth": 2, "gate": "oktay", "deep_supervision": True}
    check_files("attention_unet", (32, 16, 3), arguments)
