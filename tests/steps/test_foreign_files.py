"""Files that others made: what they take and give is found, asked for or refused, by every verb."""

import dataclasses
import json

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tests.commands import assert_bad_input, tinyseg
from tests.steps.foreign import AREA, PHANTOM, convolution, head, write
from tests.tflite.test_metadata import ONE
from tinyseg.errors import InputError
from tinyseg.runtime.meaning import Head
from tinyseg.steps.border import Stated
from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.firmware import export_c
from tinyseg.steps.fit_board import Limits, fit_board
from tinyseg.steps.lower import lower
from tinyseg.steps.memory import memory
from tinyseg.steps.predict import predict
from tinyseg.steps.profile import profile
from tinyseg.steps.session import Session
from tinyseg.steps.verify import verify
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.metadata import NAME

layers = keras.layers

pytestmark = pytest.mark.usefixtures("foreign_home")


def thresholding(low, high, channels=1, rescale=None, activation="sigmoid"):
    """A network that marks what is brighter than the middle between two ends."""
    source = layers.Input((32, 32, channels), batch_size=1)
    x = layers.Rescaling(*rescale)(source) if rescale else source
    smooth, decide = layers.Conv2D(1, 3, padding="same"), layers.Conv2D(1, 1, activation=activation)
    model = keras.Model(source, decide(smooth(x)))
    kernel = np.full((3, 3, channels, 1), 2 / 9 / channels / (high - low))
    smooth.set_weights([kernel, np.array([1 - (low + high) / (high - low)])])
    decide.set_weights([np.full((1, 1, 1, 1), 30), np.array([-30])])
    return model


def area(session, disk):
    rows, _ = predict(session, [disk])
    (row,) = rows
    return row["area_pixels"]


RANGES = {
    "0 to 1": (0, 1, None),
    "0 to 255": (0, 255, (1 / 255, 0)),
    "-1 to 1": (-1, 1, (0.5, 0.5)),
    "-128 to 127": (-128, 127, (1 / 255, 128 / 255)),
    "-2 to 2": (-2, 2, (0.25, 0.5)),
}


@pytest.mark.parametrize("name", RANGES)
def test_the_range_of_the_input_tells_what_becomes_of_pixels(name, disk):
    low, high, rescale = RANGES[name]
    path = write("net.tflite", thresholding(0, 1, rescale=rescale), low, high)
    assert area(Session.open(path), disk) == pytest.approx(AREA, abs=25)
    # The firmware's table has the same: black and white are the ends of what is stored.
    (header, *_), _ = export_c(Session.open_file(path), arena=9999)
    table = header.read_text().split("kModelInputTable[256] = {")[1].split("}")[0]
    stored = [int(value) for value in table.split(",")]
    np.testing.assert_allclose(stored, np.arange(-128, 128), atol=1)


def test_channels_with_a_mean_each_are_recognised(disk):
    path = write("net.tflite", thresholding(-2.1, 2.6, 3), -2.118, 2.64)
    session = Session.open(path)
    assert session.preprocessing.scale == pytest.approx((1 / 58.395, 1 / 57.12, 1 / 57.375))
    assert 300 < area(session, disk) < 1200
    (header, *_), _ = export_c(Session.open_file(path), arena=9999)
    assert "kModelInputTable[768] = {" in header.read_text()


def test_a_range_that_tells_nothing_is_asked_for(disk):
    path = write("net.tflite", thresholding(0, 4), 0, 4)
    with pytest.raises(InputError, match="is that of no usual preprocessing; state --scale"):
        predict(Session.open(path), [disk])
    stated = Stated(scale=4 / 255, offset=0.0)
    assert area(Session.open(path).stating(stated), disk) == pytest.approx(AREA, abs=25)


@pytest.mark.parametrize(
    "stated", [Stated(scale=1 / 255), Stated(offset=-1.0), Stated(scale=1 / 127.5, offset=-1.0)]
)
def test_a_stated_range_that_cannot_be_is_refused(stated, disk):
    path = write("net.tflite", thresholding(0, 1, rescale=(1 / 255, 0)), 0, 255)
    session = Session.open(path).stating(stated)
    with pytest.raises(InputError, match="holds 0 to 255 but by --scale"):
        predict(session, [disk])


def with_metadata(path, name, content):
    model = fixtures.unpack(path.read_bytes())
    buffer, entry = fixtures.schema.BufferT(), fixtures.schema.MetadataT()
    buffer.data = np.frombuffer(content, np.uint8)
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    path.write_bytes(fixtures.pack(model))


def test_a_stored_plan_that_cannot_be_is_refused(disk):
    path = write("net.tflite", thresholding(0, 1, rescale=(1 / 255, 0)), 0, 255)
    stored = {"height": 32, "width": 32, "channels": 1}
    with_metadata(path, "tinyseg", json.dumps({"preprocessing": stored}).encode())
    with pytest.raises(InputError, match="by the stored plan pixels become 0 to 1"):
        predict(Session.open(path), [disk])


def test_metadata_of_tensorflow_lite_are_read(disk):
    path = write("net.tflite", thresholding(-1, 1), -1, 1)
    with_metadata(path, NAME, ONE)
    found = Session.open(path).preprocessing
    assert (found.scale, found.offset) == (1 / 127.5, -1)
    path = write("other.tflite", thresholding(0, 1), 0, 1)
    with_metadata(path, NAME, ONE)
    with pytest.raises(InputError, match="by its metadata"):
        predict(Session.open(path), [disk])


def test_every_verb_refuses_a_batch(disk):
    path = write("four.tflite", head(lambda x: layers.Conv2D(1, 1, activation="sigmoid")(x), 4))
    parsed = TfliteModel.read(path)
    for verb in (
        lambda: predict(Session.open(path), [disk]),
        lambda: evaluate(Session.open(path, PHANTOM)),
        lambda: verify(Session.open_file(path, PHANTOM), 1),
        lambda: export_c(Session.open_file(path)),
        lambda: memory(parsed),
        lambda: lower(parsed),
        lambda: profile(parsed),
        lambda: fit_board(str(path), Limits("nucleo_h743zi")),
    ):
        with pytest.raises(InputError, match="is a batch of 4; export with a batch of 1"):
            verb()


@pytest.mark.slow
def test_a_batch_on_the_command_line(disk, tmp_path):
    path = write("four.tflite", head(lambda x: layers.Conv2D(1, 1, activation="sigmoid")(x), 4))
    for options in (["verify", path, "--data", PHANTOM], ["predict", path, disk]):
        assert_bad_input(tinyseg(*options, cwd=tmp_path), "batch of 4; export with a batch of 1")


NEITHER = {
    "classes": lambda x: layers.Softmax()(layers.Dense(3)(layers.GlobalAveragePooling2D()(x))),
    "numbers": lambda x: layers.Dense(10)(layers.GlobalAveragePooling2D()(x)),
    "scores": lambda x: convolution(3)(x),
}


@pytest.mark.parametrize("name", NEITHER)
def test_bytes_and_arena_need_no_mask(name):
    path = write("net.tflite", head(NEITHER[name]))
    verdict = verify(Session.open_file(path, PHANTOM), 2)
    assert (verdict.failures, verdict.bit_exact, verdict.task) == ((), True, None)
    assert verdict.arena.total > 0
    assert verdict.images == ("random 0", "random 1")
    assert verdict.warnings
    assert export_c(Session.open_file(path), arena=9999)[0]


def test_inputs_that_are_no_images():
    source = layers.Input((640,), batch_size=1)
    model = keras.Model(source, layers.Activation("tanh")(source))
    path = write("rows.tflite", model, -3, 3)
    assert verify(Session.open_file(path), 2).bit_exact
    (header, *_), _ = export_c(Session.open_file(path), arena=9999)
    assert "kModelInputElements = 640" in header.read_text()
    with pytest.raises(InputError, match="the input is not one image"):
        Session.open(path).preprocessing  # noqa: B018


def test_all_outputs_are_compared_and_the_mask_is_read(disk):
    def two(x):
        mask = convolution(1, "sigmoid")(x)
        return [layers.Softmax()(layers.Dense(2)(layers.GlobalAveragePooling2D()(x))), mask]

    path = write("two.tflite", head(two))
    assert Session.open(path).meaning.head is Head.SIGMOID
    verdict = verify(Session.open_file(path, PHANTOM), 1)
    assert verdict.bit_exact
    assert verdict.task == "segmentation"
    assert area(Session.open(path), disk) >= 0


def test_what_the_user_says_decides(disk):
    path = write("net.tflite", head(convolution(3)))
    with pytest.raises(InputError, match="say --head"):
        predict(Session.open(path), [disk])
    rows, _ = predict(Session.open(path).stating(Stated(head=Head.SOFTMAX_LOGITS)), [disk])
    assert len(rows) == 2
    rows, _ = predict(Session.open(path).stating(Stated(head=Head.LOGITS)), [disk])
    assert len(rows) == 3
    stated = Stated(head=Head.SOFTMAX_LOGITS, threshold=0.7)
    with pytest.raises(InputError, match="the likeliest decides; leave it out"):
        predict(Session.open(path).stating(stated), [disk])


def test_a_threshold_moves_the_mask_and_the_firmware(disk):
    path = write("net.tflite", thresholding(0, 1, activation=None))
    areas = [
        area(Session.open(path).stating(Stated(threshold=threshold)), disk)
        for threshold in (0.01, 0.5, 0.99)
    ]
    assert areas == sorted(areas, reverse=True)
    bounds = []
    for threshold in (0.2, 0.5, 0.8):
        session = Session.open_file(path).stating(Stated(threshold=threshold))
        (header, *_), _ = export_c(session, arena=9999)
        bounds.append(int(header.read_text().split("kModelMaskThreshold = ")[1].split(";")[0]))
    tensor = TfliteModel.read(path).outputs[0]
    expected = np.log([0.25, 1, 4]) / tensor.scales[0] + tensor.zero_points[0]
    np.testing.assert_array_equal(bounds, np.floor(expected + 1e-6))


@pytest.mark.slow
def test_options_on_the_command_line(disk, tmp_path):
    path = write("net.tflite", head(convolution(3)))
    asked = tinyseg("predict", path, disk, cwd=tmp_path)
    assert_bad_input(asked, "net.tflite", "say --head", "softmax-logits")
    told = ["--head", "softmax-logits", "--scale", 1 / 255, "--offset", 0, "--json"]
    found = tinyseg("predict", path, disk, *told, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert len(json.loads(found.stdout)) == 2
    verdict = tinyseg("verify", path, "--images", 1, "--data", PHANTOM, cwd=tmp_path)
    assert verdict.returncode == 0, verdict.stderr
    assert "say --head" in verdict.stderr
    assert_bad_input(tinyseg("predict", path, disk, "--scale", "x", cwd=tmp_path), "--scale")


def test_stated_values_stand_over_those_of_a_plan():
    planned = dataclasses.replace(Session.open("attention_unet_ds_256k").preprocessing)
    over = Stated(threshold=0.25).over(planned)
    assert dataclasses.replace(over, threshold=planned.threshold) == planned
    assert over.threshold == 0.25


def test_python_says_what_the_file_does_not():
    import tinyseg

    path = write("net.tflite", head(convolution(3)), 0, 4)
    image = np.zeros((1, 32, 32), np.uint8)
    told = tinyseg.load(path, scale=4 / 255, head="softmax-logits")
    assert told.predict(image).shape == (1, 32, 32, 2)
    with pytest.raises(InputError, match="softmax-logits"):
        tinyseg.load(path, head="mask")
    with pytest.raises(InputError, match="unexpected keyword argument 'heads'"):
        tinyseg.load(path, heads="logits")
