"""Weights files, good and bad."""

import numpy as np
import pytest
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.zoo.attention_unet import attention_unet
from tinyseg.zoo.resnet import resnet50
from tinyseg.zoo.vgg16 import vgg16
from tinyseg.zoo.weights import load_weights, save_weights


@pytest.fixture
def small():
    return attention_unet((16, 16, 3), base_width=2, depth=2, separable=True)


def test_half_precision_weights_are_smaller_and_rounded(small, tmp_path):
    full = save_weights(small, tmp_path / "full.h5")
    half = save_weights(small, tmp_path / "half.h5", half=True)
    assert half.stat().st_size < full.stat().st_size
    before = small.get_weights()
    load_weights(small, half)
    for old, new in zip(before, small.get_weights(), strict=True):
        np.testing.assert_array_equal(old.astype(np.float16), new)


def test_weights_of_a_whole_model_file_load_without_running_its_lambda(small, tmp_path):
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


@pytest.fixture(params=["resnet50", "vgg16"])
def pretrained(request, tmp_path):
    """Our network, and Keras' of the same name without top, whose weights lie in a file."""
    applications = keras.applications
    theirs, ours, preprocess = {
        "resnet50": (applications.ResNet50, resnet50, applications.resnet.preprocess_input),
        "vgg16": (applications.VGG16, vgg16, applications.vgg16.preprocess_input),
    }[request.param]
    backbone = theirs(weights=None, include_top=False, input_shape=(64, 64, 3))
    rng = np.random.default_rng(0)
    for weight in backbone.weights:
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    path = tmp_path / "notop.h5"
    backbone.save_weights(path)
    return ours, backbone, preprocess, path


@pytest.mark.slow
def test_transfer_learning_starts_from_the_weights_of_keras(pretrained, caplog):
    ours, backbone, preprocess, path = pretrained
    small = {"base_width": 64, "classes": 2}
    model = ours((64, 64, 3), **small)
    head = model.get_layer("logits").get_weights()
    load_weights(model, path)
    assert f"starts from {path} but for its last layers" in caplog.text
    names = [layer.name for layer in backbone.layers if layer.weights]
    for name in names[1:]:
        for theirs, mine in zip(
            backbone.get_layer(name).get_weights(),
            model.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(theirs, mine)
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], head[0])
    # The first convolution takes images as they are; away from the border it gives the same.
    images = np.random.default_rng(1).random((1, 64, 64, 3), np.float32)
    theirs = keras.Model(backbone.input, backbone.get_layer(names[0]).output)
    mine = keras.Model(model.input, model.get_layer(names[0]).output)
    inner = np.s_[:, 2:-2, 2:-2]
    expected = theirs(preprocess(255 * images))[inner]
    np.testing.assert_allclose(mine(images)[inner], expected, rtol=1e-3, atol=1e-2)
