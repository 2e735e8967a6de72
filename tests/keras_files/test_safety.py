"""Nothing that a Keras file holds runs: code is refused by one line that names the layer."""

import json
import zipfile

import h5py
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras2

from tests.keras_files.models import GENERATIONS, images, saved
from tinyseg.errors import InputError
from tinyseg.keras_files import description, safety
from tinyseg.keras_files.load import flat_network, open_model


@keras3.saving.register_keras_serializable("mine")
class Doubling3(keras3.layers.Layer):
    def call(self, x):
        return 2 * x


@keras2.saving.register_keras_serializable("mine")
class Doubling2(keras2.layers.Layer):
    def call(self, x):
        return 2 * x


def ending(keras, layer):
    image = keras.layers.Input((8, 8, 1))
    mask = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask")
    return keras.Model(image, mask(layer(image)))


def refused(path, *words):
    with pytest.raises(InputError) as caught:
        open_model(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize("keras", GENERATIONS.values(), ids=GENERATIONS)
def test_lambda_runs_only_if_the_file_is_trusted(keras, kind, tmp_path, monkeypatch):
    model = ending(keras, keras.layers.Lambda(lambda x: 2 * x, name="twice"))
    path = saved(model, tmp_path, kind)
    for function in ("keras.src.utils.python_utils", "tf_keras.src.utils.generic_utils"):
        monkeypatch.setattr(f"{function}.func_load", lambda *_, **__: pytest.fail("code was read"))
    refused(path, "layer 'twice' (Lambda)", "--unsafe")
    monkeypatch.undo()
    source = open_model(path, unsafe=True)
    network = flat_network(source, source.shape, "mine")
    np.testing.assert_allclose(
        network(images(size=8)), np.asarray(model(images(size=8))), atol=1e-5
    )


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize(
    ("keras", "layer"), [(keras2, Doubling2), (keras3, Doubling3)], ids=GENERATIONS
)
def test_custom_classes_are_named(keras, layer, kind, tmp_path):
    path = saved(ending(keras, layer(name="mine_1")), tmp_path, kind)
    refused(path, "layer 'mine_1'", f"custom class {layer.__name__}", "tinyseg.quantize(model")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"class_name": "TorchModuleWrapper", "config": {}}, "code"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "/tmp"}}, "other files"),
        ({"class_name": "Lambda", "config": {"name": "x", "trainable": True}}, "layer 'x'"),
        ({"class_name": "__lambda__", "config": {"value": "4wEA"}}, "code"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "tf.io.write_file"),
        ({"class_name": "Popen", "module": "subprocess", "config": {}}, "custom class Popen"),
        ({"class_name": "get_file", "module": "keras.utils", "config": {}}, "get_file"),
        ({"class_name": "function", "config": "system", "module": "os"}, "system"),
        ({"class_name": "deserialize", "module": "keras.layers", "config": {}}, "deserialize"),
        ({"class_name": "Save", "module": "keras.src.ops.numpy", "config": {}}, "Save"),
        ({"class_name": "Dense", "registered_name": "evil>Dense", "config": {}}, "Dense"),
    ],
)
def test_what_is_not_known_is_refused_wherever_it_lies(found, words):
    nested = {"class_name": "Functional", "config": {"layers": [{"deep": [found]}]}}
    with pytest.raises(InputError, match=words.replace("(", "\\(")):
        safety.check_safety(nested, "mine.keras")


def test_losses_of_the_user_do_not_matter():
    safety.check_safety(
        {"class_name": "Functional", "compile_config": {"class_name": "MyLoss"}}, "mine"
    )


def test_weights_alone_are_told_apart(tmp_path):
    model = ending(keras3, lambda x: x)
    path = tmp_path / "mine.weights.h5"
    model.save_weights(path)
    assert not description.is_model(path)
    refused(path, "weights without their network", "model.save(")


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_damaged_files_are_one_line(kind, tmp_path):
    path = saved(ending(keras3, lambda x: x), tmp_path, kind)
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refused(path)


def test_description_that_lies_is_one_line(tmp_path):
    path = saved(ending(keras3, lambda x: x), tmp_path, "keras")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1]["config"]["kernel_size"] = "many"
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    refused(path, "Keras 3 cannot open it")
    path = tmp_path / "list.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "[]"
    refused(path, "describes no network")


class Writing(tf.Module):
    """Its serving function leaves a file behind."""

    def __init__(self, target):
        super().__init__()
        self._target = target

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 1))])
    def __call__(self, image):
        tf.io.write_file(self._target, "here")
        return {"mask": image}


def test_graphs_that_write_files_are_refused(tmp_path):
    module, target = Writing(str(tmp_path / "left")), tmp_path / "left"
    path = tmp_path / "graph"
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    refused(path, "operator WriteFile", "--unsafe")
    assert not target.exists()


def test_folders_without_a_graph(tmp_path):
    assert not description.is_model(tmp_path)
    refused(tmp_path, "no SavedModel")
    (tmp_path / "saved_model.pb").write_bytes(b"not a graph")
    with pytest.raises(InputError, match="not readable"):
        open_model(tmp_path)
