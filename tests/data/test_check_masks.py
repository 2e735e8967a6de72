"""Masks that are doubtful, and what does not fit their labels."""

import numpy as np
import pytest
from PIL import Image

from tests.data.reports import NOISE, SHAPE, matching, palette, seen
from tinyseg.data.check import check

MASK_HAZARDS = {
    "alpha": (np.dstack([SHAPE * 255] * 3 + [SHAPE * 0 + 255]), "has transparency"),
    "grey and alpha": (Image.fromarray(np.dstack([SHAPE * 255] * 2), "LA"), "has transparency"),
    "palette": (palette(SHAPE, [0, 0, 0, 255, 255, 255]), "has a palette"),
    "zero and one": (SHAPE, "holds 0 and 1 and looks black"),
    "grey edges": (SHAPE * 255 // 2 + np.roll(SHAPE, 1) * 255 // 2, "holds 3 values"),
    "many": (NOISE, r"holds \d+ values \(0, \d+, \d+, \.\.\.\)"),
    "full": (SHAPE * 0 + 255, "marks every pixel as foreground"),
}


@pytest.mark.parametrize("case", MASK_HAZARDS)
def test_doubtful_mask_is_a_warning(busi_like, save, case):
    content, pattern = MASK_HAZARDS[case]
    save(busi_like / "benign/benign (3)_mask.png", content)
    report = check(str(busi_like))
    assert seen(report) == [("warning", "benign (3)_mask.png")]
    assert matching(report, pattern)


@pytest.mark.parametrize(
    ("mask", "pattern"),
    [
        (SHAPE * 0, "no mask marks anything"),
        (255 * (np.arange(SHAPE.size).reshape(SHAPE.shape) > 4).astype(np.uint8), "--labels 0"),
    ],
)
def test_masks_that_mark_nothing_or_everything_are_doubted(tmp_path, mask, pattern):
    for number in range(4):
        for kind, pixels in (("images", NOISE), ("masks", mask)):
            path = tmp_path / f"set/{kind}/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    assert matching(check(str(tmp_path / "set")), pattern)


MASK_QUESTIONS = {
    "classes": (SHAPE + np.roll(SHAPE, 3), r"holds 1, 2 but .* 255; say with --labels"),
    "colours": (
        np.dstack([SHAPE * 255, np.roll(SHAPE, 3) * 99, SHAPE * 0]),
        r"holds #006300, #ff0000, #ff6300 but .* 255; say with --labels",
    ),
    "bright background": (SHAPE * 100 + 150, r"holds 150, 250 and no 0; say with --labels"),
}


@pytest.mark.parametrize("case", MASK_QUESTIONS)
def test_mask_that_fits_no_rule_is_an_error(busi_like, save, case):
    content, pattern = MASK_QUESTIONS[case]
    save(busi_like / "benign/benign (3)_mask.png", content)
    report = check(str(busi_like))
    assert seen(report) == [("error", "benign (3)_mask.png")]
    assert matching(report, pattern)
    assert report.foreground is None


@pytest.mark.parametrize(
    "content",
    [
        Image.fromarray(SHAPE > 0),
        np.dstack([SHAPE * 255] * 3),
        SHAPE * np.uint16(65535),
        SHAPE * 200,
    ],
)
def test_plain_mask_of_two_values_is_no_problem(busi_like, save, content):
    save(busi_like / "benign/benign (3)_mask.png", content)
    assert check(str(busi_like)).problems == ()


def test_mask_drawn_in_alpha_is_pointed_out(busi_like, save):
    content = np.dstack([SHAPE * 0] * 3 + [SHAPE * 255])
    save(busi_like / "benign/benign (3)_mask.png", content)
    report = check(str(busi_like))
    assert matching(report, "drawn in the alpha channel")
    assert matching(report, "labelled benign but its mask is empty")


@pytest.mark.parametrize("label", ["benign", "malignant"])
def test_lesion_without_foreground_is_a_warning(busi_like, save, label):
    save(busi_like / f"{label}/{label} (3)_mask.png", SHAPE * 0)
    report = check(str(busi_like))
    assert seen(report) == [("warning", f"{label} (3).png")]
    assert matching(report, f"is labelled {label} but its mask is empty; correct")


def test_normal_with_foreground_is_a_warning(busi_like, save):
    for number in range(5):
        mask = SHAPE * 255 * (number == 3)
        save(busi_like / f"normal/{number}.png", np.roll(NOISE, 5 * number + 1))
        save(busi_like / f"normal/{number}_mask.png", mask)
    report = check(str(busi_like))
    assert seen(report) == [("warning", "3.png")]
    assert matching(report, "is labelled normal but its mask is not empty; correct")


def test_one_frame_with_two_outlines_is_named(busi_like, save):
    """The same picture, once mirrored: masks of other places contradict each other."""
    image = np.asarray(Image.open(busi_like / "benign/benign (1).png"))
    mask = np.zeros((20, 24), np.uint8)
    mask[12:18, 2:7] = 255
    for number, (picture, outline) in enumerate(
        [(image, mask), (image[:, ::-1], np.asarray(mask)[:, ::-1])], start=7
    ):
        save(busi_like / f"benign/benign ({number}).png", picture)
        save(busi_like / f"benign/benign ({number})_mask.png", outline)
    report = check(str(busi_like))
    lines = [p.message for p in report.problems if "outlines" in p.message]
    assert len(lines) == 1
    assert lines[0].startswith("near-duplicates with other outlines: 2 pairs, 'benign/benign (1)'")
    assert lines[0].endswith("; correct one of each")
    found = {(pair.first, pair.second): pair for pair in report.duplicates}
    alike = found["benign/benign (7)", "benign/benign (8)"]
    assert alike.overlap == 1
    assert not alike.outlines_differ
    assert found["benign/benign (1)", "benign/benign (7)"].overlap == 0
