"""Images that are there twice, and labels that are rare."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.data.reports import NOISE, SHAPE, matching, seen
from tinyseg.data.check import check


def test_near_duplicates_are_a_warning(busi_like, save):
    with Image.open(busi_like / "benign/benign (1).png") as image:
        pixels = np.asarray(image)
    save(busi_like / "benign/benign (4).png", pixels // 2 + 9)
    save(busi_like / "benign/benign (5).png", pixels[:, ::-1])
    report = check(str(busi_like))
    # Of another outline, too.
    assert seen(report) == [("warning", "Dataset (sound)")] * 2
    assert {(pair.first[-3:], pair.second[-3:]) for pair in report.duplicates} == {
        ("(1)", "(4)"),
        ("(1)", "(5)"),
        ("(4)", "(5)"),
    }
    assert matching(
        report, r"near-duplicates: 3 pairs, closest 'benign/benign \(1\)' ~ 'benign/benign \(5\)' "
    )
    assert not any(pair.labels_differ for pair in report.duplicates)


def test_near_duplicates_of_other_label_are_a_warning_of_their_own(busi_like):
    shutil.copy(busi_like / "benign/benign (3).png", busi_like / "malignant/malignant (5).png")
    report = check(str(busi_like))
    assert seen(report) == [("warning", "Dataset (sound)")] * 2
    assert matching(
        report, r"different labels: 1 pairs, 'benign/benign \(3\)' ~ 'malignant/malignant \(5\)'"
    )


def test_rare_label_is_a_warning(busi_like):
    for number in (1, 2):
        for end in ("", "_mask"):
            (busi_like / f"malignant/malignant ({number}){end}.png").unlink()
    report = check(str(busi_like))
    assert seen(report) == [("warning", "Dataset (sound)")]
    assert matching(report, "labels are unbalanced: 'malignant' 4, 'benign' 6; add images")


@pytest.mark.parametrize(("count", "warned"), [(100, False), (101, True)])
def test_labels_more_than_20_to_1_apart_are_a_warning(tmp_path, save, count, warned):
    pictures = np.random.default_rng(0).integers(0, 256, (count + 5, 8, 8), np.uint8)
    for number, picture in enumerate(pictures):
        label = "common" if number < count else "rare"
        save(tmp_path / f"images/{label}/{number}.bmp", picture)
        save(tmp_path / f"masks/{label}/{number}.bmp", SHAPE[4:12, 4:12] * 255)
    assert bool(matching(check(str(tmp_path)), "unbalanced")) == warned


def test_one_label_or_none_is_no_imbalance(tmp_path, save):
    save(tmp_path / "images/a: b.png", NOISE)
    save(tmp_path / "masks/a: b.png", SHAPE * 255)
    report = check(str(tmp_path))
    assert report.problems == ()
    assert report.labels == {"": 1}
    assert report.imbalance == 1
