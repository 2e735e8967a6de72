"""Masks, overlays and tables of image files, as the command line makes them."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands import assert_bad_input, tinyseg
from tinyseg import data
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.runner import TensorSpec
from tinyseg.scoring.metrics import Confusion
from tinyseg.steps.predict import describe, find_images, predict_files

NETWORK = "attention_unet_ds_256k"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three phantoms with their masks beside them, as in BUSI."""
    folder = tmp_path_factory.mktemp("images")
    phantoms = data.load("phantom:count=3,size=150,seed=9")
    for sample in phantoms.samples:
        image, mask = phantoms.read(sample)
        cv2.imwrite(str(folder / f"{sample.name}.png"), image)
        cv2.imwrite(str(folder / f"{sample.name}_mask.png"), 255 * mask)
    return folder


def test_masks_of_a_shipped_network(images, tmp_path):
    result = tinyseg("predict", NETWORK, images, "-o", tmp_path / "out", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)
    assert [Path(row["image"]).stem for row in rows] == [f"phantom_000{n}" for n in range(3)]
    with (tmp_path / "out/predictions.csv").open(newline="") as stream:
        assert [{k: str(v) for k, v in row.items()} for row in rows] == list(csv.DictReader(stream))
    for row in rows:
        name = Path(row["image"]).stem
        mask = cv2.imread(str(tmp_path / f"out/{name}_mask.png"), cv2.IMREAD_UNCHANGED)
        truth = cv2.imread(str(images / f"{name}_mask.png"), cv2.IMREAD_UNCHANGED)
        assert mask.shape == truth.shape
        assert set(np.unique(mask)) <= {0, 255}
        assert (mask > 0).sum() == row["area_pixels"]
        assert Confusion.of(truth[None] > 0, mask[None] > 0).scores()["dice"][0] > 0.7
        assert (tmp_path / f"out/{name}_overlay.jpg").is_file()


def test_integer_file_without_a_plan_beside_it(images, tmp_path):
    source = Path(__file__).parents[2] / f"models/{NETWORK}/phantom/{NETWORK}.tflite"
    file = tmp_path / "alone.tflite"
    file.write_bytes(source.read_bytes())
    options = ["--backend", "tflm", "--json"]
    one = tinyseg("predict", file, images / "phantom_0001.png", *options, cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    row = json.loads(one.stdout)[0]
    assert row["area_pixels"] > 0
    assert (row["width"], row["height"]) == (150, 150)


def test_bad_input(images, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no image")
    for place, words in (
        (tmp_path / "none.png", ("no such file",)),
        (tmp_path / "empty", ("holds no images",)),
        (tmp_path / "text.png", ("text.png", "is not an image")),
    ):
        assert_bad_input(tinyseg("predict", NETWORK, place, cwd=tmp_path), *words)
    assert_bad_input(
        tinyseg("predict", "no_such_net", images, cwd=tmp_path), "no_such_net", "no such network"
    )


class Fixed:
    """A network that always says the same."""

    def __init__(self, output):
        self.input = TensorSpec((1, 8, 8, 1), "float32")
        self.output = TensorSpec((1, *output.shape), "float32")
        self._output = output

    def run(self, inputs):
        return np.repeat(self._output[None], len(inputs), axis=0)


def image_file(folder, name="a.png", size=(20, 30)):
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), np.full(size, 100, np.uint8))
    return folder / name


def test_several_regions_have_a_mask_each(tmp_path):
    outputs = np.zeros((8, 8, 2), np.float32)
    outputs[:4, :, 1] = 0.9
    path = image_file(tmp_path / "in")
    rows = predict_files(Fixed(outputs), PreprocessingPlan(8, 8, 1), [path], tmp_path)
    assert [row["region"] for row in rows] == [1, 2]
    assert [row["area_pixels"] for row in rows] == [0, 10 * 30]
    masks = [cv2.imread(str(tmp_path / f"a_mask_{n}.png"), -1) for n in (1, 2)]
    assert not masks[0].any()
    assert (masks[1][:10] == 255).all()


def test_classes_become_a_table(tmp_path):
    runner = Fixed(np.array([0.25, 0.75], np.float32))
    path = image_file(tmp_path / "in")
    settings = PreprocessingPlan(8, 8, 1)
    (row,) = predict_files(runner, settings, [path], tmp_path, ("cat", "dog"))
    assert row == {
        "image": str(path),
        "class": "dog",
        "probability of cat": 0.25,
        "probability of dog": 0.75,
    }
    assert predict_files(runner, settings, [path], tmp_path)[0]["class"] == "class 1"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["predictions.csv"]


def test_images_of_one_name_are_refused_before_anything_is_written(tmp_path):
    paths = [image_file(tmp_path / folder) for folder in ("one", "two")]
    with pytest.raises(InputError, match="would have the same name"):
        predict_files(Fixed(np.zeros((8, 8, 1))), PreprocessingPlan(8, 8, 1), paths, tmp_path)
    assert not list(tmp_path.glob("*.*"))


def test_masks_beside_images_are_left_out(tmp_path):
    for name in ("a.png", "a_mask.png", "a_mask_1.png", "lone_mask.png"):
        image_file(tmp_path, name)
    assert [path.name for path in find_images([tmp_path])] == ["a.png", "lone_mask.png"]


def test_areas_parts_and_boxes():
    mask = np.zeros((10, 12, 1), bool)
    mask[1:3, 2:5] = mask[6, 7] = True
    (row,) = describe(mask)
    assert row["area_pixels"] == 7
    assert row["area_share"] == pytest.approx(7 / 120, abs=1e-6)
    assert row["parts"] == 2
    assert [row[key] for key in ("left", "top", "box_width", "box_height")] == [2, 1, 6, 6]
