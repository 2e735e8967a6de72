"""Pictures of a network's inside hold what was given."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from tinyseg.data.phantom import load_phantom
from tinyseg.reporting import inside


def frames(gif):
    with Image.open(io.BytesIO(gif)) as image:
        assert image.format == "GIF"
        assert image.info["loop"] == 0
        made = []
        for number in range(image.n_frames):
            image.seek(number)
            made.append(np.asarray(image.convert("RGB")).astype(int))
        return made


def test_one_frame_an_epoch():
    image = np.full((16, 16, 1), 100, np.uint8)
    closed, opened = np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)
    maps = [(1, {"coarse": closed, "fine": closed}), (2, {"coarse": closed, "fine": opened})]
    first, second = frames(inside.attention_animation(image, maps))
    side = first.shape[1] // 3
    middle = first.shape[0] // 2
    # The image stays, the coarse gate too; the fine one turns bright.
    changed = np.abs(first - second)[middle - 20 : middle + 20].max(axis=(0, 2))
    assert changed[: 2 * side].max() == 0
    assert changed[2 * side :].min() > 50
    assert second[middle, -side // 2].sum() > first[middle, -side // 2].sum()


def test_animation_of_thirty_epochs_is_light():
    phantoms = load_phantom(1, size=128)
    image = phantoms.read(phantoms.samples[0])[0][..., None]
    # From noise to a slope, as gates settle.
    noise, slope = np.random.default_rng(0).random((16, 16)), np.linspace(0, 1, 16)[:, None]
    gates = [255 * (noise + (slope - noise) * epoch / 30) for epoch in range(30)]
    maps = [
        (epoch, dict.fromkeys("abcd", gate.astype(np.uint8)))
        for epoch, gate in enumerate(gates, start=1)
    ]
    animation = inside.attention_animation(image, maps)
    assert len(frames(animation)) == 30
    assert len(animation) < 1_500_000


def test_colours_of_a_region_that_few_slices_show():
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 1)).astype(np.uint8)
    masks = np.zeros((40, 32, 32, 2), bool)
    masks[20:25, 8:20, 8:20, 1] = True
    made = frames(inside.volume_animation(images, masks, masks))
    drawn = inside._square(inside.overlay(inside.grey(images[22]), masks[22])).astype(int)
    assert np.abs(made[22][18:210, :192] - drawn).mean() < 12


def test_filters_show_sign_and_size():
    kernel = np.zeros((3, 3, 1, 10))
    kernel[0, 0, 0, 4], kernel[2, 2, 0, 4] = 0.5, -0.25
    sheet = cv2.imdecode(np.frombuffer(inside.filters(kernel), np.uint8), cv2.IMREAD_COLOR)
    tiles = sheet.reshape(2, 44, 8, 44, 3)[:, 2:42, :, 2:42].transpose(0, 2, 1, 3, 4)
    shown = tiles[0, 4]
    assert (shown[5, 5] == 255).all()
    assert (shown[-5, -5] == round(127.5 * 0.5)).all()
    assert (shown[20, 20] == 128).all()
    assert (tiles[0, 3] == 128).all()
    # Ten filters in rows of eight.
    assert (tiles[1, 1] == 128).all()
    assert (tiles[1, 2:] == 255).all()


def test_filters_of_colour_images_are_coloured():
    kernel = np.zeros((1, 1, 3, 1))
    kernel[..., 0, 0] = 1
    sheet = cv2.imdecode(np.frombuffer(inside.filters(kernel), np.uint8), cv2.IMREAD_COLOR)
    assert sheet[22, 22].tolist() == [128, 128, 255]


@pytest.mark.parametrize("channels", [1, 4])
def test_volume_has_a_frame_for_each_slice(channels):
    images = np.full((3, 20, 24, channels), 90, np.uint8)
    truths, masks = np.zeros((2, 3, 20, 24, 3), bool)
    truths[1, 5:15, 5:15, 0] = True
    made = frames(inside.volume_animation(images, truths, masks))
    assert len(made) == 3
    half = made[0].shape[1] // 2
    area = slice(18, -18)
    left, right = np.abs(made[1] - made[0])[area, :half], np.abs(made[1] - made[0])[area, half:]
    assert left.max() > 50
    assert right.max() == 0


def test_panels():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    mask = np.zeros((16, 16), bool)
    row = inside.Panel("a", image, mask, mask.astype(float), mask, 1.0)
    with Image.open(io.BytesIO(inside.panels([row, row]))) as drawn:
        assert drawn.format == "JPEG"
        assert drawn.width > drawn.height


def test_a_bar_below_says_what_the_colours_of_a_gate_mean():
    image, gate = np.zeros((16, 16, 1), np.uint8), np.zeros((2, 2), np.uint8)
    (frame,) = frames(inside.attention_animation(image, [(0, {"gate": gate})]))
    bar = frame[-9, frame.shape[1] // 4 : -frame.shape[1] // 4].sum(axis=-1)
    # Dark to bright, but for what a palette of few colours rounds.
    assert bar[0] < 30
    assert bar[-1] > 500
    assert (np.diff(bar) > -60).all()
