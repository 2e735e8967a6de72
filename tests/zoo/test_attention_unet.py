"""The attention U-Nets against the published counts of edgeml-project."""

import numpy as np
import pytest
import tensorflow as tf

from tinyseg.errors import InputError
from tinyseg.plan import ModelPlan, PreprocessingPlan
from tinyseg.zoo import NETWORKS, build
from tinyseg.zoo.attention_unet import attention_unet
from tinyseg.zoo.summary import count_macs, summarise
from tinyseg.zoo.weights import load_weights, save_weights

# Total, trainable and MACs at 256 x 256. The attention U-Nets' are read from the seed's files;
# of the others the seed gives the parameters, and 54.53 and 9.77 G MACs.
PUBLISHED = {
    "attention_unet": (10_983_941, 10_982_981, 14_555_217_920),
    "attention_unet_ds": (2_658_816, 2_657_856, 2_874_605_568),
    "unet": (31_030_593, 31_030_593, 54_534_340_608),
    "lw_unet": (3_933_633, 3_933_633, 9_765_519_360),
    "blu_net": (3_926_784 + 7_044, 3_926_784 + 7_044, 9_765_519_360),
}
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


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_equal_the_published_ones(name):
    summary = summarise(name)
    counts = (summary["parameters"], summary["trainable_parameters"], summary["macs"])
    assert counts == PUBLISHED[name]
    assert summary["input_shape"][:2] == [256, 256]


def test_parameters_of_each_part():
    model = attention_unet(separable=True)
    for prefix, expected in PARTS_DS.items():
        layers = [layer for layer in model.layers if layer.name.startswith(prefix)]
        assert sum(layer.count_params() for layer in layers) == expected, prefix


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("size", "arguments"),
    [
        ((32, 48, 1), {"base_width": 4, "depth": 2}),
        ((16, 16, 4), {"base_width": 2, "depth": 3, "classes": 3, "dropout": 0.0}),
        ((8, 8, 3), {"base_width": 3, "depth": 1, "dropout": [0.1, 0.2, 0.3]}),
    ],
)
def test_every_variant_gives_probabilities_and_gradients(name, size, arguments):
    height, width, channels = size
    processing = PreprocessingPlan(height=height, width=width, channels=channels)
    model = build(ModelPlan(name, arguments), processing)
    image = tf.random.stateless_uniform((2, *size), [1, 2])
    with tf.GradientTape() as tape:
        output = model(image, training=True)
        loss = tf.reduce_mean(tf.square(output - 0.3))
    assert output.shape == (2, height, width, arguments.get("classes", 1))
    assert float(tf.reduce_min(output)) >= 0
    assert float(tf.reduce_max(output)) <= 1
    gradients = tape.gradient(loss, model.trainable_variables)
    dead = [
        v.name
        for v, g in zip(model.trainable_variables, gradients, strict=True)
        if g is None or not np.any(g)
    ]
    assert not dead


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
        ({"base_width": 0}, "base_width"),
        ({"classes": 0}, "classes"),
        ({"dropout": 1.5}, "dropout"),
        ({"dropout": [0.1]}, "dropout"),
        ({"widht": 3}, "no argument 'widht'"),
    ],
)
def test_bad_arguments_name_the_cure(arguments, message):
    with pytest.raises(InputError, match=message):
        build(ModelPlan("attention_unet", arguments), PreprocessingPlan(height=224, width=96))


def test_indivisible_input_proposes_a_size():
    with pytest.raises(InputError, match="use 112x128"):
        build(ModelPlan("attention_unet_ds"), PreprocessingPlan(height=100, width=128))


def test_unknown_network_lists_the_known_ones():
    with pytest.raises(InputError, match="attention_unet_ds"):
        build(ModelPlan("unet9000"), PreprocessingPlan())


@pytest.fixture
def small():
    return attention_unet((16, 16, 3), base_width=2, depth=2, separable=True)


def test_weights_round_trip(small, tmp_path):
    path = save_weights(small, tmp_path / "weights.h5")
    other = attention_unet((16, 16, 3), base_width=2, depth=2, separable=True)
    load_weights(other, path)
    for ours, theirs in zip(small.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_half_precision_weights_are_smaller_and_rounded(small, tmp_path):
    full = save_weights(small, tmp_path / "full.h5")
    half = save_weights(small, tmp_path / "half.h5", half=True)
    assert half.stat().st_size < full.stat().st_size
    before = small.get_weights()
    load_weights(small, half)
    for old, new in zip(before, small.get_weights(), strict=True):
        np.testing.assert_array_equal(old.astype(np.float16), new)


def test_weights_of_a_whole_model_file_load_without_running_its_lambda(small, tmp_path):
    import tf_keras as keras

    x = keras.layers.Lambda(lambda t: t * 0.0, name="evil")(small.output)
    whole = keras.Model(small.input, x)
    for suffix in (".h5", ".keras"):
        whole.save(tmp_path / f"model{suffix}")
        other = attention_unet((16, 16, 3), base_width=2, depth=2, separable=True)
        load_weights(other, tmp_path / f"model{suffix}")
        np.testing.assert_array_equal(other.get_weights()[0], small.get_weights()[0])
        assert not any(layer.name == "evil" for layer in other.layers)


def test_bad_weights_files(small, tmp_path):
    with pytest.raises(InputError, match="no such weights file"):
        load_weights(small, tmp_path / "missing.h5")
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    with pytest.raises(InputError, match=r"text\.h5: not a readable"):
        load_weights(small, text)
    wider = attention_unet((16, 16, 3), base_width=3, depth=2, separable=True)
    path = save_weights(wider, tmp_path / "wider.h5")
    with pytest.raises(InputError, match="do not fit attention_unet"):
        load_weights(small, path)
    truncated = tmp_path / "truncated.h5"
    truncated.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"truncated\.h5"):
        load_weights(small, truncated)
    small.set_weights([np.full_like(w, np.nan) for w in small.get_weights()])
    with pytest.raises(InputError, match="NaN"):
        load_weights(small, save_weights(small, tmp_path / "nan.h5"))
