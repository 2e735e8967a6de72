"""Folders as users have them, from the command line to masks: what is said and where it stops."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.commands import assert_bad_input, tinyseg
from tests.data.makers import noise, save
from tests.fixtures import convert

SMALL = (
    *("--epochs", "1", "--size", "32"),
    *("--set", "model.arguments.base_width=4", "--set", "model.arguments.depth=2"),
)


def scene(number, *values):
    """A noisy picture and its label map: a bright ellipse for each value."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:48, :48]
    image, label = rng.normal(70, 18, (48, 48)), np.zeros((48, 48), np.uint8)
    for value in values:
        cy, cx = rng.uniform(14, 34, 2)
        inside = ((y - cy) / rng.uniform(5, 10)) ** 2 + ((x - cx) / rng.uniform(5, 10)) ** 2 < 1
        label[inside], image[inside] = value, image[inside] + 60 + 5 * value
    return image.clip(0, 255).astype(np.uint8), label


def lay(root, labels, as_mask=Image.fromarray):
    """Write pictures with these label values and their masks."""
    truth = []
    for number, values in enumerate(labels):
        image, label = scene(number, *values)
        save(root / f"images/{number:02}.png", image)
        path = root / f"masks/{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        as_mask(label).save(path)
        truth.append(label)
    return np.stack(truth)


def test_labels_of_two_kinds(tmp_path):
    truth = lay(tmp_path / "set", [(1, 2), (1,), (2,)] * 8)
    checked = tinyseg("data", "check", "set", "--json", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    report = json.loads(checked.stdout)
    for name in ("1", "2"):
        assert report["regions"][name] == pytest.approx((truth == int(name)).mean())
    trained = tinyseg("train", "lw_unet", "--data", "set", *SMALL, "-o", "out", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "warning: set: masks hold the labels 1, 2, each a region" in trained.stderr
    predicted = tinyseg("predict", "out/weights.h5", "set/images/00.png", "--json", cwd=tmp_path)
    assert [row["region"] for row in json.loads(predicted.stdout)] == [1, 2]


def test_trimap_asks_and_takes_the_answer(tmp_path):
    lay(tmp_path / "set", [(1,)] * 24, lambda label: Image.fromarray(2 - label))
    for verb in (("data", "check", "set"), ("train", "lw_unet", "--data", "set", *SMALL)):
        asked = tinyseg(*verb, cwd=tmp_path)
        assert asked.returncode == (1 if "check" in verb else 2)
        assert "holds 1, 2 and no 0" in asked.stdout + asked.stderr
        assert "--labels" in asked.stdout + asked.stderr
    answered = tinyseg("data", "check", "set", "--labels", "pet=1", cwd=tmp_path)
    assert answered.returncode == 0, answered.stdout
    trained = tinyseg(
        *("train", "lw_unet", "--data", "set", "--labels", "pet=1", "-o", "out", "--dry-run"),
        cwd=tmp_path,
    )
    assert json.loads(trained.stdout)["data"]["source"] == "set:labels=pet:1"
    assert_bad_input(tinyseg("train", "lw_unet", "--labels", "1", cwd=tmp_path), "--data")


def palette(label):
    image = Image.frombytes("P", label.shape[::-1], label.tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0] + 18 * [9] + [64, 0, 0])
    return image


def test_palettes_are_indices_and_warnings_one_line(tmp_path):
    truth = lay(tmp_path / "set", [(1, 8), (8,), (1,)] * 8, palette)
    checked = tinyseg("data", "check", "set", "--json", cwd=tmp_path)
    report = json.loads(checked.stdout)
    assert report["foreground"]["pooled"] == pytest.approx((truth > 0).mean())
    said = tinyseg("data", "check", "set", cwd=tmp_path).stdout.splitlines()
    warnings = [line for line in said if line.startswith("warning: ") and "palette" in line]
    assert warnings == [
        "warning: set/masks/00.png and 23 more: has a palette, whose indices are read, not its "
        "colours"
    ]


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """A file that marks what is brighter than half of white on the mean."""
    import tf_keras as keras

    image = keras.layers.Input((32, 32, 1), batch_size=1)
    layer = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")
    model = keras.Model(image, layer(image))
    layer.set_weights([np.full((3, 3, 1, 1), 10 / 9, "f4"), np.array([-5], "f4")])
    calibration = np.random.default_rng(0).random((16, 32, 32, 1)).astype("f4")
    path = tmp_path_factory.mktemp("bright") / "bright.tflite"
    path.write_bytes(convert(model, calibration))
    return path


def test_images_of_8_12_16_and_32_bits_have_one_area(tmp_path, bright):
    y, x = np.mgrid[:64, :64]
    disc = np.where((x - 30) ** 2 + (y - 34) ** 2 < 15**2, 200, 60)
    save(tmp_path / "d8.png", disc.astype(np.uint8))
    save(tmp_path / "d16.png", (disc * 257).astype(np.uint16))
    save(tmp_path / "d12.png", (disc * 16).astype(np.uint16))
    save(tmp_path / "d32.tif", disc.astype(np.int32))
    areas = {}
    for name, bits in (("d8.png", 0), ("d16.png", 16), ("d12.png", 12), ("d32.tif", 8)):
        result = tinyseg("predict", bright, name, "--json", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        areas[name] = json.loads(result.stdout)[0]["area_pixels"]
        assert bool(bits) == (f"read as {bits} bits" in result.stderr)
    assert areas["d8.png"] > 500
    # A pixel on the edge rounds one way in 8 bits, another in more.
    assert np.ptp(list(areas.values())) <= 2


def test_doubts_are_told_where_images_are_used(tmp_path, bright):
    for number in range(3):
        tags = Image.Exif()
        tags[0x0112] = 3
        save(tmp_path / f"in/{number}.png", noise(number), exif=tags)
    result = tinyseg("predict", bright, "in", cwd=tmp_path)
    assert result.returncode == 0
    told = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert told == [
        "warning: in/0.png and 2 more: has EXIF orientation 3, which other tools may ignore; "
        "save it upright"
    ]
