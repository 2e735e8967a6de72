"""What the tests of the command line share."""

import pytest
from PIL import Image

from tests import fixtures
from tests.cli.board_runs import images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory with a network's file, whose name has a space, and two images."""
    path = tmp_path_factory.mktemp("on board")
    (path / "small net.tflite").write_bytes(fixtures.quantized())
    (path / "other.tflite").write_bytes(fixtures.quantized(base_width=8))
    for index, pixels in enumerate(images()):
        Image.fromarray(pixels).save(path / f"scan {index}.png")
    return path
