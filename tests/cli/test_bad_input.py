"""Bad images, arguments and files end in one line before anything is written."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.commands import assert_bad_input, tinyseg
from tinyseg.data.phantom import load_phantom


def folder(root, count=6, size=32):
    """Write phantoms as a generic folder of images and masks."""
    phantoms = load_phantom(count, size)
    for sample in phantoms.samples:
        image, mask = phantoms.read(sample)
        for kind, values in (("images", image), ("masks", mask * 255)):
            (root / kind / sample.label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(root / kind / sample.label / f"{sample.name}.png")
    return root


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda r: (r / "masks/benign/phantom_0000.png").unlink(), ["phantom_0000.png", "mask"]),
        (lambda r: (r / "images/benign/phantom_0001.png").unlink(), ["phantom_0001.png", "image"]),
        (lambda r: (r / "images/benign/phantom_0000.png").write_bytes(b""), ["empty"]),
        (
            lambda r: (r / "images/benign/phantom_0000.png").write_bytes(
                (r / "images/benign/phantom_0000.png").read_bytes()[:200]
            ),
            ["phantom_0000.png", "decode"],
        ),
        (
            lambda r: Image.fromarray(np.zeros((8, 9), np.uint8)).save(
                r / "masks/benign/phantom_0000.png"
            ),
            ["9x8", "32x32"],
        ),
        (
            lambda r: (
                Image.fromarray(np.full((32, 32), np.nan, np.float32)).save(
                    r / "images/benign/phantom_0000.tif"
                )
                or (r / "images/benign/phantom_0000.png").unlink()
            ),
            ["phantom_0000.tif", "NaN"],
        ),
    ],
    ids=["no mask", "no image", "empty", "truncated", "size", "nan"],
)
def test_bad_images_stop_training_before_it_starts(tmp_path, damage, words):
    root = folder(tmp_path / "data set (1)")
    damage(root)
    result = tinyseg("train", "attention_unet_ds", "--data", root, "--size", 32, cwd=tmp_path)
    assert_bad_input(result, *words)
    assert not (tmp_path / "build").exists()
    checked = tinyseg("data", "check", root, cwd=tmp_path)
    assert checked.returncode == 1
    assert any(word in checked.stdout for word in words)


def test_bad_arguments(tmp_path):
    (tmp_path / "empty").mkdir()
    cases = [
        (["train", "nonet"], ["nonet", "attention_unet"]),
        (["train", "attention_unet", "--data", "nowhere"], ["nowhere"]),
        (["train", "attention_unet", "--data", "empty"], ["empty"]),
        (["train", "attention_unet", "--data", "phantom:count=x"], ["count="]),
        (["train", "attention_unet", "--data", "phantom:count=2,size=32", "--size", 32], ["split"]),
        (["train", "attention_unet", "--size", 100], ["112x112"]),
        (["train", "attention_unet", "--set", "training.epoch=2"], ["epoch"]),
        (["train", "attention_unet", "--plan", "no.yaml"], ["no.yaml"]),
        (["train", "attention_unet", "--epochs", "many"], ["many"]),
        (["quantize", "attention_unet", "--weights", "no.h5"], ["no.h5"]),
        (["quantize", "attention_unet_ds", "--recipe", "int4"], ["int4", "static_wi8_ai8"]),
        (["evaluate", "missing.tflite"], ["missing.tflite"]),
        (["data", "check", "nowhere"], ["nowhere"]),
        (["frobnicate"], ["frobnicate"]),
    ]
    for arguments, words in cases:
        assert_bad_input(tinyseg(*arguments, cwd=tmp_path), *words)
    assert not (tmp_path / "build").exists()


def test_split_file_with_duplicates_across_parts(tmp_path):
    root = folder(tmp_path / "data")
    source = root / "images/benign/phantom_0000.png"
    (root / "images/benign/copy.png").write_bytes(source.read_bytes())
    mask = root / "masks/benign/phantom_0000.png"
    (root / "masks/benign/copy.png").write_bytes(mask.read_bytes())
    names = ["benign/phantom_0000", "benign/phantom_0001", "benign/copy"]
    split = dict(zip(("train", "validation", "test"), ([name] for name in names), strict=True))
    (tmp_path / "split.json").write_text(json.dumps(split))
    result = tinyseg(
        "train", "attention_unet_ds", "--data", root, "--size", 32, "--split", "split.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert_bad_input(result, "split.json", "near-duplicates", "copy")
