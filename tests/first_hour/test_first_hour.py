"""Every command of the README and of the documentation, as written, in a fresh clone.

Each page is a newcomer's afternoon: its blocks run one after the other, in one folder, and so in
order. What they call ``path/to/images`` is there. Packages are those of the environment that runs
the tests, so that no minute goes into installing them.
"""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.first_hour.blocks import ROOT, blocks
from tinyseg.data.phantom import load_phantom

pytestmark = pytest.mark.slow

HOURS = 2 * 3600
PAGES = {
    language: {
        page: list(found) for page, found in itertools.groupby(blocks(language), lambda b: b.page)
    }
    for language in ("sh", "python")
}
# What pages assume to be there.
BEFORE = """
import numpy as np
import tf_keras as keras
from tinyseg.data import load
import tinyseg
_store = load("path/to/images")
_pairs = [_store.read(sample) for sample in _store.samples]
images, masks = (np.stack(part) for part in zip(*_pairs))
"""
# One that has learned: a network that finds nothing misses a gate.
MODELS = """
from functools import partial
import numpy as np, tf_keras as keras
keras.utils.set_random_seed(0)
conv = partial(keras.layers.Conv2D, kernel_size=3, padding="same", activation="relu")
image = keras.layers.Input((64, 64, 1))
fine = conv(8)(image)
coarse = conv(16)(conv(16)(keras.layers.MaxPooling2D(4)(fine)))
coarse = keras.layers.UpSampling2D(4)(conv(16, dilation_rate=2)(coarse))
joined = conv(8)(keras.layers.Concatenate()([fine, coarse]))
model = keras.Model(image, conv(1, activation="sigmoid")(joined))
data = np.load("path/to/arrays.npz")
model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
model.fit(data["images"] / 255, data["masks"], epochs=60, batch_size=8, verbose=0)
model.save("my.keras")
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone with images, in which ``make`` finds the environments made already."""
    folder = tmp_path_factory.mktemp("first hour") / "tinyseg"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    for name in (".venv", ".venv-mltk"):
        if (ROOT / name).exists():
            (folder / name).symlink_to((ROOT / name).resolve())
            (folder / name / ".ready").touch()
    write_images(folder / "path/to")
    run(folder, [sys.executable, "-c", MODELS])
    return folder


def write_images(folder):
    """Phantoms as anybody's folder of images and masks, and as one folder a class."""
    phantoms = load_phantom(60, 64)
    pairs = []
    for sample in phantoms.samples:
        pairs.append(phantoms.read(sample))
        image, mask = pairs[-1]
        for place, pixels in (
            (f"images/images/{sample.label}", image),
            (f"images/masks/{sample.label}", mask * 255),
            (f"classes/{sample.label}", image),
        ):
            (folder / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.squeeze(pixels)).save(folder / place / f"{sample.name}.png")
    images, masks = (np.stack([np.squeeze(p[part]) for p in pairs]) for part in (0, 1))
    np.savez(folder / "arrays.npz", images=images[..., None], masks=masks[..., None])


def run(folder, command):
    """Run a command in the clone, with its package before any that is installed."""
    path = f"{folder / '.venv/bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HOURS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def script(text):
    """A block as it is run: the clone is there already, and what says that it fails has to."""
    lines = []
    for line in text.splitlines():
        command, _, comment = line.partition(" #")
        if comment.strip().startswith("exit code 1"):
            lines.append(f"if {command}; then exit 9; fi")
        elif not line.startswith("git clone "):
            lines.append(line)
    return "\n".join(lines)


@pytest.mark.skipif(not shutil.which("make"), reason="make is missing")
@pytest.mark.parametrize("page", PAGES["sh"])
def test_commands(page, clone):
    for block in PAGES["sh"][page]:
        if not block.reason:
            run(clone, ["bash", "-euo", "pipefail", "-c", script(block.text)])


@pytest.mark.parametrize("page", PAGES["python"])
def test_python(page, clone):
    texts = [block.text for block in PAGES["python"][page] if not block.reason]
    if texts:
        run(clone, [sys.executable, "-c", "\n".join([BEFORE, *texts])])
