"""What ``import tinyseg`` offers: its examples, and that it does what the command line does."""

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tf_keras as keras
from PIL import Image

import tinyseg
from tests.commands import mltk_missing
from tests.commands import tinyseg as command
from tests.test_front_door_documented import documented
from tinyseg import data
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.verification.gates import Gate

SOURCE = "phantom:count=24,size=32"
SMALL = {"base_width": 4, "depth": 2}
ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "models/attention_unet_ds_256k/phantom"


@pytest.fixture(autouse=True, scope="module")
def place(tmp_path_factory):
    """A folder of its own to work in, with a cache that all of these tests share."""
    folder = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSEG_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return tinyseg.build("attention_unet_ds", (32, 32, 1), **SMALL)


@pytest.fixture(scope="module")
def quantized(network):
    return tinyseg.quantize(network, SOURCE)


@pytest.fixture(scope="module")
def arrays():
    """Images (24, 32, 32) and their masks."""
    phantoms = data.load(SOURCE)
    return tuple(map(np.stack, zip(*map(phantoms.read, phantoms.samples), strict=True)))


def foreign(head, name="mine"):
    """A network that the zoo does not know."""
    image = keras.Input((32, 32, 1))
    features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    return keras.Model(image, head(features), name=name)


def mask_of(features):
    return keras.layers.Conv2D(1, 1, activation="sigmoid")(features)


def test_examples_run(place):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner, values = doctest.DocTestRunner(optionflags=flags), {}
    for name, offered in documented():
        test = doctest.DocTestParser().get_doctest(offered.__doc__, {}, name, None, 0)
        assert test.examples, f"{name} has no example"
        if name.endswith("profile") and mltk_missing():
            continue
        # They read as one session, as on the page: each goes on from those before it.
        test.globs = values
        shown = []
        runner.run(test, out=shown.append, clear_globs=False)
        assert not shown, "".join(shown)


def test_import_is_instant():
    script = (
        "import sys, tinyseg\n"
        "heavy = {'tensorflow', 'numpy', 'tinyseg.front'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "tinyseg.quantize\n"
        "assert 'tensorflow' not in sys.modules\n"
        "try:\n    tinyseg.quantise\nexcept AttributeError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "module 'tinyseg' has no attribute 'quantise'\n"


def test_bytes_are_those_of_the_command_line(network, quantized, place):
    saved = quantized.save("object")
    arguments = [f"--set=model.arguments.{key}={value}" for key, value in SMALL.items()]
    size = [f"--set=preprocessing.{key}" for key in ("height=32", "width=32", "channels=1")]
    done = command(
        "quantize", "attention_unet_ds", "--data", SOURCE,
        "--weights", saved.with_name("weights.h5"),
        *arguments, *size, "--no-profile", "--max-drop", 1, "-o", place / "line", "--json",
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (place / "line/attention_unet_ds.tflite").read_bytes() == quantized.content
    by_line, by_object = (
        json.loads((place / f / "plan.json").read_text()) for f in ("line", "object")
    )
    assert by_object.pop("files").keys() - by_line.pop("files").keys() == {
        "weights.h5",
        "split.json",
    }
    assert by_line == by_object
    assert (place / "line/split.json").read_bytes() == (place / "object/split.json").read_bytes()
    report = json.loads(done.stdout)
    verdict = quantized.verify(max_drop=1)
    assert report["verification"] == json.loads(json.dumps(verdict.as_dict()))
    assert report["test"]["integer"] == json.loads(json.dumps(quantized.evaluate()))


def test_published_weights_by_name_object_and_file(place):
    options = {"settings": {"quantization.calibration_images": 8}}
    name = "attention_unet_ds_256k/phantom"
    by_name = tinyseg.quantize(name, **options)
    by_object = tinyseg.quantize(tinyseg.load(name), **options)
    by_file = tinyseg.quantize(PUBLISHED / "weights.h5", **options)
    assert by_name.content == by_object.content == by_file.content
    assert by_name.plan == by_object.plan == by_file.plan
    # The images are divided as they were when it was trained.
    assert (
        by_name.save("published").with_name("split.json").read_bytes()
        == (PUBLISHED / "split.json").read_bytes()
    )


def test_network_that_learned_more_is_quantized_as_it_is(place):
    loaded = tinyseg.load("attention_unet_ds_256k/phantom")
    options = {"settings": {"quantization.calibration_images": 8}}
    before = tinyseg.quantize(loaded, **options)
    kernel, bias = loaded.get_layer("mask").get_weights()
    loaded.get_layer("mask").set_weights([kernel, bias + 0.5])
    after = tinyseg.quantize(loaded, **options)
    assert after.content != before.content
    assert after.plan.weights != before.plan.weights
    assert after.plan.data == before.plan.data
    after.save("more")
    assert Path("more/split.json").read_bytes() == (PUBLISHED / "split.json").read_bytes()


def test_published_integer_file(place):
    file = PUBLISHED / "attention_unet_ds_256k.tflite"
    opened = tinyseg.load(file)
    recipe = opened.recipe
    assert opened.content == file.read_bytes()
    assert tinyseg.load("attention_unet_ds_256k/phantom", recipe=recipe).path.name == file.name
    with pytest.raises(InputError, match="holds integers already"):
        tinyseg.quantize(file, SOURCE)


def test_saved_network_comes_back(quantized, place):
    again = tinyseg.load(quantized.save("again"))
    assert again.content == quantized.content
    assert again.plan.network == quantized.plan.network
    assert again.evaluate() == quantized.evaluate()
    loaded = tinyseg.load("again/weights.h5")
    assert loaded.name == "attention_unet_ds"
    image = np.full((1, 32, 32, 1), 0.3, np.float32)
    float_of = quantized._session.network
    assert np.array_equal(loaded.predict(image), float_of.predict(image))


def test_arrays_are_as_good_as_files(network, quantized, arrays):
    images, masks = arrays
    # It was not trained, and is never far from a half: let it mark some of the pixels.
    options = {"settings": {"preprocessing.threshold": 0.498}}
    made = tinyseg.quantize(network, arrays, **options)
    assert made.plan.data.source == "arrays"
    assert made.verify(max_drop=1).bit_exact
    as_floats = (images[..., None] / np.float32(255), masks[..., None] * 255.0)
    assert tinyseg.quantize(network, as_floats, **options).content == made.content
    # Other images for the same file.
    scores = quantized.evaluate((images[:6], masks[:6]), part="all")
    assert scores["images"] == 6


def test_any_keras_network(arrays, place):
    made = tinyseg.quantize(foreign(mask_of), arrays)
    verdict = made.verify(max_drop=1)
    assert verdict.ok
    assert verdict.scores["float"] is not None
    assert made.save("mine").name == "mine.tflite"
    # Read from disk, the file alone says what it is for.
    assert tinyseg.load("mine/mine.tflite").evaluate(arrays, part="all")["images"] == 24
    with pytest.raises(InputError, match="mine: no such network"):
        tinyseg.load("mine/weights.h5")


def test_classes(arrays):
    images, _ = arrays
    labels = np.array(["dark", "light"])[(images.mean((1, 2)) > np.median(images.mean((1, 2)))) * 1]

    def two_classes(features):
        features = keras.layers.GlobalAveragePooling2D(keepdims=True)(features)
        scores = keras.layers.Conv2D(2, 1)(features)
        return keras.layers.Softmax()(keras.layers.Flatten()(scores))

    made = tinyseg.quantize(foreign(two_classes), (images, labels))
    assert made.plan.data.classes == ("dark", "light")
    assert made.predict(images[:3]).shape == (3, 2)
    assert set(made.evaluate()["classes"]) == {"dark", "light"}


def test_options_reach_the_plan(network):
    made = tinyseg.quantize(
        network,
        SOURCE,
        recipe="static_wi8_ai16",
        settings={"quantization.io": "float32", "preprocessing.scale": 1 / 127.5},
        folder="wide",
    )
    assert made.path == Path("wide/attention_unet_ds.tflite")
    assert made.plan.preprocessing.scale == 1 / 127.5
    assert TfliteModel.read(made.path).inputs[0].dtype == "float32"
    assert made.recipe == "static_wi8_ai16"


def test_verify_fails_where_it_must(place):
    """The file finds nothing any more: its network's last bias was changed after training."""
    network = tinyseg.load("attention_unet_ds_256k/phantom")
    blind = keras.models.clone_model(network)
    blind.set_weights(network.get_weights())
    kernel, _ = blind.get_layer("mask").get_weights()
    blind.get_layer("mask").set_weights([0 * kernel, np.array([-4.0])])
    made = tinyseg.quantize(blind, SOURCE, settings={"quantization.calibration_images": 4})
    assert {missed.gate for missed in made.verify(count=4).missed} == {Gate.TRIVIAL}
    made._session.network = made._session.float_network = network
    verdict = made.verify(count=4)
    assert not verdict.ok
    assert Gate.SCORE in {missed.gate for missed in verdict.missed}
    assert any("falls by" in line for line in verdict.failures)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tinyseg.build("unett"), "unett: no such network"),
        (lambda: tinyseg.build("unet", (32, 32)), "give \\(height, width, channels\\)"),
        (lambda: tinyseg.build("unet", (32, 32, 1), wide=3), "no argument 'wide'"),
        (lambda: tinyseg.load("unett/busi"), "unett: no such network"),
        (lambda: tinyseg.load("attention_unet_ds_256k/isic2018"), "trained on .* only"),
        (lambda: tinyseg.load("nowhere.tflite"), "nowhere.tflite"),
        (lambda: tinyseg.load("nowhere.h5"), "nowhere.h5: no such file"),
        (lambda: tinyseg.quantize(foreign(mask_of)), "mine: give the images"),
        (lambda: tinyseg.quantize(foreign(mask_of), np.zeros((4, 32, 32))), "arrays \\(images, m"),
        (lambda: tinyseg.quantize(len, SOURCE), "builtin_function_or_method cannot be quantized"),
        (
            lambda: tinyseg.quantize(
                keras.Sequential([keras.layers.Conv2D(1, 1, input_shape=(None, None, 1))]), SOURCE
            ),
            "fixed size",
        ),
        (lambda: tinyseg.quantize("lw_unet/busi", recipe="int8"), "int8"),
    ],
)
def test_what_cannot_be_is_one_line(call, words):
    with pytest.raises(InputError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_prediction_takes_arrays_files_and_folders(quantized, place):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 32, 32), np.uint8)
    Path("shots").mkdir()
    for row, image in enumerate(images):
        Image.fromarray(image).save(f"shots/{row}.png")
    of_arrays = quantized.predict(images)
    assert np.array_equal(of_arrays, quantized.predict("shots"))
    assert np.array_equal(of_arrays[:2], quantized.predict(["shots/0.png", "shots/1.png"]))
    assert np.array_equal(of_arrays, quantized.predict(images / np.float32(255)))
    with pytest.raises(InputError, match="no such file"):
        quantized.predict("shots/9.png")
    with pytest.raises(InputError, match="rescale"):
        quantized.predict(images.astype(np.float32))


def test_lowered_file_can_be_saved_with_all_that_belongs_to_it(quantized, place):
    lowered = quantized.lower()
    assert (
        lowered.memory(folder="memory").facts["total_bytes"]
        <= (quantized.memory(folder="memory").facts["total_bytes"])
    )
    assert lowered.verify(max_drop=1).ok
    saved = lowered.save("low")
    assert saved.with_name("split.json").is_file()
    assert tinyseg.load(saved).content == lowered.content


@pytest.mark.slow
def test_example_of_the_readme(place, capsys):
    block = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    exec(block, {})
    assert re.fullmatch(r"True \d+\n", capsys.readouterr().out)
    assert (place / "build/mine/attention_unet_ds_256k.tflite").is_file()
