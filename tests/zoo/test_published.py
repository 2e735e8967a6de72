"""Parameters and multiply-accumulates that authors publish beyond those in ``rows.py``."""

import math

import pytest
import tf_keras as keras

from tinyseg.zoo import builder
from tinyseg.zoo.summary import count_macs

BRAIN = ("classic_unet", "improved_unet", "brain_attention_unet")
# Trainable parameters by base width, three classes, four input channels.
BRAIN_PARAMETERS = {
    8: (344_227, 214_043, 225_287),
    16: (1_375_043, 799_075, 843_319),
    32: (5_496_451, 3_082_739, 3_258_263),
    64: (21_978_371, 12_104_467, 12_803_671),
}
# Thousands of millions at 240 x 240, as the tool thop counts.
BRAIN_THOP = {16: (2.311, 1.772, 1.802), 32: (9.134, 6.421, 6.541)}
# Trainable parameters of parts at base width 16.
BRAIN_PARTS = {
    "classic_unet": {
        "encoder1": 2_912,
        "encoder2": 13_888,
        "encoder3": 55_424,
        "encoder4": 221_440,
        "bottleneck": 590_208,
        "decoder1": 368_832,
        "decoder2": 92_256,
        "decoder3": 23_088,
        "decoder4": 6_944,
        "mask": 51,
    },
    "improved_unet": {
        "encoder1": 4_528,
        "encoder2": 17_152,
        "encoder3": 62_976,
        "encoder4": 240_640,
        "bottleneck": 276_736,
        "decoder1": 141_952,
        "decoder2": 38_208,
        "decoder3": 10_912,
        "decoder4": 5_920,
        "mask": 51,
    },
    "brain_attention_unet": {
        "attention1": 33_153,
        "attention2": 8_385,
        "attention3": 2_145,
        "attention4": 561,
    },
}
TINY_PARAMETERS = {1: 481_105, 2: 481_170, 4: 481_300}
# By N, at two classes.
TINY_ABLATION = {1: 1_310_530, 2: 836_610, 4: 599_650, 8: 481_170, 16: 421_930}
TINY_PARTS = {
    "encoder1": 2_524,
    "encoder2": 10_120,
    "encoder3": 38_672,
    "encoder4": 151_072,
    "decoder1": 200_224,
    "decoder2": 59_152,
    "decoder3": 15_240,
    "decoder4": 4_036,
    "mask": 130,
}


def make(name, **arguments):
    """The published form at the published input."""
    return builder(name)(deployable=False, **arguments)


def trainable(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def parts(model):
    """Trainable parameters by the part of the network that a layer's name begins with."""
    sums = {}
    for layer in model.layers:
        size = sum(math.prod(weight.shape) for weight in layer.trainable_weights)
        part = layer.name.split("_")[0]
        sums[part] = sums.get(part, 0) + size
    return {part: size for part, size in sums.items() if size}


def thop(model):
    """Count as thop does: also 4 a value of batch normalization, 11 of bilinear upsampling.

    It does not see the bicubic upsampling of TinyU-Net.
    """
    kinds = {"BatchNormalization": 4, "AlignCornersUpsampling2D": 11}
    more = sum(
        kinds.get(type(layer).__name__, 0) * math.prod(layer.output_shape[1:])
        for layer in model.layers
    )
    return count_macs(model) + more


@pytest.mark.parametrize(
    "base_width",
    [16, 32, pytest.param(8, marks=pytest.mark.slow), pytest.param(64, marks=pytest.mark.slow)],
)
def test_parameters_and_macs_of_the_brain_networks(base_width):
    models = [make(name, base_width=base_width, classes=3) for name in BRAIN]
    assert tuple(map(trainable, models)) == BRAIN_PARAMETERS[base_width]
    if base_width in BRAIN_THOP:
        assert tuple(round(thop(model) / 1e9, 3) for model in models) == BRAIN_THOP[base_width]
    if base_width == 16:
        for model in models:
            counted = parts(model)
            assert {part: counted[part] for part in BRAIN_PARTS[model.name]} == (
                BRAIN_PARTS[model.name]
            )


def test_parameters_and_macs_of_tiny_unet():
    model = make("tiny_unet", classes=2)
    assert parts(model) == TINY_PARTS
    assert round(count_macs(model) / 1e9, 4) == 1.5651
    assert round(thop(model) / 1e9, 4) == 1.6634


@pytest.mark.slow
def test_parameters_and_macs_of_tiny_unet_by_classes():
    models = {classes: make("tiny_unet", classes=classes) for classes in TINY_PARAMETERS}
    assert {classes: trainable(model) for classes, model in models.items()} == TINY_PARAMETERS
    assert round(thop(models[4]) / 1e9, 4) == 1.6718


@pytest.mark.slow
@pytest.mark.parametrize("receptive_fields", TINY_ABLATION)
def test_parameters_of_tiny_unet_by_receptive_fields(receptive_fields):
    model = make("tiny_unet", classes=2, receptive_fields=receptive_fields)
    assert trainable(model) == TINY_ABLATION[receptive_fields]


def test_parameters_of_the_parts_of_the_transformer():
    model = builder("vit")(depth=2)
    layer = 2_102_784
    expected = {"embedding": 393_728, "class": 512 + 33_280, "encoder1": layer, "encoder2": layer}
    norms = {"norm": 1_024, "head": 1_024, "logits": 2_052}
    assert parts(model) == {**expected, **norms}


@pytest.mark.slow
def test_residual_networks_have_the_parameters_of_keras_applications():
    theirs = keras.applications.ResNet50(weights=None, include_top=False)
    ours = builder("resnet50")(classes=3)
    assert ours.count_params() == theirs.count_params() + 2048 * 3 + 3
