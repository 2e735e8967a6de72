"""Networks and images that teach nothing are refused, whatever the command."""

import dataclasses

import numpy as np
import pytest
import tf_keras as keras
from PIL import Image

from tests.steps.foreign import PHANTOM, head
from tests.steps.foreign import write as write_file
from tinyseg.data.dataset import Sample
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.steps.images import sample
from tinyseg.steps.networks import training_plan
from tinyseg.steps.quantize import quantize
from tinyseg.steps.session import Session
from tinyseg.steps.train import train
from tinyseg.steps.verify import verify
from tinyseg.verification.gates import Gate

SMALL = {
    "model.arguments.base_width": 4,
    "model.arguments.depth": 2,
    "preprocessing.height": 32,
    "preprocessing.width": 32,
    "training.epochs": 1,
}


def write(folder, marked):
    """Grey images with a bright disc each, which the masks show or not."""
    y, x = np.mgrid[:32, :32]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(24):
        rng = np.random.default_rng(number)
        disc = (y - rng.uniform(9, 22)) ** 2 + (x - rng.uniform(9, 22)) ** 2 < 36
        image = rng.normal(70, 18, (32, 32)) + 85 * disc
        for kind, pixels in (("images", image.clip(0, 255)), ("masks", 255 * disc * marked)):
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{number:02}.png")
    return str(folder)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Images with lesions, and the same without a mask pixel."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield write(folder / "lesions", True), write(folder / "empty", False)


@pytest.fixture(scope="module")
def trained(sources, tmp_path_factory):
    """A network after one epoch, which finds nothing."""
    plan = training_plan("lw_unet", {"data.source": sources[0], **SMALL})
    return train(plan, tmp_path_factory.mktemp("run"))


def test_training_tells_that_nothing_was_learned(sources, tmp_path, caplog):
    plan = training_plan("lw_unet", {"data.source": sources[0], **SMALL})
    made = train(plan, tmp_path)
    assert made.validation["dice"] == 0
    assert f"{made.weights}: the network finds nothing: Dice 0.0000 over" in caplog.text


@pytest.mark.parametrize("which", [0, 1])
def test_a_black_network_passes_neither_quantize_nor_verify(sources, trained, tmp_path, which):
    session = Session.to_quantize("lw_unet", sources[which], weights=trained.weights)
    run = quantize(session, tmp_path, verify_images=2, profiled=False)
    (line,) = run.failures
    reason = ("the float network finds nothing", "none of the 4 images has foreground")[which]
    assert reason in line
    assert run.verification.misses(Gate.TRIVIAL)
    verdict = verify(Session.open_file(str(run.path), sources[which]), 2)
    assert [missed.gate for missed in verdict.missed] == [Gate.TRIVIAL]


def test_what_others_files_find_in_phantoms_is_no_gate(sources, tmp_path):
    """They may be made for anything else; on images that the user names it is one."""
    blank = head(keras.layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(-9)))
    path = write_file(tmp_path / "blank.tflite", blank)
    verdict = verify(Session.open_file(path, PHANTOM), 2)
    assert (verdict.missed, verdict.bit_exact) == ((), True)
    (line,) = [line for line in verdict.warnings if "finds nothing" in line]
    assert "these are generated phantoms" in line
    verdict = verify(Session.open_file(path, sources[0]), 2)
    assert [missed.gate for missed in verdict.missed] == [Gate.TRIVIAL]


def test_images_without_foreground_are_not_trained_on(sources, tmp_path):
    plan = training_plan("lw_unet", {"data.source": sources[1], **SMALL})
    with pytest.raises(InputError) as caught:
        train(plan, tmp_path / "out")
    assert str(caught.value).startswith(f"{sources[1]}: none of the 16 training images has ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_sample_has_foreground_if_any_image_has():
    masks = np.zeros((9, 4, 4, 1), np.uint8)
    masks[3, 1, 1] = 1
    samples = tuple(Sample(f"{n}") for n in range(9))
    store = ImageStore(samples, masks, masks, np.zeros((9, 1), np.float32), "")
    assert sample(store, 3).names == ["0", "3", "8"]
    assert sample(store, 4).names == ["0", "3", "5", "8"]
    assert sample(store, 99).names == store.names
    blank = dataclasses.replace(store, masks=0 * masks)
    assert sample(blank, 3).names == ["0", "4", "8"]
