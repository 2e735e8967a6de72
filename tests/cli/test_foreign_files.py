"""Files from elsewhere, in every verb: they work, or one line says why not and what does."""

import json

import cv2
import numpy as np
import pytest

from tests import foreign_files, mlperf_tiny
from tests.fixtures import Draft, one_operator
from tests.foreign_files import REFUSED, SOUND, content_of
from tests.in_process import tinyseg
from tests.tflite.drafts import on_tflm, options, random_inputs
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel

PHANTOM = ("--data", "phantom:count=24,size=32")
LARGE = sorted(set(mlperf_tiny.NETWORKS) - {"keyword_spotting"})
WORLD = {name: make for name, make in SOUND.items() if name != "elu"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path


def write(content, name="file.tflite"):
    with open(name, "wb") as stream:
        stream.write(content)
    return name


def verbs(file, image):
    return {
        "memory": ("memory", file),
        "lower": ("lower", file, "-o", "lowered.tflite"),
        "patches": ("lower", file, "--patches", "-o", "lowered.tflite"),
        "profile": ("profile", file),
        "fit": ("fit", file, "--ram", "1M", "--flash", "1M"),
        "export-c": ("export-c", file),
        "export for a board": ("export-c", file, "--board", "nucleo_h743zi"),
        "predict": ("predict", file, image),
        "evaluate": ("evaluate", file, *PHANTOM),
    }


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_tflm_does_not_run_is_refused_by_every_verb(make, folder):
    file = write(content_of(make))
    cv2.imwrite("image.png", np.zeros((32, 32), np.uint8))
    for name, command in verbs(file, "image.png").items():
        result = tinyseg(*command)
        assert result.returncode == 2, name
        (line,) = result.stderr.splitlines()
        assert line.startswith("tinyseg: file.tflite: "), name
        for words in REFUSED[make]:
            assert words in line, (name, line)
        assert not result.stdout
    assert {path.name for path in folder.iterdir()} <= {file, "image.png", "cache"}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_verify_says_the_same(make):
    result = tinyseg("verify", write(content_of(make)), *PHANTOM, "--images", 1)
    assert result.returncode in (1, 2)
    for words in REFUSED[make]:
        assert words in result.stderr


@pytest.mark.parametrize(
    "name",
    [
        *WORLD,
        "keyword_spotting",
        *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE),
    ],
)
def test_files_of_the_world_of_tflm(name):
    content = content_of(WORLD[name]) if name in WORLD else mlperf_tiny.int8_file(name)
    file = write(content)
    memory = tinyseg("memory", file, "--measure", "--json")
    assert (memory.returncode, memory.stderr) == (0, "")
    facts = json.loads(memory.stdout)
    for key in ("total_bytes", "head_bytes", "tail_bytes"):
        assert facts["measured"][key] == facts[key]
    inputs = random_inputs(content)
    (before,) = on_tflm(content, inputs)
    assert before.std() > 0
    for how in ((), ("--patches",)):
        assert tinyseg("lower", file, "-o", "lowered.tflite", *how).returncode == 0
        with open("lowered.tflite", "rb") as stream:
            np.testing.assert_array_equal(on_tflm(stream.read(), inputs)[0], before)
    fitted = tinyseg("fit", file, "--board", "nucleo_h743zi", "--json")
    assert (fitted.returncode, json.loads(fitted.stdout)["fits"]) == (0, True)
    model = TfliteModel.read(file)

    if name != "group_normalization":
        np.testing.assert_array_equal(TfliteRunner(model).run(inputs[0]), before)


@pytest.mark.parametrize("name", ["person_detect", "svdf", "lstm", "keyword_spotting"])
def test_whatever_has_one_input_is_exported(name, folder):
    content = content_of(WORLD[name]) if name in WORLD else mlperf_tiny.int8_file(name)
    result = tinyseg("export-c", write(content), "-o", "made")
    assert (result.returncode, result.stderr) == (0, "")
    assert (folder / "made/model_data.cc").is_file()


def test_a_byte_that_differs_is_traced_to_its_operator():
    file = write(content_of(foreign_files.group_normalization))
    result = tinyseg("verify", file, *PHANTOM, "--images", 1)
    assert result.returncode == 1
    line = result.stderr.splitlines()[-1]
    assert "operator 2 SUM (layer 'group_normalization') is the first to differ" in line
    assert "in 4 of 4 stored values" in line
    assert "TFLite's reference kernel is wrong" in line


def test_an_activation_without_a_reference_kernel():
    file = write(content_of(foreign_files.elu))
    model = TfliteModel.read(file)
    runner, images = TfliteRunner(model), random_inputs(model.content)[0]
    np.testing.assert_array_equal(runner.run(images), TflmRunner(model).run(images))
    result = tinyseg("verify", file, *PHANTOM, "--images", 1, "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["bit_exact"]


def test_a_budget_is_never_negative():
    image = Draft((1, 1024, 1024, 1))
    content = one_operator("RELU", [image], image)
    result = tinyseg("fit", write(content), "--board", "nucleo_h743zi")
    assert result.returncode == 1
    assert "of 0" in result.stderr
    assert "-" not in result.stderr.split("needs")[1]


def test_fit_asks_tflm_itself():
    """TFLM transposes tensors of at most five axes, which no table says."""
    image = Draft((1, 1, 2, 2, 2, 2))
    axes = Draft((6,), "int32", np.arange(6, dtype=np.int32))
    content = one_operator("TRANSPOSE", [image, axes], image, options("Transpose"))
    result = tinyseg("fit", write(content), "--ram", "1M", "--flash", "1M")
    assert result.returncode == 2
    assert "operator 0 TRANSPOSE (layer 'tensor_2')" in result.stderr
    assert "fits" not in result.stdout
