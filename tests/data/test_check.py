import json
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from tests.data.reports import COLOUR, NOISE, RNG, SHAPE, matching, palette, seen
from tinyseg.data.check import check
from tinyseg.errors import InputError


def upside_down():
    tags = Image.Exif()
    tags[0x0112] = 3
    return tags


def quarter_turn():
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags


def test_sound_dataset_has_no_problems(busi_like):
    report = check(str(busi_like))
    assert report.problems == ()
    assert report.ok


def test_counts_sizes_and_balance(busi_like, save):
    (busi_like / "malignant/malignant (6).png").unlink()
    (busi_like / "malignant/malignant (6)_mask.png").unlink()
    image = RNG.integers(0, 256, (30, 40), np.uint8)
    mask = np.zeros((30, 40), np.uint8)
    save(busi_like / "normal/n.png", image)
    save(busi_like / "normal/n_mask.png", mask)
    second = np.zeros((20, 24), np.uint8)
    second[2, 3:9], second[19, :6] = 255, 255
    save(busi_like / "benign/benign (1)_mask_1.png", second)
    report = check(str(busi_like))
    assert report.root == str(busi_like)
    assert (report.images, report.masks) == (12, 13)
    assert (report.several_masks, report.empty_masks) == (1, 1)
    assert report.labels == {"benign": 6, "malignant": 5, "normal": 1}
    assert report.label_fractions == pytest.approx(
        {"benign": 6 / 12, "malignant": 5 / 12, "normal": 1 / 12}
    )
    assert report.imbalance == 6
    assert report.sizes == {
        "height": {"min": 20, "median": 20, "max": 30},
        "width": {"min": 24, "median": 24, "max": 40},
        "distinct": 2,
    }
    # Masks of 6 pixels times their number; the first one's second mask adds a row of 6.
    areas = [6 * n for n in (2, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5)]
    assert report.foreground == pytest.approx(
        {"mean": sum(areas) / 480 / 12, "pooled": sum(areas) / (11 * 480 + 1200)}
    )


def test_report_is_json(busi_like):
    shutil.copy(busi_like / "benign/benign (1).png", busi_like / "malignant/malignant (1).png")
    (busi_like / "benign/benign (2).png").write_bytes(b"")
    report = check(str(busi_like))
    values = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert values["ok"] is False
    assert values["labels"] == {"benign": 6, "malignant": 6}
    assert values["problems"][0] == {
        "severity": "error",
        "path": str(busi_like / "benign/benign (2).png"),
        "message": "is empty; replace or remove it",
    }
    assert values["duplicates"][0]["first"] == "benign/benign (1)"
    assert values["duplicates"][0]["labels_differ"] is True


def test_report_is_text_too(busi_like, save):
    (busi_like / "benign/benign (2).png").write_bytes(b"")
    save(busi_like / "benign/benign (1)_mask.png", SHAPE)
    lines = check(str(busi_like)).as_text().splitlines()
    # Masks of 6 to 36 pixels; those of two files are 28 pixels and none.
    areas = [28, *(6 * n for n in (3, 4, 5, 6, 1, 2, 3, 4, 5, 6))]
    share = f"{sum(areas) / 11 / 480:.1%}"
    assert lines == [
        f"{busi_like}: 12 images, 12 masks (0 images with several, 0 with no foreground)",
        "label benign: 6 (50.0%)",
        "label malignant: 6 (50.0%)",
        "width: 24 to 24 pixels, median 24",
        "height: 20 to 20 pixels, median 20",
        f"foreground: {share} of an image, {share} of all pixels",
        f"error: {busi_like}/benign/benign (2).png: is empty; replace or remove it",
        f"warning: {busi_like}/benign/benign (1)_mask.png: "
        "holds 0 and 1 and looks black in viewers; save it as 0 and 255",
        "1 errors, 1 warnings",
    ]


IMAGE_HAZARDS = {
    "alpha": (np.dstack([COLOUR, NOISE]), {}, "has transparency"),
    "grey and alpha": (Image.fromarray(np.dstack([NOISE, NOISE]), "LA"), {}, "has transparency"),
    "palette": (palette(NOISE, list(range(256)) * 3), {}, "has a palette"),
    "16 bits": (NOISE * np.uint16(257), {}, "holds whole numbers up to 65535"),
    "exif": (NOISE, {"exif": upside_down()}, "EXIF orientation 3"),
    "uniform": (np.full((20, 24), 90, np.uint8), {}, "is uniform"),
    "uniform colour": (np.full((20, 24, 3), (90, 9, 0), np.uint8), {}, "is uniform"),
}


@pytest.mark.parametrize("case", IMAGE_HAZARDS)
def test_doubtful_image_is_a_warning(busi_like, save, case):
    content, options, pattern = IMAGE_HAZARDS[case]
    save(busi_like / "benign/benign (3).png", content, **options)
    report = check(str(busi_like))
    assert seen(report) == [("warning", "benign (3).png")]
    assert matching(report, pattern)
    assert report.ok


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (NOISE / np.float32(255), r"real numbers up to \S+, taken as \[0, 1\]"),
        (NOISE * np.float32(1.5), r"real numbers up to \S+, taken as \[0, 255\]"),
    ],
)
def test_real_valued_image_is_a_warning(busi_like, save, values, pattern):
    (busi_like / "benign/benign (3).png").unlink()
    save(busi_like / "benign/benign (3).tif", values)
    report = check(str(busi_like))
    assert seen(report) == [("warning", "benign (3).tif")]
    assert matching(report, pattern)


def test_further_pages_are_a_warning(busi_like, save):
    (busi_like / "benign/benign (3).png").unlink()
    pages = [Image.fromarray(np.roll(NOISE, shift)) for shift in (1, 2)]
    save(
        busi_like / "benign/benign (3).tif",
        Image.fromarray(NOISE),
        save_all=True,
        append_images=pages,
    )
    report = check(str(busi_like))
    assert seen(report) == [("warning", "benign (3).tif")]
    assert matching(report, "holds 3 pages, of which only the first is read; save each")


def test_12_bit_data_in_16_bits_are_pointed_out(busi_like, save):
    save(busi_like / "benign/benign (3).png", NOISE * np.uint16(16))
    report = check(str(busi_like))
    assert seen(report) == [("warning", "benign (3).png")]
    assert matching(report, "whole numbers up to 4080, read as 12 bits, by the greatest value")
    save(busi_like / "benign/benign (4).png", NOISE[::-1] * np.uint16(257))
    report = check(str(busi_like))
    assert len(matching(report, r"whole numbers up to \d+, read as 16 bits")) == 2
    (doubt,) = matching(report, "nothing above 4080 where 65535 is white")
    assert doubt.path.endswith("benign (3).png")


@pytest.mark.parametrize("target", ["benign (3).png", "benign (3)_mask.png"])
@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda whole: b"", "is empty"),
        (lambda whole: b"only text in here, no image", "is not an image"),
        (lambda whole: whole[:60], "cannot be decoded"),
    ],
)
def test_unreadable_file_is_an_error(busi_like, target, damage, pattern):
    path = busi_like / "benign" / target
    path.write_bytes(damage(path.read_bytes()))
    report = check(str(busi_like))
    assert seen(report) == [("error", target)]
    assert matching(report, f"^{pattern}.*; replace or remove")
    assert not report.ok
    assert report.images == 12


@pytest.mark.parametrize(
    ("target", "pattern"), [("benign (3).tif", "NaN"), ("benign (3)_mask.tif", "NaN")]
)
def test_nan_is_an_error(busi_like, save, target, pattern):
    values = NOISE / np.float32(255)
    values[3, 4] = np.nan
    save(busi_like / "benign" / target, values)
    (busi_like / "benign" / target).with_suffix(".png").unlink()
    report = check(str(busi_like))
    assert seen(report) == [("error", target)]
    assert matching(report, pattern)


def test_size_mismatch_is_an_error(busi_like, save):
    save(busi_like / "benign/benign (3)_mask.png", np.pad(SHAPE * 255, ((0, 2), (0, 1))))
    report = check(str(busi_like))
    assert seen(report) == [("error", "benign (3)_mask.png")]
    assert report.problems[0].message == (
        "mask is 25x22 but its image is 24x20; export both at one size"
    )


def test_size_mismatch_by_exif_orientation_names_the_cause(busi_like, save):
    save(busi_like / "benign/benign (3).png", NOISE, exif=quarter_turn())
    report = check(str(busi_like))
    assert seen(report) == [("error", "benign (3)_mask.png"), ("warning", "benign (3).png")]
    assert matching(report, "mask is 24x20 but its image is 20x24; .* without EXIF orientation")
    assert matching(report, "EXIF orientation 6")


def test_all_errors_are_listed_at_once(busi_like, save):
    folder = busi_like / "benign"
    (folder / "benign (1)_mask.png").unlink()
    (folder / "benign (2).png").unlink()
    (folder / "benign (3).png").write_bytes(b"")
    (folder / "benign (4)_mask.png").write_bytes(b"no image, this")
    save(folder / "benign (5)_mask.png", SHAPE[:9] * 255)
    save(busi_like / "malignant/malignant (1)_mask.png", SHAPE)
    report = check(str(busi_like))
    assert seen(report) == [
        ("error", "benign (1).png"),
        ("error", "benign (2)_mask.png"),
        ("error", "benign (3).png"),
        ("error", "benign (4)_mask.png"),
        ("error", "benign (5)_mask.png"),
        ("warning", "malignant (1)_mask.png"),
        ("warning", "Dataset (sound)"),
    ]
    assert report.problems[0].message.startswith("image without mask; add ")
    assert report.problems[1].message.startswith("mask without image; ")
    assert matching(report, "'benign' 4, 'malignant' 6")


@pytest.mark.parametrize("folders", [(), ("images", "masks"), ("benign", "malignant", "normal")])
def test_folder_without_images_is_an_error(tmp_path, folders):
    for folder in folders:
        (tmp_path / folder).mkdir()
    (tmp_path / "notes.txt").write_text("nothing here")
    report = check(str(tmp_path))
    assert not report.ok
    assert [problem.path for problem in report.problems] == [str(tmp_path)]
    assert matching(report, r"^holds no images; add .*\.png.* files")
    assert (report.images, report.labels, report.sizes, report.foreground) == (0, {}, None, None)
    json.dumps(report.as_dict(), allow_nan=False)
    assert report.as_text().endswith("1 errors, 0 warnings")


def test_nothing_readable_gives_a_report(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(b"")
    report = check(str(tmp_path))
    assert seen(report) == [("error", "a.png")] * 2
    assert (report.images, report.sizes, report.foreground) == (1, None, None)
    assert report.empty_masks == 0


def test_absent_folder_and_unknown_layout_are_refused(tmp_path, save):
    with pytest.raises(InputError, match="no such folder"):
        check(str(tmp_path / "absent"))
    save(tmp_path / "pictures/a.png", NOISE)
    with pytest.raises(InputError, match="expected images/ and masks/"):
        check(str(tmp_path))


def test_phantom_is_sound():
    report = check("phantom:count=48,size=48")
    assert report.root is None
    assert report.problems == ()
    assert (report.images, report.masks, report.several_masks) == (48, 48, 0)
    assert report.empty_masks == report.labels["normal"] == 8
    assert report.sizes["width"] == {"min": 48, "median": 48, "max": 48}
    assert 0.03 < report.foreground["mean"] < 0.15


def test_bad_phantom_is_refused():
    with pytest.raises(InputError, match="phantom takes"):
        check("phantom:colour=red")


@pytest.mark.real_data
def test_real_busi(real_data):
    start = time.perf_counter()
    report = check("busi")
    assert time.perf_counter() - start < 30
    assert report.ok
    assert report.labels == {"benign": 371, "malignant": 176, "normal": 113}
    assert (report.images, report.masks, report.empty_masks) == (660, 676, 113)
    assert 0.06 < report.foreground["pooled"] < 0.1
    # No file is doubtful; the pairs are: about ninety, six of them across labels, some of other
    # outlines.
    assert [problem.path for problem in report.problems] == [report.root] * 3
    assert 80 <= len(report.duplicates) <= 100
    assert sum(pair.labels_differ for pair in report.duplicates) == 6
    pair = report.duplicates[0]
    assert (pair.first, pair.second) == ("benign/benign (433)", "malignant/malignant (145)")
    assert pair.correlation == pytest.approx(1, abs=1e-4)


@pytest.mark.real_data
def test_real_busi_in_its_original_bytes(real_data):
    report = check(str(real_data / "busi_original_sample/Dataset_BUSI_with_GT"))
    assert report.ok
    assert (report.images, report.several_masks) == (25, 8)
    transparent = matching(report, "has transparency")
    assert [problem.path.rsplit("/")[-1] for problem in transparent] == [
        "benign (4)_mask_1.png",
        "benign (54)_mask_1.png",
    ]
    assert matching(report, r"different labels: 1 pairs, 'benign/benign \(433\)' ~ 'malignant/")
