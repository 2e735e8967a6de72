"""U-Net and lightweight U-Net of BLU-Net: graph, counts, arguments."""

import numpy as np
import pytest
import tf_keras as keras

from tests.zoo.contract import enliven, pictures, plan_for
from tinyseg.compression.folding import fold
from tinyseg.compression.quantization import convert_float
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.zoo import build
from tinyseg.zoo.blu_net import blu_net
from tinyseg.zoo.summary import count_macs
from tinyseg.zoo.unet import lw_unet, unet

# Layers with weights, from the input to the output, and their filters at full width.
WIDTHS = {
    **{f"encoder{n}_conv{i}": 32 * 2**n for n in range(1, 5) for i in (1, 2)},
    **{f"bottleneck_conv{i}": 1024 for i in (1, 2)},
    **{
        f"decoder{n}_{part}": 1024 // 2**n
        for n in range(1, 5)
        for part in ("upsample", "conv1", "conv2")
    },
    "mask": 1,
}
# Parameters of some at full width: kernel and bias.
PARTS = {
    "encoder1_conv1": (9 * 1 * 64 + 64, 9 * 1 * 64 + 64),
    "encoder2_conv1": (9 * 64 * 128 + 128, 9 * 64 + 64 * 128 + 128),
    "bottleneck_conv2": (9 * 1024 * 1024 + 1024, 9 * 1024 + 1024 * 1024 + 1024),
    "decoder1_upsample": (4 * 1024 * 512 + 512, 4 * 1024 + 1024 * 512 + 512),
    "decoder1_conv1": (9 * 1024 * 512 + 512, 9 * 1024 + 1024 * 512 + 512),
    "decoder4_conv2": (9 * 64 * 64 + 64, 9 * 64 + 64 * 64 + 64),
    "mask": (65, 65),
}


@pytest.fixture(scope="module", params=[unet, lw_unet])
def full(request):
    return request.param((32, 32, 1))


def test_parameters_and_filters_of_each_part(full):
    weighted = [layer for layer in full.layers if layer.weights]
    assert {layer.name: layer.filters for layer in weighted} == WIDTHS
    assert [layer.name for layer in weighted] == list(WIDTHS)
    for name, counts in PARTS.items():
        assert full.get_layer(name).count_params() == counts[full.name == "lw_unet"], name
    assert full.count_params() == {"unet": 31_030_593, "lw_unet": 3_933_633}[full.name]


def test_batch_normalizations_of_the_lightweight_net_fold_into_the_plain_one():
    arguments = {"base_width": 2, "depth": 2, "classes": 2}
    plain = lw_unet((16, 16, 1), **arguments)
    network = enliven(lw_unet((16, 16, 1), **arguments, normalized=True))
    norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    convolutions = [x for x in plain.layers if x.weights and x.name != "mask"]
    assert [norm.name for norm in norms] == [f"{x.name}_norm" for x in convolutions]
    folded = fold(network)
    assert folded.count_params() == plain.count_params()
    images = pictures(4, (16, 16, 1))
    np.testing.assert_allclose(folded(images), network(images), rtol=1e-4, atol=1e-5)


def test_first_stage_and_output_of_the_lightweight_net_stay_ordinary():
    ordinary = [
        layer.name
        for layer in lw_unet((16, 16, 1), base_width=2).layers
        if layer.weights and not isinstance(layer, keras.layers.SeparableConv2D)
    ]
    assert ordinary == ["encoder1_conv1", "encoder1_conv2", "mask"]


def test_layers_of_the_three_nets_correspond():
    teacher, student, binary = (
        builder((16, 16, 1), base_width=2, depth=2, dropout=0.1)
        for builder in (unet, lw_unet, blu_net)
    )
    shapes = {layer.name: layer.output_shape for layer in teacher.layers}
    assert {layer.name: layer.output_shape for layer in student.layers} == shapes
    signs = {
        layer.name: layer.output_shape for layer in binary.layers if layer.name.endswith("_sign")
    }
    assert signs == {f"{name}_sign": shapes[name] for name in shapes if f"{name}_sign" in signs}
    rest = {layer.name: layer.output_shape for layer in binary.layers if layer.name not in signs}
    assert rest == shapes


def test_graph_follows_the_seed():
    model = unet((16, 8, 3), base_width=2, depth=2, classes=2)
    assert model.output_shape == (None, 16, 8, 2)
    for stage, skip in (("decoder1", "encoder2"), ("decoder2", "encoder1")):
        # The skip connection, from before the pooling, comes first.
        first, second = model.get_layer(f"{stage}_concat").input
        assert first is model.get_layer(f"{skip}_conv2").output
        assert second is model.get_layer(f"{stage}_upsample").output
        assert model.get_layer(f"{stage}_upsample").kernel_size == (2, 2)
        assert model.get_layer(f"{stage}_resize").interpolation == "nearest"
    convolutions = [layer for layer in model.layers if layer.weights]
    assert [layer.activation.__name__ for layer in convolutions[:-1]] == ["relu"] * 12
    assert convolutions[-1].activation.__name__ == "sigmoid"
    assert {layer.padding for layer in convolutions[:-1]} == {"same"}


def test_macs_follow_the_formula_on_nets_small_enough_for_hand_arithmetic():
    full, half = 64, 16
    encoder = full * 9 * (1 * 1 + 1 * 1)
    bottleneck = half * 9 * (1 * 2 + 2 * 2)
    decoder = full * (4 * 2 * 1 + 9 * (2 * 1 + 1 * 1))
    assert count_macs(unet((8, 8, 1), 1, 1)) == encoder + bottleneck + decoder + full
    bottleneck = half * (9 * 1 + 1 * 2 + 9 * 2 + 2 * 2)
    decoder = full * (4 * 2 + 2 * 1 + 9 * 2 + 2 * 1 + 9 * 1 + 1 * 1)
    for builder in (lw_unet, blu_net):
        assert count_macs(builder((8, 8, 1), 1, 1)) == encoder + bottleneck + decoder + full


@pytest.mark.parametrize("name", ["unet", "lw_unet", "blu_net"])
def test_converted_file_has_one_upsampling_operator_and_constant_kernels(name):
    plan = plan_for(name, (16, 16, 1), base_width=2, depth=1)
    model = build(*plan.network)
    opcodes = TfliteModel.parse(convert_float(model, plan)).opcodes
    assert opcodes.count("RESIZE_NEAREST_NEIGHBOR") == 1
    # Kernels are binarized before conversion, activations are not.
    assert opcodes.count("GREATER_EQUAL") == (7 * 3 if name == "blu_net" else 0)


@pytest.mark.parametrize("builder", [unet, lw_unet, blu_net])
def test_dropout_takes_one_rate_or_one_a_stage(builder):
    def rates(**arguments):
        layers = builder((8, 8, 1), base_width=1, depth=1, **arguments).layers
        return {x.name: x.rate for x in layers if isinstance(x, keras.layers.Dropout)}

    assert rates() == {}
    stages = ("encoder1_dropout", "bottleneck_dropout", "decoder1_dropout")
    assert rates(dropout=0.2) == dict.fromkeys(stages, 0.2)
    assert rates(dropout=[0.1, 0.0, 0.3]) == {stages[0]: 0.1, stages[2]: 0.3}


@pytest.mark.parametrize("name", ["unet", "lw_unet", "blu_net"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth"),
        ({"depth": 1, "dropout": 1.0}, "dropout"),
        ({"depth": 1, "dropout": [0.1]}, "dropout takes one rate in .* or 3 of them"),
    ],
)
def test_bad_arguments_name_the_cure(name, arguments, message):
    with pytest.raises(InputError, match=f"^{name}: .*{message}"):
        build(name, arguments, (96, 64, 1))


def test_weights_have_the_scale_of_he_normal():
    keras.utils.set_random_seed(0)
    kernel = unet((16, 16, 1), base_width=16).get_layer("bottleneck_conv1").kernel.numpy()
    assert np.std(kernel) == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)
