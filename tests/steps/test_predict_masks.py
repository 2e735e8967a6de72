"""Masks, boxes and tables by hand: not square, not in the middle, no threshold of a half."""

import csv
import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from tests.runtime.test_meaning import bilinear
from tinyseg.data.images import encode_image
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise, resize_image
from tinyseg.reporting.overlay import overlay
from tinyseg.runtime.runner import TensorSpec
from tinyseg.steps.predict import describe, find_images, predict_files, read_input

SETTINGS = PreprocessingPlan(4, 6, 1)


class Network:
    """A network that makes what a function makes of the input, and keeps what it was given."""

    def __init__(self, function, outputs=1):
        self.input = TensorSpec((1, 4, 6, 1), "float32")
        self.output = TensorSpec((1, 4, 6, outputs), "float32")
        self.seen, self._function = [], function

    def run(self, inputs):
        self.seen.append(inputs)
        return np.stack([self._function(image) for image in inputs]).astype(np.float32)


def write(folder, name, pixels):
    folder.mkdir(exist_ok=True)
    assert cv2.imwrite(str(folder / name), pixels)
    return folder / name


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.fixture
def ramp(tmp_path):
    """24 greys of the network's own size, in no order; probability = grey / 100."""
    greys = np.random.default_rng(1).permutation(24).reshape(4, 6).astype(np.uint8)
    return write(tmp_path / "in", "ramp.png", greys), greys


@pytest.mark.parametrize("threshold", [0.0, 0.07, 0.15, 0.22, 0.3])
def test_threshold_is_the_plans(ramp, tmp_path, threshold):
    path, greys = ramp
    settings = dataclasses.replace(SETTINGS, scale=0.01, threshold=threshold)
    (row,) = predict_files(Network(lambda image: image), settings, [path], tmp_path)
    # A probability that equals the threshold is background: of greys up to 23, so many lie above.
    expected = greys.astype(np.float32) * np.float32(0.01) > threshold
    assert row["area_pixels"] == expected.sum()
    np.testing.assert_array_equal(read(tmp_path / "ramp_mask.png"), 255 * expected)


def test_probability_at_the_threshold_is_background(ramp, tmp_path):
    path, _ = ramp
    outputs = np.full((4, 6, 1), 0.25)
    outputs[1, 4] = 0.2501
    outputs[3, 0] = 0.2499
    settings = dataclasses.replace(SETTINGS, threshold=0.25)
    (row,) = predict_files(Network(lambda _: outputs), settings, [path], tmp_path)
    assert (row["area_pixels"], row["left"], row["top"]) == (1, 4, 1)


def test_network_is_given_the_input_that_the_plan_describes(ramp, tmp_path):
    path, greys = ramp
    settings = dataclasses.replace(SETTINGS, scale=1 / 64, offset=-0.5)
    network = Network(lambda image: image)
    predict_files(network, settings, [path], tmp_path)
    np.testing.assert_array_equal(network.seen[0][0, :, :, 0], greys / 64 - 0.5)
    image, pixels = read_input(path, settings)
    np.testing.assert_array_equal(image, greys)
    np.testing.assert_array_equal(pixels[..., 0], greys / 64 - 0.5)


def test_images_of_their_own_sizes_get_masks_of_these_sizes(tmp_path):
    """Several files, one with colour; each has its row, its mask and its overlay."""
    rng = np.random.default_rng(5)
    sizes = {"a.png": (8, 18), "b.png": (20, 12, 3), "c.png": (4, 6)}
    paths = [
        write(tmp_path / "in", name, rng.integers(0, 256, size).astype(np.uint8))
        for name, size in sizes.items()
    ]
    settings = dataclasses.replace(SETTINGS, threshold=0.6)
    rows = predict_files(Network(lambda image: image), settings, paths, tmp_path)
    assert [row["image"] for row in rows] == [str(path) for path in paths]
    for row, path, size in zip(rows, paths, sizes.values(), strict=True):
        image, pixels = read_input(path, settings)
        assert (row["height"], row["width"]) == image.shape[:2] == size[:2]
        np.testing.assert_array_equal(pixels, normalise(resize_image(image, settings), settings))
        mask = read(tmp_path / f"{path.stem}_mask.png")
        # The probabilities are interpolated between the centres of pixels, then decide.
        probability = bilinear(pixels[..., 0], size[:2])
        sure = abs(probability - 0.6) > 1e-4
        np.testing.assert_array_equal(mask[sure], 255 * (probability > 0.6)[sure])
        assert row["area_pixels"] == (mask > 0).sum()
        assert row["region"] == 1
        drawn = encode_image(overlay(image, mask[..., None] > 0), ".jpg")
        assert (tmp_path / f"{path.stem}_overlay.jpg").read_bytes() == drawn
    with (tmp_path / "predictions.csv").open(newline="") as stream:
        assert list(csv.DictReader(stream)) == [{k: str(v) for k, v in r.items()} for r in rows]
    assert (tmp_path / "predictions.csv").read_bytes().count(b"\r") == 0


def test_three_regions_have_masks_and_rows_in_their_order(tmp_path):
    outputs = np.zeros((4, 6, 3), np.float32)
    outputs[0, 0, 0] = outputs[1, 1:3, 1] = outputs[2:4, 3:6, 2] = 1
    path = write(tmp_path / "in", "a.png", np.zeros((8, 18), np.uint8))
    rows = predict_files(Network(lambda _: outputs, 3), SETTINGS, [path], tmp_path)
    assert [row["region"] for row in rows] == [1, 2, 3]
    for number, row in enumerate(rows, start=1):
        mask = read(tmp_path / f"a_mask_{number}.png")
        probability = bilinear(outputs[..., number - 1], (8, 18))
        sure = abs(probability - 0.5) > 1e-4
        np.testing.assert_array_equal(mask[sure], 255 * (probability > 0.5)[sure])
        assert (mask > 0).sum() == row["area_pixels"]
    assert not (tmp_path / "a_mask.png").exists()
    assert len(list(tmp_path.glob("a_mask*"))) == 3


def test_the_two_regions_of_a_network_are_told_apart_by_number(tmp_path):
    path = write(tmp_path / "in", "a.png", np.zeros((4, 6), np.uint8))
    predict_files(Network(lambda _: np.ones((4, 6, 2)), 2), SETTINGS, [path], tmp_path)
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["a_mask_1.png", "a_mask_2.png"]


def test_box_that_is_neither_square_nor_in_the_middle():
    mask = np.zeros((9, 14, 1), bool)
    mask[5:7, 1:12] = True
    mask[5, 3] = False
    (row,) = describe(mask)
    assert row == {
        "width": 14,
        "height": 9,
        "region": 1,
        "area_pixels": 21,
        "area_share": round(21 / 126, 6),
        "parts": 1,
        "left": 1,
        "top": 5,
        "box_width": 11,
        "box_height": 2,
    }


def test_nothing_found_and_everything_found():
    masks = np.zeros((3, 5, 2), bool)
    masks[..., 1] = True
    nothing, everything = describe(masks)
    assert (nothing["region"], everything["region"]) == (1, 2)
    assert (nothing["area_pixels"], nothing["area_share"], nothing["parts"]) == (0, 0, 0)
    keys = ("left", "top", "box_width", "box_height")
    assert [nothing[key] for key in keys] == [""] * 4
    assert [everything[key] for key in keys] == [0, 0, 5, 3]
    assert (everything["area_pixels"], everything["area_share"], everything["parts"]) == (15, 1, 1)


def test_shares_have_six_places():
    mask = np.zeros((1000, 700, 1), bool)
    mask[0, :2] = True
    assert describe(mask)[0]["area_share"] == 0.000003


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_rows_are_those_of_scipy(height, width, regions, seed):
    masks = np.random.default_rng(seed).random((height, width, regions)) > 0.7
    rows = describe(masks)
    assert len(rows) == regions
    for number, row in enumerate(rows):
        mask = masks[..., number]
        # Pixels that touch at a corner are of one part.
        parts = ndimage.label(mask, np.ones((3, 3)))[1]
        assert (row["region"], row["parts"], row["area_pixels"]) == (number + 1, parts, mask.sum())
        assert row["area_share"] == round(mask.mean(), 6)
        if mask.any():
            down, right = ndimage.find_objects(mask.astype(int))[0]
            box = right.start, down.start, right.stop - right.start, down.stop - down.start
            assert (row["left"], row["top"], row["box_width"], row["box_height"]) == box


def test_class_is_the_likeliest_of_each_image(tmp_path):
    shares = iter([[0.2, 0.5, 0.3], [0.123456789, 0.3, 0.576543211]])
    paths = [write(tmp_path / "in", f"{n}.png", np.zeros((4, 6), np.uint8)) for n in "ab"]
    network = Network(lambda _: np.array(next(shares)))
    first, second = predict_files(network, SETTINGS, paths, tmp_path, ("cat", "dog", "cow"))
    assert (first["class"], second["class"]) == ("dog", "cow")
    assert second["probability of cat"] == 0.123457
    assert [name for name in second if name.startswith("probability")] == [
        "probability of cat",
        "probability of dog",
        "probability of cow",
    ]


def test_folders_and_files_are_all_looked_at_in_order(tmp_path):
    blank = np.zeros((4, 6), np.uint8)
    one = [write(tmp_path / "one", f"{n}.png", blank) for n in ("b", "c", "c_mask", "a")]
    two = [write(tmp_path / "two", f"{n}.png", blank) for n in ("d", "d_mask_2", "e_mask")]
    alone = write(tmp_path, "a_mask.png", blank)
    found = find_images([tmp_path / "one", alone, tmp_path / "two"])
    # A mask that is named is meant; in folders one without its image is an image itself.
    assert found == [one[3], one[0], one[1], alone, two[0], two[2]]
    (tmp_path / "empty").mkdir()
    for place, words in ((tmp_path / "empty", "holds no images"), (tmp_path / "x", "no such file")):
        with pytest.raises(InputError, match=words):
            find_images([alone, place])


def test_third_image_of_one_name_is_noticed_wherever_it_lies(tmp_path):
    blank = np.zeros((4, 6), np.uint8)
    paths = [write(tmp_path / folder, name, blank) for folder, name in
             (("b", "x.png"), ("b", "y.png"), ("a", "x.jpg"))]  # fmt: skip
    for order in (paths, paths[::-1]):
        with pytest.raises(InputError, match="the same name"):
            predict_files(Network(lambda image: image), SETTINGS, order, tmp_path)
    # The very same file twice would give the same mask.
    assert len(predict_files(Network(lambda image: image), SETTINGS, paths[:1] * 2, tmp_path)) == 2


def test_image_of_other_channels_is_named(tmp_path):
    path = write(tmp_path / "in", "rgba.png", np.zeros((4, 6, 3), np.uint8))
    settings = dataclasses.replace(SETTINGS, channels=4)
    with pytest.raises(InputError, match="have 3 channels") as caught:
        read_input(path, settings)
    assert str(caught.value).startswith(f"{path}: ")
