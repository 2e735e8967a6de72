"""A user's Keras file goes the way of a network of the zoo, under its own name."""

import logging
from pathlib import Path

import keras as keras3
import numpy as np
import pytest
import tf_keras as keras2

import tinyseg
from tests.data.makers import make_brats_h5
from tests.keras_files.models import classifier, mobilenet_unet, unet
from tinyseg import data
from tinyseg.errors import InputError
from tinyseg.steps import marks
from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.firmware import export_c
from tinyseg.steps.inspect import inspect
from tinyseg.steps.integer_file import find_integers
from tinyseg.steps.own_file import name_of
from tinyseg.steps.predict import predict
from tinyseg.steps.quantize import quantize
from tinyseg.steps.session import Session
from tinyseg.steps.verify import verify
from tinyseg.verification.gates import Gate

MASKS = "phantom:count=24,size=32"
CLASSES = f"{MASKS},task=classification"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def arrays():
    phantoms = data.load(MASKS)
    return tuple(map(np.stack, zip(*map(phantoms.read, phantoms.samples), strict=True)))


def quantized(name, source, **changes):
    session = Session.to_quantize(name, source, changes)
    return quantize(session, verify_images=2, max_drop=1, profiled=False)


def others_than_trivial(verdict):
    """Gates missed but that of networks, here untrained ones, with one answer to every image."""
    return {missed.gate for missed in verdict.missed} - {Gate.TRIVIAL}


@pytest.mark.parametrize(
    ("make", "source"),
    [
        (lambda: mobilenet_unet(keras3).save("mine.keras"), MASKS),
        (lambda: unet(keras2, 4, "softmax", 32, 4).save("mine.h5"), "brats"),
        (lambda: classifier(keras2).save("mine"), CLASSES),
    ],
    ids=["MobileNet U-Net, Keras 3", "softmax, Keras 2", "classifier, SavedModel"],
)
def test_each_kind_reaches_a_verified_file_and_c_source(make, source, tmp_path):
    make()
    (name,) = (path.name for path in Path().glob("mine*"))
    if source == "brats":
        make_brats_h5(tmp_path / source)
        source = str(tmp_path / source)
    run = quantized(name, source)
    # Untrained networks may give one answer to every image.
    assert {missed.gate for missed in run.missed} <= {Gate.TRIVIAL}
    assert run.verification.bit_exact
    assert run.file == "mine.tflite"
    assert run.model.name == "mine"
    assert (run.folder / "report.html").is_file()
    if run.missed:
        with pytest.raises(InputError, match="did not pass 'tinyseg quantize'"):
            export_c(Session.open_file(name))
        (run.folder / marks.FILE_NAME).unlink()
    # Without data, by the file's hash.
    paths, _ = export_c(Session.open_file(name))
    assert paths[0].parent == Path("build/c/mine")
    verdict = verify(Session.open_file(name), 2, max_drop=1)
    assert verdict.scores["float"] is not None


def test_integer_file_is_that_of_this_very_file():
    unet(keras3).save("mine.keras")
    with pytest.raises(InputError, match=r"tinyseg quantize mine\.keras --data"):
        find_integers("mine.keras")
    made = find_integers("mine.keras", MASKS)
    stamp = made.stat().st_mtime_ns
    assert find_integers("mine.keras") == made
    assert find_integers("mine.keras", MASKS).stat().st_mtime_ns == stamp
    changed = unet(keras3)
    changed.set_weights([weight + 0.01 for weight in changed.get_weights()])
    changed.save("mine.keras")
    with pytest.raises(InputError, match="not there yet"):
        find_integers("mine.keras")
    # The old file's float network is gone, and nothing else is taken for it.
    assert Session.open_file(made).weights is None


def test_file_itself_is_scored_and_predicts(arrays, tmp_path):
    unet(keras3).save("mine.keras")
    scores = evaluate(Session.open("mine.keras", MASKS), "all")
    assert scores["images"] == 24
    from PIL import Image

    Image.fromarray(arrays[0][0]).save("scan.png")
    rows, _ = predict(Session.open("mine.keras"), [Path("scan.png")], tmp_path / "masks")
    assert rows[0]["width"] == 32
    with pytest.raises(InputError, match="--data"):
        _ = Session.open("mine.keras").images


def test_what_quantize_was_told_of_the_range_holds_for_the_file_itself(caplog):
    unet(keras3).save("mine.keras")
    changes = {"preprocessing.scale": 1 / 127.5, "preprocessing.offset": -1.0}
    caplog.set_level(logging.INFO)
    assert Session.open("mine.keras", MASKS).preprocessing.offset == 0
    assert "no layer says the range of its input; taking pixels / 255" in caplog.text
    quantized("mine.keras", MASKS, **changes)
    told = Session.open("mine.keras").preprocessing
    assert (told.scale, told.offset) == (1 / 127.5, -1)
    assert "as 'tinyseg quantize' was told" in caplog.text
    # What is said now goes first, and another file of the name was not spoken of.
    other = Session.open("mine.keras", changes={"preprocessing.offset": -0.5})
    assert (other.preprocessing.scale, other.preprocessing.offset) == (1 / 255, -0.5)
    changed = unet(keras3)
    changed.set_weights([weight + 0.01 for weight in changed.get_weights()])
    changed.save("mine.keras")
    assert Session.open("mine.keras").preprocessing.offset == 0


def test_inside_of_a_softmax_with_background(tmp_path):
    unet(keras2, 4, "softmax", 32, 4).save("mine.h5")
    make_brats_h5(tmp_path / "brats")
    found = inspect(Session.open("mine.h5", str(tmp_path / "brats")), "all", 2)
    assert len(found["images"]) == 2
    with pytest.raises(InputError, match=r"^mine.h5: it has 3 regions, the images 1"):
        inspect(Session.open("mine.h5", "phantom:count=24,size=32"), "all", 2)


def test_names_of_files_become_names_of_networks():
    for title, name in (("a/b c.keras", "b_c"), ("über.h5", "ber"), ("é.keras", "network")):
        assert name_of(title) == name


def test_names_of_the_zoo_are_not_taken():
    unet(keras3).save("unet.keras")
    session = Session.open("unet.keras", MASKS)
    assert session.plan.model.name == "unet_own"
    assert session.task == "segmentation"


def test_size_is_asked_for_and_range_is_told(caplog):
    layers = keras3.layers
    image = layers.Input((None, None, 1))
    x = layers.Rescaling(1 / 255)(image)
    keras3.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)).save(
        "a.keras"
    )
    with pytest.raises(InputError, match=r"any size.*--size"):
        Session.open("a.keras", MASKS)
    size = {"preprocessing.height": 16, "preprocessing.width": 24}
    with caplog.at_level(logging.INFO, "tinyseg"):
        session = Session.open("a.keras", MASKS, changes=size)
    assert session.preprocessing.input_shape == (16, 24, 1)
    assert session.preprocessing.scale == 1
    assert session.network.output_shape == (None, 16, 24, 1)
    unet(keras3).save("b.keras")
    with pytest.raises(InputError, match="takes 32 x 32 x 1, not 16"):
        Session.open("b.keras", MASKS, changes=size)


def test_softmax_in_memory_from_file_and_loaded_again(arrays):
    pixels, mask = arrays
    both = pixels, np.stack([mask > 0, (mask == 0) & (pixels > 120)], -1)
    model = unet(keras2, 3, "softmax")
    model.save("mine.h5")
    by_object, by_file, loaded = (
        tinyseg.quantize(network, both) for network in (model, "mine.h5", tinyseg.load("mine.h5"))
    )
    assert by_file.content == loaded.content == by_object.content
    verdict = by_file.verify(max_drop=1)
    assert verdict.ok
    assert set(verdict.scores["tflm"]["regions"]) == {"region 1", "region 2"}
    # By hand: the likeliest class, the background left out.
    likeliest = model(pixels[..., None] / np.float32(255), training=False).numpy().argmax(-1)
    truth, found = both[1][..., 0], likeliest == 1
    total = (truth.sum((1, 2)) + found.sum((1, 2))).clip(1)
    empty = ~(truth | found).any((1, 2))
    dice = np.mean(2 * (truth & found).sum((1, 2)) / total + empty)
    scores = evaluate(Session.open("mine.h5").with_images("arrays", data_of(both)), "all")
    assert scores["regions"]["region 1"]["dice"] == pytest.approx(dice, abs=1e-6)


def data_of(both):
    from tinyseg.data.arrays import from_arrays

    return from_arrays(*both)


def test_one_output_tells_two_classes_apart(arrays):
    layers = keras3.layers
    model = keras3.Sequential(
        [layers.Input((32, 32, 1)), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    )
    made = tinyseg.quantize(model, (arrays[0], np.array(["no", "yes"] * 12)))
    assert others_than_trivial(made.verify(max_drop=1)) == set()
    assert set(made.evaluate()["classes"]) == {"no", "yes"}


@pytest.mark.parametrize(
    "make", [unet, classifier, pytest.param(mobilenet_unet, marks=pytest.mark.slow)]
)
def test_training_with_the_rounding_in_place(make):
    source = CLASSES if make is classifier else MASKS
    options = {"recipe": "qat_wi8_ai8", "settings": {"quantization.epochs": 1}}
    made = tinyseg.quantize(make(keras3), source, **options)
    assert others_than_trivial(made.verify(count=2, max_drop=1)) == set()


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda keras, x: 2 * x, "tf.math.multiply.*TFOpLambda"),
        (lambda keras, x: keras.layers.LeakyReLU(name="leaky")(x), "leaky.*LeakyReLU"),
    ],
)
def test_training_names_the_layer_that_it_does_not_know(layer, words):
    image = keras2.layers.Input((32, 32, 1))
    mask = keras2.layers.Conv2D(1, 1, activation="sigmoid")(layer(keras2, image))
    with pytest.raises(InputError, match=words):
        tinyseg.quantize(keras2.Model(image, mask), MASKS, recipe="qat_wi8_ai8")
