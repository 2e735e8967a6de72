"""The process that TensorFlow Lite Micro runs in tells of each image at once."""

import numpy as np
import pytest

from tests.fixtures import Draft, one_operator
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel


class Heard(Exception):
    """The first image was told of."""


def test_images_are_told_of_while_others_run(tmp_path, monkeypatch):
    """Not at the end, when the outputs lie there already."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    draft = Draft((1, 128, 128, 4))
    model = TfliteModel.parse(one_operator("TANH", [draft], Draft(draft.shape, scale=1 / 128)))

    def hear():
        files = [path.name for path in tmp_path.rglob("*.npy")]
        assert files == ["inputs.npy"]
        raise Heard

    with pytest.raises(Heard):
        TflmRunner(model, progress=hear).run(np.zeros((800, 128, 128, 4), np.int8))
    assert list(tmp_path.iterdir()) == []
