"""All images on the engine, a few on TFLM and TFLite: what is scored, checked and told."""

import dataclasses
import json

import numpy as np
import pytest

from tests import fixtures
from tests.tflite.drafts import File, conv
from tests.verification.host_board import on
from tests.verification.test_verify_gates import (
    FINDS_ALL,
    PREPROCESSING,
    SHAPE,
    Says,
    activation,
    few,
    of_both,
    store,
    unlike,
)
from tinyseg.engine.compiled import compiled_here
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.backends import ParallelEngine
from tinyseg.runtime.engine import EngineRunner
from tinyseg.runtime.keras import KerasRunner
from tinyseg.tflite import TfliteModel
from tinyseg.verification import trial
from tinyseg.verification.differences import first_difference_of_engine
from tinyseg.verification.gates import Gate
from tinyseg.verification.sqnr import layer_sqnr
from tinyseg.verification.trial import Engine
from tinyseg.verification.verify import verify

__all__ = ["few", "unlike"]

SETTINGS = PreprocessingPlan(fixtures.SIZE, fixtures.SIZE, 3)


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "model.tflite")


@pytest.fixture(scope="module")
def images():
    """Seven images with the masks of the float network; only the sixth has any foreground."""
    pixels = (255 * fixtures.pictures(7, seed=11)).astype(np.uint8)
    masks = fixtures.network()(pixels / np.float32(255), training=False).numpy() > 0.5
    masks[[0, 1, 2, 3, 4, 6]] = False
    return store(pixels, masks)


def engine(model, count=None):
    return Engine(ParallelEngine(model), count)


def test_the_engine_scores_all_images_and_tflm_checks_a_few(model, images, monkeypatch):
    """Without any time TFLM does two, one of them with foreground, the first in any case."""
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    whole = verify(model, images, SETTINGS, float_runner=KerasRunner(fixtures.network()))
    verdict = verify(
        model, images, SETTINGS, float_runner=KerasRunner(fixtures.network()), engine=engine(model)
    )
    assert (verdict.engine_images, verdict.tflm_images) == (7, 2)
    assert verdict.bit_exact
    assert verdict.images == whole.images
    for backend in ("float", "int8"):
        assert verdict.scores[backend] == whole.scores[backend]
        np.testing.assert_array_equal(verdict.outputs[backend], whole.outputs[backend])
    rows = [0, 5]
    checked = verify(model, images.take(rows), SETTINGS)
    assert verdict.scores["tflm"] == checked.scores["tflm"] != whole.scores["tflm"]
    np.testing.assert_array_equal(verdict.outputs["tflm"], whole.outputs["tflm"][rows])
    assert verdict.failures == whole.failures
    record = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert (record["engine_images"], record["tflm_images"], record["type"]) == (7, 2, "int8")
    assert whole.as_dict().keys() == record.keys()
    assert (whole.engine_images, whole.tflm_images) == (0, 7)
    titles = {name: verdict.title(name) for name in verdict.scores}
    assert titles == {"float": "float", "int8": "int8", "tflm": "tflm, 2 images"}


def test_with_time_enough_tflm_checks_them_all(model, images):
    verdict = verify(model, images, SETTINGS, engine=engine(model))
    assert (verdict.engine_images, verdict.tflm_images) == (7, 7)
    assert verdict.scores["tflm"] == verdict.scores["int8"]
    assert verdict.title("tflm") == "tflm"


@pytest.mark.parametrize("count", [1, 3, 9])
def test_so_many_images_are_checked_as_are_asked_for(model, images, count, monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    verdict = verify(model, images, SETTINGS, engine=engine(model, count))
    assert (verdict.engine_images, verdict.tflm_images) == (7, min(count, 7))
    assert verdict.scores["tflm"] != verdict.scores["int8"] or count == 9


def test_random_inputs_too(model):
    verdict = verify(model, 5, SETTINGS, engine=engine(model, 2))
    assert (verdict.engine_images, verdict.tflm_images, len(verdict.images)) == (5, 2, 5)
    assert verdict.bit_exact


def test_noise_by_layer_is_that_of_the_first_checked_image(model, images):
    """TFLite's check of the image serves for it."""
    twin = TfliteModel.parse(fixtures.float_twin())
    verdict = verify(model, images, SETTINGS, float_twin=lambda: twin, engine=engine(model, 3))
    assert list(verdict.sqnr) == layer_sqnr(twin, model, images.inputs(SETTINGS)[0])


def test_int16_is_called_so():
    pixels = (255 * fixtures.pictures(2, seed=11)).astype(np.uint8)
    wide = TfliteModel.parse(fixtures.quantized("static_wi8_ai16"), "wide.tflite")
    verdict = verify(wide, store(pixels, np.ones((2, fixtures.SIZE, fixtures.SIZE, 1))), SETTINGS)
    assert verdict.as_dict()["type"] == verdict.title("int8") == "int16"


@pytest.mark.parametrize("lost", [False, True])
def test_the_gate_of_the_score_is_of_all_images(lost, monkeypatch):
    """TFLM sees two images on which nothing is lost; of six, one may be lost altogether."""
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    relu = activation("RELU", 1 / 255, -128)
    pixels = np.zeros((6, *SHAPE, 1), np.uint8)
    pixels[:, 1:4, 2:] = 255
    images = store(pixels)
    if lost:
        images.images[1 + np.random.default_rng(0).permutation(5)[-1]] = 0
    floats = Says(images.masks)
    verdict = verify(relu, images, PREPROCESSING, float_runner=floats, engine=engine(relu))
    assert verdict.tflm_images == 2
    assert verdict.scores["tflm"]["dice"] == 1
    assert verdict.scores["int8"]["dice"] == pytest.approx(5 / 6 if lost else 1)
    assert verdict.misses(Gate.SCORE) is lost
    assert verdict.ok is not lost


def test_the_engine_gives_the_bytes_of_tflm_where_tflite_differs(unlike, few):
    reference, tflm = of_both(unlike, few)
    verdict = verify(unlike, few, FINDS_ALL, engine=engine(unlike, 2))
    assert verdict.differing_bytes == (reference != tflm).sum() == 3
    (line,) = verdict.failures
    assert line.startswith("net.tflite: TFLM and TFLite reference kernels differ in 3 of 60 ")
    assert verdict.scores["int8"] == verdict.scores["tflm"]


def of_another(model, other):
    """The engine with another file's program, as if its kernels were wrong."""
    own, wrong = compiled_here(model), ParallelEngine(model)
    made = dataclasses.replace(compiled_here(other), model=own.model, integer=own.integer)
    wrong._runners = [EngineRunner(made)]
    wrong._make = lambda: wrong._runners[0]
    return wrong


def chain(second):
    """Two convolutions; the weights of the second are to order."""
    file = File()
    source = file.tensor((1, *SHAPE, 1), scale=1 / 255, zero_point=-128)
    hidden = conv(file, source, 3, (3, 2), seed=1)
    target = conv(file, hidden, 1, (1, 1), seed=second)
    return TfliteModel.parse(file.content([source], [target]), "net.tflite")


def test_an_engine_that_differs_fails_and_the_first_operator_is_named(few):
    model = chain(2)
    wrong = of_another(model, chain(3))
    verdict = verify(model, few, FINDS_ALL, engine=Engine(wrong, 2))
    assert verdict.misses(Gate.BYTES)
    assert not verdict.bit_exact
    line = next(m.line for m in verdict.missed if m.gate is Gate.BYTES)
    values = verdict.differing_bytes
    assert values > 0
    start = f"net.tflite: TFLM and tinyseg's engine differ in {values} of 60 output values, by "
    assert line.startswith(start)
    assert "; operator 1 CONV_2D (layer 'tensor_6') is the first to differ, in " in line


@pytest.mark.parametrize("io", ["integer", "float32"])
def test_no_operator_is_named_where_all_agree(io):
    """What the engine computes otherwise, or together, is not taken for a difference."""
    runner = EngineRunner(TfliteModel.parse(fixtures.quantized(io=io)))
    image = runner.input.quantize(fixtures.pictures(1, seed=3))[0]
    assert len(runner.tensors(image)) > 20
    assert first_difference_of_engine(runner, image) == ("", False)


def test_a_board_runs_no_more_images_than_eight():
    relu = activation("RELU", 1 / 255, -128)
    pixels = np.random.default_rng(0).integers(0, 256, (12, *SHAPE, 1)).astype(np.uint8)
    many = {"ticks": [5] * 20, "operator_ticks": [(1,)] * 20}
    board = on(relu, **many)
    verdict = verify(relu, store(pixels), PREPROCESSING, device=board, engine=engine(relu))
    assert (verdict.tflm_images, len(verdict.device.work)) == (12, 8)
    assert verdict.ok
    assert verdict.title("device") == "device, 8 images"
    board = on(relu, **many)
    verdict = verify(relu, store(pixels), PREPROCESSING, device=board, engine=engine(relu, 11))
    assert len(verdict.device.work) == 11


def test_images_that_are_seen_twice_are_counted_once():
    relu = activation("RELU", 1 / 255, -128)
    pixels = np.random.default_rng(0).integers(0, 256, (5, *SHAPE, 1)).astype(np.uint8)
    board = on(relu, ticks=[5] * 20, operator_ticks=[(1,)] * 20)
    twice = dataclasses.replace(PREPROCESSING, mirrored=True)
    verdict = verify(relu, store(pixels), twice, device=board, engine=engine(relu, 3))
    assert verdict.bit_exact
    assert (verdict.engine_images, verdict.tflm_images, len(verdict.device.work)) == (5, 3, 6)
    assert [len(verdict.outputs[name]) for name in ("int8", "tflm", "device")] == [5, 3, 3]
    assert verdict.title("device") == "device, 3 images"
