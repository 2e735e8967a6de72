"""How far images are moved and their grey levels changed, read off the results themselves.

The images say where each of their pixels came from: one plane holds its column, one its row.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyseg.data.augmentation import MILD, WIDE, Ranges, grey_levels, move

HEIGHT, WIDTH = 80, 120
NONE = Ranges(0, 0, (1, 1), (1, 1), 0)
SEEDS = range(300)


def places(height=HEIGHT, width=WIDTH):
    """Columns, rows and both backwards: four planes that change by 1 a pixel at most."""
    y, x = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([x, y, 255 - x, 255 - y], -1)


def origins(seed, ranges, step=1):
    """Columns and rows where the pixels of a moved image come from, float ``(h, w)`` each."""
    image = np.ascontiguousarray(places()[..., :2] * np.uint8(step))
    moved, _ = move(
        image, np.zeros((HEIGHT, WIDTH, 0), np.uint8), np.random.default_rng(seed), ranges
    )
    return moved[..., 0] / step, moved[..., 1] / step


def forward_map(seed, ranges):
    """Fit the affine map of old places to new ones, ``(2, 3)``, to the middle of an image."""
    x, y = origins(seed, ranges)
    rows, columns = slice(HEIGHT // 4, -HEIGHT // 4), slice(WIDTH // 4, -WIDTH // 4)
    new_y, new_x = np.mgrid[:HEIGHT, :WIDTH]
    here = np.stack([new_x, new_y, np.ones_like(new_x)], -1)[rows, columns].reshape(-1, 3)
    from_where = np.stack([x, y], -1)[rows, columns].reshape(-1, 2)
    back = np.vstack([np.linalg.lstsq(here, from_where, rcond=None)[0].T, [0, 0, 1]])
    return np.linalg.inv(back)[:2]


@dataclasses.dataclass
class Movement:
    """What an affine map does, one number a map."""

    angle: np.ndarray  # degrees
    zoom: np.ndarray
    stretch: np.ndarray  # factor of the width before the rotation; the height has its inverse
    flipped: np.ndarray
    across: np.ndarray  # shift of the middle in pixels
    down: np.ndarray


def movements(ranges, seeds=SEEDS):
    maps = np.stack([forward_map(seed, ranges) for seed in seeds])
    linear = maps[:, :, :2]
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    shift = linear @ middle + maps[:, :, 2] - middle
    determinant = np.linalg.det(linear)
    first, second = (np.linalg.norm(linear[:, :, column], axis=1) for column in (0, 1))
    return Movement(
        np.degrees(np.arctan2(linear[:, 0, 1], linear[:, 1, 1])),
        np.sqrt(np.abs(determinant)),
        np.sqrt(first / second),
        determinant < 0,
        *shift.T,
    )


def assert_spread(values, low, high, tolerance):
    """Values stay within their limits and come near to both."""
    margin = 0.05 * (high - low)
    assert low - tolerance <= values.min() <= low + margin + tolerance
    assert high - margin - tolerance <= values.max() <= high + tolerance


def assert_still(values, at, tolerance):
    np.testing.assert_allclose(values, at, atol=tolerance)


# Origins are rounded to whole pixels, half a pixel over the 40 rows of the fit: up to 0.0125.
def test_without_ranges_an_image_is_flipped_or_not():
    image, mask = places(), places()[..., :3]
    results = [move(image, mask, np.random.default_rng(seed), NONE) for seed in range(60)]
    flipped = [np.array_equal(moved, image[:, ::-1]) for moved, _ in results]
    for (moved, moved_mask), other in zip(results, flipped, strict=True):
        np.testing.assert_array_equal(moved, image[:, ::-1] if other else image)
        np.testing.assert_array_equal(moved_mask, mask[:, ::-1] if other else mask)
    assert 15 < sum(flipped) < 45


def test_rotation_goes_to_its_limit_on_both_sides_about_the_middle():
    found = movements(dataclasses.replace(NONE, rotation=20))
    assert_spread(found.angle, -20, 20, 0.2)
    assert_still(found.zoom, 1, 0.02)
    assert_still(found.stretch, 1, 0.02)
    assert_still(np.stack([found.across, found.down]), 0, 0.1)
    assert 100 < found.flipped.sum() < 200


def test_shift_is_a_share_of_each_side():
    found = movements(dataclasses.replace(NONE, shift=0.1))
    assert_spread(found.across, -0.1 * WIDTH, 0.1 * WIDTH, 0.2)
    assert_spread(found.down, -0.1 * HEIGHT, 0.1 * HEIGHT, 0.2)
    assert abs(np.corrcoef(found.across, found.down)[0, 1]) < 0.2
    assert_still(found.angle, 0, 0.2)
    assert_still(found.zoom, 1, 0.02)


def test_zoom_is_even_in_its_logarithm_and_about_the_middle():
    found = movements(dataclasses.replace(NONE, zoom=(1, 4)))
    assert_spread(np.log(found.zoom), 0, np.log(4), 0.01)
    assert np.median(found.zoom) == pytest.approx(2, rel=0.1)
    assert_still(found.stretch, 1, 0.02)
    # The map is magnified, and so is the error of the fit.
    assert_still(np.stack([found.across, found.down]), 0, 0.4)


def test_stretch_is_even_in_its_logarithm_and_keeps_areas_and_the_middle():
    found = movements(dataclasses.replace(NONE, stretch=0.3))
    assert_spread(np.log(found.stretch), -0.3, 0.3, 0.01)
    assert_still(found.zoom, 1, 0.02)
    assert_still(found.angle, 0, 0.2)
    assert_still(np.stack([found.across, found.down]), 0, 0.2)


@pytest.mark.parametrize(
    ("ranges", "rotation", "shift", "zoom", "stretch"),
    [(MILD, 12, 0.08, (0.85, 1.2), 0), (WIDE, 15, 0.1, (0.75, 1.4), 0.15)],
)
def test_named_ranges_are_what_they_are_said_to_be(ranges, rotation, shift, zoom, stretch):
    """All at once, and without bending, which no affine map describes."""
    found = movements(dataclasses.replace(ranges, bend=0))
    assert_spread(found.angle, -rotation, rotation, 0.3)
    assert_spread(found.zoom, *zoom, 0.01)
    assert_spread(np.log(found.stretch), -stretch, stretch, 0.01)
    assert_spread(found.across, -shift * WIDTH, shift * WIDTH, 0.5)
    assert_spread(found.down, -shift * HEIGHT, shift * HEIGHT, 0.5)
    assert 100 < found.flipped.sum() < 200


def test_bending_displaces_by_a_share_of_the_width_in_both_directions():
    ranges = dataclasses.replace(NONE, bend=0.05)
    new_y, new_x = np.mgrid[:HEIGHT, :WIDTH]
    # The inner ones of the 4 x 4 points of the grid, of which the spline is known.
    rows, columns = np.ix_([29, 30, 49, 50], [44, 45, 74, 75])
    found = []
    for seed in SEEDS:
        x, y = origins(seed, ranges)
        across = min(x - new_x, x - new_x[:, ::-1], key=lambda each: np.abs(each).mean())
        found.append((across[rows, columns], (y - new_y)[rows, columns]))
        # Smooth: neighbours move alike.
        assert np.abs(np.diff(across[20:60, 30:90], axis=1)).max() <= 3
    across, down = (np.stack(each) for each in zip(*found, strict=True))
    assert across.std() == pytest.approx(0.05 * WIDTH, rel=0.08)
    assert down.std() == pytest.approx(0.05 * WIDTH, rel=0.08)
    assert abs(across.mean()) < 0.5
    assert abs(down.mean()) < 0.5
    assert abs(np.corrcoef(across.ravel(), down.ravel())[0, 1]) < 0.1
    # Each point has a displacement of its own.
    assert abs(np.corrcoef(across[:, 0, 0], across[:, 3, 3])[0, 1]) < 0.2


@pytest.mark.parametrize("seed", range(6))
def test_bending_adds_to_the_other_movements(seed):
    straight = origins(seed, dataclasses.replace(WIDE, bend=0))
    bent = origins(seed, dataclasses.replace(WIDE, bend=1e-6))
    for one, other in zip(straight, bent, strict=True):
        np.testing.assert_allclose(one, other, atol=1)


@pytest.mark.parametrize("ranges", [MILD, WIDE])
@pytest.mark.parametrize("seed", range(4))
def test_pixels_are_interpolated_and_mirrored_beyond_the_border(ranges, seed):
    """Twice the step shows what lies between pixels, and whether the outermost one comes twice."""
    ranges = dataclasses.replace(ranges, bend=0, zoom=(0.8, 0.9))
    new_y, new_x = np.mgrid[:HEIGHT, :WIDTH]
    linear, shift = np.split(forward_map(seed, ranges), [2], axis=1)
    expected = np.linalg.inv(linear) @ (np.stack([new_x.ravel(), new_y.ravel()]) - shift)
    beyond = 0
    for found, place, side in zip(origins(seed, ranges, 2), expected, (WIDTH, HEIGHT), strict=True):
        beyond += np.sum((place < -1) | (place > side))
        place = np.abs(place + 0.5) - 0.5
        place = np.minimum(place, 2 * side - 1 - place).clip(0, side - 1)
        # Half a grey level of rounding, 1/64 of a pixel of OpenCV's and the fit's own error.
        np.testing.assert_allclose(found.ravel(), place, atol=0.45)
    assert beyond > 500


@given(
    st.integers(0, 2**32),
    st.sampled_from([MILD, WIDE, Ranges(90, 0.3, (0.5, 2), (1, 1), 0, stretch=0.5, bend=0.03)]),
    st.integers(1, 4),
    st.integers(0, 4),
    st.sampled_from([(HEIGHT, WIDTH), (33, 17), (16, 64)]),
)
def test_masks_move_with_their_images(seed, ranges, channels, regions, size):
    """Where an image's pixel came from, there the mask's came from, in every channel and region."""
    image = np.ascontiguousarray(places(*size)[..., :channels])
    mask = np.ascontiguousarray(places(*size)[..., :regions])
    moved, moved_mask = move(image, mask, np.random.default_rng(seed), ranges)
    assert (moved.shape, moved.dtype) == (image.shape, np.uint8)
    assert (moved_mask.shape, moved_mask.dtype) == (mask.shape, np.uint8)
    both = min(channels, regions)
    # The image is interpolated and the mask is not: half a pixel, rounded.
    difference = moved[..., :both].astype(int) - moved_mask[..., :both]
    assert np.abs(difference).max(initial=0) <= 1


def test_mild_is_what_is_taken_if_nothing_is_said():
    image = places()
    for one, other in zip(
        move(image, image, np.random.default_rng(3)),
        move(image, image, np.random.default_rng(3), MILD),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        grey_levels(np.random.default_rng(3)), grey_levels(np.random.default_rng(3), MILD)
    )


# Grey levels


def levels(ranges, seeds=SEEDS):
    tables = np.stack([grey_levels(np.random.default_rng(seed), ranges) for seed in seeds])
    assert (tables.shape, tables.dtype) == ((len(seeds), 256), np.float32)
    assert tables.min() >= 0
    assert tables.max() <= 255
    return tables.astype(float)


def test_grey_levels_stay_without_ranges():
    np.testing.assert_allclose(levels(NONE), np.tile(np.arange(256), (300, 1)), atol=1e-4)


def test_contrast_is_about_middle_grey():
    tables = levels(dataclasses.replace(NONE, contrast=(0.5, 1.5)))
    slopes = tables[:, 140] - tables[:, 139]
    assert_spread(slopes, 0.5, 1.5, 1e-3)
    np.testing.assert_allclose((tables[:, 127] + tables[:, 128]) / 2, 127.5, atol=1e-3)
    expected = ((np.arange(256) - 127.5) * slopes[:, None] + 127.5).clip(0, 255)
    np.testing.assert_allclose(tables, expected, atol=0.02)


def test_brightness_is_a_share_of_all_grey_levels_up_and_down():
    tables = levels(dataclasses.replace(NONE, brightness=0.2))
    shifts = tables[:, 100] - 100
    assert_spread(shifts, -51, 51, 1e-3)
    np.testing.assert_allclose(tables, (np.arange(256) + shifts[:, None]).clip(0, 255), atol=1e-3)


def test_gamma_is_even_in_its_logarithm_and_keeps_black_and_white():
    tables = levels(dataclasses.replace(NONE, gamma=0.5))
    exponents = np.log(tables[:, 51] / 255) / np.log(51 / 255)
    assert_spread(np.log(exponents), -0.5, 0.5, 1e-3)
    expected = 255 * (np.arange(256) / 255) ** exponents[:, None]
    np.testing.assert_allclose(tables, expected, atol=0.01)


def test_contrast_and_brightness_and_gamma_are_drawn_apart():
    tables = levels(dataclasses.replace(NONE, contrast=(0.9, 1.1), brightness=0.1, gamma=0.1))
    middle, slope = tables[:, 127], tables[:, 140] - tables[:, 115]
    assert abs(np.corrcoef(middle, slope)[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("ranges", "contrast", "brightness", "gamma"),
    [(MILD, (0.75, 1.3), 0.12, 0), (WIDE, (0.7, 1.4), 0.12, 0.3)],
)
def test_named_ranges_of_grey_levels(ranges, contrast, brightness, gamma):
    assert (ranges.contrast, ranges.brightness, ranges.gamma) == (contrast, brightness, gamma)
    assert ranges.bend == (0.01 if ranges is WIDE else 0)
