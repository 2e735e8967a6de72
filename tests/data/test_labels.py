"""One rule for all masks of a data set: foreground, regions, instances, or a question."""

import numpy as np
import pytest
from PIL import Image

from tests.data.makers import noise, save
from tinyseg.data import load
from tinyseg.data.check import check
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

SIZE = 40
SETTINGS = PreprocessingPlan(SIZE, SIZE, 1)


def discs(*values, shift=0):
    """Discs of these values side by side, with room between them."""
    label = np.zeros((SIZE, SIZE), np.uint16 if max(values, default=0) > 255 else np.uint8)
    y, x = np.mgrid[:SIZE, :SIZE]
    for number, value in enumerate(values):
        row, column = divmod(number, 4)
        centre = 5 + 10 * row + shift % 2, 5 + 10 * column + shift % 2
        label[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 18] = value
    return label


def with_palette(label, colours=None):
    colours = colours or voc_colours()
    image = Image.frombytes("P", label.shape[::-1], label.tobytes())
    image.putpalette([value for colour in colours for value in colour])
    return image


def voc_colours():
    """The colour map of PASCAL VOC: bits of the index, highest first."""
    return [
        tuple(sum((j >> 3 * bit + plane & 1) << 7 - bit for bit in range(3)) for plane in range(3))
        for j in range(256)
    ]


@pytest.fixture
def made(tmp_path):
    """Write a data set with these masks and return its folder."""

    def made(*contents, kind="png"):
        for number, content in enumerate(contents):
            save(tmp_path / f"set/images/{number:02}.png", noise(number, 0, SIZE, SIZE))
            path = tmp_path / f"set/masks/{number:02}.{kind}"
            path.parent.mkdir(exist_ok=True)
            image = content if isinstance(content, Image.Image) else Image.fromarray(content)
            image.save(path)
        return tmp_path / "set"

    return made


def decoded(source):
    """Regions and masks of a data set as they are learned from."""
    store = open_store(load(source), SETTINGS)
    return store.regions, store.masks


def asks(source, *words):
    """Assert one line that names a mask and the cure, for training as for the check."""
    with pytest.raises(InputError) as caught:
        open_store(load(source), SETTINGS)
    line = str(caught.value)
    assert "\n" not in line
    assert "--labels" in line
    assert all(word in line for word in words), line
    assert line.startswith(f"{source}/masks/")
    report = check(str(source))
    assert not report.ok
    assert next(p for p in report.problems if p.severity == "error").message in line
    assert report.foreground is None


# What is not 0 is foreground


@pytest.mark.parametrize("value", [1, 7, 100, 200, 255])
def test_the_only_value_is_foreground_wherever_it_stands(made, value):
    label = discs(value)
    regions, masks = decoded(made(label, np.zeros_like(label), discs(value, value)))
    assert regions == ("foreground",)
    np.testing.assert_array_equal(masks[0, ..., 0], label > 0)
    assert not masks[1].any()


def test_white_of_several_kinds_is_one_foreground(made):
    label = discs(1)
    kinds = (label, label * 255, Image.fromarray(label > 0), label * np.uint16(65535))
    regions, masks = decoded(made(*kinds, with_palette(label), label * 200))
    assert regions == ("foreground",)
    for mask in masks:
        np.testing.assert_array_equal(mask[..., 0], label > 0)


def test_instances_are_foreground_all(made):
    for top, kind in ((3, np.uint8), (13, np.uint8), (16, np.uint16)):
        label = [discs(*range(1, n + 1)).astype(kind) for n in (1, top // 2, top - 1, top)]
        regions, masks = decoded(made(*label)) if top > 3 else (("foreground",), None)
        assert regions == ("foreground",)
        if masks is not None:
            for mask, each in zip(masks, label, strict=True):
                np.testing.assert_array_equal(mask[..., 0], each > 0)
    assert any("instances" in p.message for p in check(str(made(*label))).problems)


def test_many_values_are_instances(made):
    label = [discs(*range(100 * k + 1, 100 * k + 17)) for k in range(4)]
    regions, masks = decoded(made(*label))
    assert regions == ("foreground",)
    np.testing.assert_array_equal(masks[..., 0] > 0, np.stack(label) > 0)


def test_values_that_are_in_one_file_each_are_instances(made):
    label = [discs(*range(3 * k + 1, 3 * k + 4)) for k in range(6)]
    assert decoded(made(*label))[0] == ("foreground",)


def test_few_broken_numbers_do_not_make_instances_regions(made):
    label = [discs(*range(1, n + 1)) for n in (2, 3, 4, 5, 6, 7, 8)]
    label[0][label[0] == 1] = 3
    assert decoded(made(*label))[0] == ("foreground",)


# Shades


def smoothed(label):
    """The same in three times the size and back, whose edges are grey."""
    image = Image.fromarray(label).resize((3 * SIZE - 7, 3 * SIZE - 7), Image.Resampling.NEAREST)
    return image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)


def test_smoothed_edges_are_cut_at_half_of_the_data_sets_white(made):
    soft = [smoothed(discs(255)), smoothed(discs(255, 255))]
    faint = Image.fromarray((discs(1) * 255 // 4).astype(np.uint8))
    root = made(*soft)
    regions, masks = decoded(root)
    assert regions == ("foreground",)
    for mask, image in zip(masks, soft, strict=True):
        np.testing.assert_array_equal(mask[..., 0], np.asarray(image) > 127.5)
    assert faint  # A mask of one value is foreground whatever its brightness.
    _, masks = decoded(made(*soft, faint))
    np.testing.assert_array_equal(masks[2, ..., 0], discs(1))


def test_noise_of_an_empty_jpeg_mask_is_no_foreground(made):
    rng = np.random.default_rng(0)
    dark = rng.integers(0, 4, (SIZE, SIZE), np.uint8)
    root = made(discs(255), discs(255, 255), dark, kind="jpg")
    regions, masks = decoded(root)
    assert regions == ("foreground",)
    assert not masks[2].any()
    assert abs(int(masks[0].sum()) - int((discs(255) > 0).sum())) <= 2


@pytest.mark.parametrize("dark", [np.full((SIZE, SIZE), 3, np.uint8), discs(2)])
def test_jpeg_masks_of_small_numbers_ask(made, dark):
    asks(made(dark, discs(1, 2), kind="jpg"))


def test_jpeg_masks_of_three_levels_ask_and_can_be_told(made):
    truth = np.zeros((SIZE, SIZE), np.uint8)
    truth[8:32, 8:20], truth[8:32, 20:32] = 128, 255
    root = made(truth, truth.T, kind="jpg")
    asks(root, "even areas of grey")
    regions, masks = decoded(f"{root}:labels=disc:128;cup:255")
    assert regions == ("disc", "cup")
    for region, value in enumerate((128, 255)):
        differing = (masks[0, ..., region] != (truth == value)).sum()
        assert differing < 0.1 * (truth == value).sum()


# Labels


def test_labels_are_regions_and_mean_the_same_in_every_file(made):
    label = [discs(1, 2), discs(1), discs(2), discs(2, 1)]
    root = made(*label)
    regions, masks = decoded(root)
    assert regions == ("1", "2")
    for region, value in enumerate((1, 2)):
        np.testing.assert_array_equal(masks[..., region], np.stack(label) == value)
    report = check(str(root))
    assert report.ok
    assert set(report.regions) == {"1", "2"}
    assert report.foreground["pooled"] == pytest.approx((np.stack(label) > 0).mean())


def test_labels_that_never_meet_are_regions_too(made):
    regions, masks = decoded(made(discs(1), discs(2), discs(1)))
    assert regions == ("1", "2")
    assert masks[1, ..., 1].any()
    assert not masks[1, ..., 0].any()


def test_palettes_are_indices(made):
    label = [discs(1, 8), discs(8), discs(1)]
    regions, masks = decoded(made(*map(with_palette, label)))
    assert regions == ("1", "8")
    np.testing.assert_array_equal(masks.any(-1), np.stack(label) > 0)


def test_undecided_border_of_a_palette_is_background_and_said_to_be(made):
    label = discs(1, 15)
    ring = (discs(0) == 0) & (np.roll(label, 2, 0) > 0) & (label == 0)
    label[ring] = 255
    root = made(with_palette(label), with_palette(discs(15)))
    regions, masks = decoded(root)
    assert regions == ("1", "15")
    np.testing.assert_array_equal(masks[0].any(-1), (label == 1) | (label == 15))
    assert any("value 255" in problem.message for problem in check(str(root)).problems)


def test_colours_are_labels(made):
    red, green = (200, 0, 0), (0, 99, 0)
    colours = np.uint8([(0, 0, 0), red, green])
    label = [discs(1, 2), discs(2), discs(1)]
    root = made(*(colours[each] for each in label))
    regions, masks = decoded(root)
    assert regions == ("#006300", "#c80000")
    np.testing.assert_array_equal(masks[..., 1], np.stack(label) == 1)
    regions, masks = decoded(f"{root}:labels=lesion:#c80000")
    assert regions == ("lesion",)
    np.testing.assert_array_equal(masks[..., 0], np.stack(label) == 1)


def test_one_colour_with_smoothed_edges_is_foreground(made):
    soft = np.asarray(smoothed(discs(255)))
    red = np.dstack([soft, 0 * soft, 0 * soft])
    regions, masks = decoded(made(red, red))
    assert regions == ("foreground",)
    np.testing.assert_array_equal(masks[0, ..., 0], soft > 127.5)


# Questions


def trimap(label):
    """1 the object, 2 the background, 3 the border."""
    y, x = np.mgrid[:SIZE, :SIZE]
    far = (y - 20) ** 2 + (x - 20) ** 2
    return np.where(far < 80, 1, np.where(far < 140, 3, 2)).astype(np.uint8) + 0 * label


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([trimap(discs(1)), trimap(discs(1))], ["1, 2, 3 and no 0"]),
        ([discs(1) + 1, discs(1, 1) + 1], ["1, 2 and no 0"]),
        ([np.where(discs(1) > 0, 255, 100).astype(np.uint8)] * 2, ["100, 255 and no 0"]),
        ([np.full((SIZE, SIZE), 255, np.uint8)] * 2, ["255 and no 0"]),
        ([discs(128, 255), discs(255, 128)], ["0, 128, 255", "trimap"]),
        ([discs(1, 2), discs(255)], ["holds 1, 2 but", "255"]),
        ([discs(2), discs(255)], ["holds 255 but", " 2"]),
        ([discs(1, 255), discs(1, 255)], ["0, 1, 255"]),
        ([discs(1, 2), smoothed(discs(255))], ["holds shades of grey but", "labels"]),
    ],
)
def test_masks_that_do_not_say_what_they_mean_ask(made, contents, words):
    asks(made(*contents), *words)


@pytest.mark.parametrize(
    ("labels", "names", "truth"),
    [
        ("1", ("1",), [{1}]),
        ("pet:1", ("pet",), [{1}]),
        ("1+3", ("1+3",), [{1, 3}]),
        ("1;3", ("1", "3"), [{1}, {3}]),
        ("pet:1;edge:3", ("pet", "edge"), [{1}, {3}]),
        ("1-2", ("1-2",), [{1, 2}]),
        ("all", ("foreground",), [{1, 2, 3}]),
    ],
)
def test_answers_to_a_trimap(made, labels, names, truth):
    label = trimap(discs(1))
    root = made(label, label)
    regions, masks = decoded(f"{root}:labels={labels}")
    assert regions == names
    for region, values in enumerate(truth):
        np.testing.assert_array_equal(masks[0, ..., region], np.isin(label, list(values)))
    assert check(f"{root}:labels={labels}").ok


def test_0_can_be_foreground(made):
    regions, masks = decoded(f"{made(discs(1), discs(1, 1))}:labels=0")
    assert regions == ("0",)
    np.testing.assert_array_equal(masks[0, ..., 0], discs(1) == 0)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("9", "no mask holds 9; they hold 1, 2"),
        ("", "expected values such as"),
        ("x", "'x' is no value"),
        ("3-1", "'3-1' is no value"),
        ("1+", "expected values such as"),
        ("a:1;a:2", "two regions have one name"),
    ],
)
def test_nonsense_is_refused(made, labels, reason):
    root = made(discs(1, 2))
    with pytest.raises(InputError, match=reason.replace("+", r"\+")) as caught:
        open_store(load(f"{root}:labels={labels}"), SETTINGS)
    assert "\n" not in str(caught.value)


def test_labels_are_part_of_the_fingerprint(made):
    root = made(discs(1, 2))
    found = {load(f"{root}{end}").fingerprint() for end in ("", ":labels=1", ":labels=2")}
    assert len(found) == 3


def test_labels_of_what_has_no_mask_files_are_refused():
    with pytest.raises(InputError, match="labels= is for masks in files"):
        load("phantom:labels=1")


def test_equal_warnings_are_one_line(made):
    root = made(*(with_palette(discs(1, 2)) for _ in range(5)))
    report = check(str(root))
    lines = [line for line in report.as_text().splitlines() if "palette" in line]
    assert len(lines) == 1
    assert f"{root}/masks/00.png and 4 more: has a palette" in lines[0]
    assert len([p for p in report.problems if "palette" in p.message]) == 5
