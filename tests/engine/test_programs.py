"""Whole networks on the engine: output bytes are those of TensorFlow Lite Micro."""

from pathlib import Path

import numpy as np
import pytest

from tests import mlperf_tiny
from tests.tflite.drafts import on_tflm
from tinyseg.engine.compiled import compiled
from tinyseg.runtime.engine import EngineRunner, HostProgram
from tinyseg.tflite import TfliteModel

PUBLISHED = sorted((Path(__file__).parents[2] / "models").glob("*/*/*.tflite"))
# 2.9 G multiply-accumulates take TFLM's reference kernels ten seconds.
LARGE = "attention_unet_ds.tflite"


def pictures(seed, shape):
    """Stored inputs of patches under noise, as images are."""
    random = np.random.default_rng(seed)
    if len(shape) != 4:
        return random.integers(-128, 128, shape).astype(np.int8)
    _, height, width, channels = shape
    patches = random.integers(-128, 100, (1, -(-height // 16), -(-width // 16), channels))
    smooth = patches.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    return (smooth + random.integers(0, 28, shape)).astype(np.int8)


def check(content, images=2, arena=1 << 26):
    """The engine's bytes are TFLM's; they vary."""
    program = HostProgram(compiled(TfliteModel.parse(content)))
    (tensor,) = program.compiled.integer.inputs
    varied = False
    for seed in range(images):
        values = pictures(seed, tensor.shape)
        (made,) = program.run([values])
        (expected,) = on_tflm(program.compiled.integer.content, [values], arena)
        np.testing.assert_array_equal(made, expected.reshape(made.shape))
        varied |= made.std() > 0
    assert varied


def test_there_are_published_files():
    assert len(PUBLISHED) >= 7


@pytest.mark.parametrize(
    "path", [p for p in PUBLISHED if p.name != LARGE], ids=lambda p: "/".join(p.parts[-2:])
)
def test_published_files(path):
    check(path.read_bytes())


@pytest.mark.parametrize("name", mlperf_tiny.NETWORKS)
def test_networks_of_mlperf_tiny(name):
    check(mlperf_tiny.int8_file(name))


@pytest.mark.slow
def test_the_large_published_file():
    (path,) = [path for path in PUBLISHED if path.name == LARGE]
    check(path.read_bytes(), images=1, arena=1 << 27)


def test_floats_at_the_border_become_integers(seed_file):
    """The seed's file takes and gives float32."""
    runner = EngineRunner(TfliteModel.read(seed_file))
    assert runner.input.dtype == "float32"
    image = np.random.default_rng(0).random((1, *runner.input.shape[1:]), np.float32)
    made = runner.run(image)
    assert made.dtype == np.float32
    assert 0 <= made.min() < made.max() <= 1


@pytest.fixture
def seed_file():
    from tests.fixtures import seed_folder

    return Path(seed_folder()) / "ds_cnn_model_quant.tflite"


def test_planned_memory_is_all_that_the_runtime_gets():
    """Each region has exactly the planned bytes; one byte less is refused."""
    made = compiled(TfliteModel.read(PUBLISHED[-1]))
    assert made.ram == sum(made.placement.regions)
    program = HostProgram(made)
    (tensor,) = made.integer.inputs
    program.run([np.zeros(tensor.shape, np.int8)])


def test_the_same_bytes_every_time():
    model = TfliteModel.read(PUBLISHED[-1])
    assert compiled(model).content == compiled(model).content
