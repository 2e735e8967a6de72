"""A network as a library: a folder that any C++17 compiler builds."""

import dataclasses
import subprocess

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.boards import library
from tinyseg.boards.c_source import input_table
from tinyseg.decision import decide
from tinyseg.engine.compiled import compiled
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise
from tinyseg.runtime.engine import EngineRunner
from tinyseg.runtime.runner import stored
from tinyseg.runtime.views import outputs_at
from tinyseg.tflite import TfliteModel

SIZE = 32
PREPROCESSING = PreprocessingPlan(height=SIZE, width=SIZE)


def build(root):
    """Build what was exported to ``net``; return the folder."""
    folder = root / "build"
    for command in (
        ["cmake", "-G", "Ninja", "-S", root / "net", "-B", folder],
        ["cmake", "--build", folder],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_example_gives_the_bytes_of_the_engine(tmp_path):
    content = fixtures.quantized("static_wi8_ai8", "integer", base_width=4, size=SIZE)
    made = compiled(TfliteModel.parse(content, "net.tflite"))
    written = library.export(made, (PREPROCESSING, None), tmp_path / "net", "net")
    names = {str(path.relative_to(tmp_path / "net")) for path in written}
    assert {"CMakeLists.txt", "library.properties", "zephyr/module.yml"} <= names
    assert not {name for name in names if "host" in name}

    folder = build(tmp_path)
    pixels = (255 * fixtures.pictures(1, seed=5, size=SIZE)).astype(np.uint8)
    result = subprocess.run(
        [folder / "net_example"], input=pixels.tobytes(), capture_output=True, check=True
    )
    runner = EngineRunner(made)
    expected = runner.run(input_table(made.model, runner.input, PREPROCESSING)[pixels])
    np.testing.assert_array_equal(np.frombuffer(result.stdout, np.int8), expected.ravel())

    point = PreprocessingPlan(
        height=SIZE, width=SIZE, blank_below=0.3, relative=0.9, smallest=3, largest_only=True
    )
    library.export(made, (point, None), tmp_path / "net", "net")
    subprocess.run(["cmake", "--build", folder], check=True, capture_output=True)
    result = subprocess.run(
        [folder / "net_example"], input=pixels.tobytes(), capture_output=True, check=True
    )
    mask = decide(runner.output.dequantize(expected).reshape(1, SIZE, SIZE, 1), point)
    np.testing.assert_array_equal(np.frombuffer(result.stdout, np.uint8), mask.ravel())
    assert 3 <= mask.sum() < mask.size

    mirrored = dataclasses.replace(point, mirrored=True)
    library.export(made, (mirrored, None), tmp_path / "net", "net")
    subprocess.run(["cmake", "--build", folder], check=True, capture_output=True)
    result = subprocess.run(
        [folder / "net_example"], input=pixels.tobytes(), capture_output=True, check=True
    )
    outputs = outputs_at(mirrored, runner, normalise(pixels, PREPROCESSING))
    assert (outputs != runner.output.dequantize(expected)).any()
    mask = decide(outputs, mirrored)
    np.testing.assert_array_equal(np.frombuffer(result.stdout, np.uint8), mask.ravel())

    cut = subprocess.run([folder / "net_example"], input=b"abc", capture_output=True, check=False)
    assert cut.returncode == 1
    assert len(cut.stderr.decode().splitlines()) == 1


@pytest.mark.parametrize("first", [False, True])
def test_the_example_takes_channels_with_a_scale_each(tmp_path, first):
    shape = (1, 3, 6, 7) if first else (1, 6, 7, 3)
    content = one_operator("LOGISTIC", [Draft(shape, scale=0.02, zero_point=-14)], Draft(shape))
    made = compiled(TfliteModel.parse(content, "net.tflite"))
    preprocessing = PreprocessingPlan(
        height=6, width=7, channels=3, scale=(0.01, 0.02, 0.015), offset=(-2.1, -2.0, -1.8)
    )
    library.export(made, (preprocessing, None), tmp_path / "net", "net")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    sent = np.moveaxis(pixels, -1, 0) if first else pixels
    result = subprocess.run(
        [build(tmp_path) / "net_example"], input=sent.tobytes(), capture_output=True, check=True
    )
    runner = EngineRunner(made)
    expected = runner.run(stored(runner.input, normalise(pixels, preprocessing)[None]))
    np.testing.assert_array_equal(np.frombuffer(result.stdout, np.int8), expected.ravel())
