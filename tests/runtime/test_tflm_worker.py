"""The process that TensorFlow Lite Micro runs in: its outputs, and word of each image at once."""

import subprocess
import sys

import numpy as np
import pytest

from tests.fixtures import Draft, one_operator, reference_outputs
from tinyseg.runtime import tflm_worker
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel


class Heard(Exception):
    """The first image was told of."""


def tanh(*shape):
    """A file whose outputs differ wherever its inputs do."""
    draft = Draft(shape)
    return one_operator("TANH", [draft], Draft(shape, scale=1 / 128))


def test_images_are_told_of_while_others_run(tmp_path, monkeypatch):
    """Not at the end, when the outputs lie there already."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    # It would send every line at once by itself.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    model = TfliteModel.parse(tanh(1, 128, 128, 4))

    def hear():
        files = [path.name for path in tmp_path.rglob("*.npy")]
        assert files == ["inputs.npy"]
        raise Heard

    with pytest.raises(Heard):
        TflmRunner(model, progress=hear).run(np.zeros((800, 128, 128, 4), np.int8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("images", [0, 1, 3])
def test_writes_the_output_of_each_image(images, tmp_path):
    content = tanh(1, 3, 5, 2)
    inputs = np.random.default_rng(0).integers(-9, 9, (images, 3, 5, 2)).astype(np.int8)
    paths = [tmp_path / name for name in ("model.tflite", "inputs.npy", "outputs.npz")]
    paths[0].write_bytes(content)
    np.save(paths[1], inputs)
    command = [sys.executable, tflm_worker.__file__, paths[0], 1 << 16, *paths[1:]]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["loaded", *["image"] * images]
    assert "Arena allocation total" in done.stderr
    outputs = np.load(paths[2])["arr_0"]
    assert len(outputs) == images
    if images:
        np.testing.assert_array_equal(outputs, reference_outputs(content, inputs))
