"""How much of a score may be lost, by hand."""

import numpy as np
import pytest

from tests.verification.test_verify_gates import SHAPE, classified, store
from tinyseg.verification.verify import missed_score


@pytest.mark.parametrize(
    ("before", "after", "allowed", "fails"),
    [
        (0.75, 0.5, 0.25, False),  # As much as is allowed.
        (0.75, 0.5, 0.2499, True),
        (0.5, 0.75, 0.0, False),
        (0.5, 0.5, 0.0, False),
    ],
)
def test_drop_of_dice_by_hand(before, after, allowed, fails):
    images = store(np.zeros((2, *SHAPE, 1), np.uint8))
    # Another score, and that over all images, move the other way.
    others = {"iou": 1 - before}, {"iou": 1 - after}
    scores = [
        {"dice": 1 - dice, "with_lesion": {"dice": dice, **other}, **other}
        for dice, other in zip((before, after), others, strict=True)
    ]
    lines = [
        str(missed)
        for missed in missed_score("net.tflite", images, *scores, allowed, over_all=False)
    ]
    assert len(lines) == fails
    for line in lines:
        assert line == (
            "net.tflite: Dice falls by 0.2500, allowed are 0.2499; use "
            "--set quantization.equalize=true, more calibration images or recipe static_wi8_ai16"
        )


@pytest.mark.parametrize(
    ("after", "count", "lines"),
    [
        (0.79, 200, []),
        (0.78, 200, ["net.tflite: Dice over all images falls by 0.0200, allowed are 0.0100; use "]),
        (0.70, 10, []),
        (0.69, 10, ["net.tflite: Dice over all images falls by 0.1100, allowed are 0.1000; use "]),
    ],
)
def test_drop_of_dice_over_all_images_counts_at_an_operating_point(after, count, lines):
    images = store(np.zeros((count, *SHAPE, 1), np.uint8))
    before, after = ({"dice": dice, "with_lesion": {"dice": 0.75}} for dice in (0.8, after))
    found = missed_score("net.tflite", images, before, after, 0.01, over_all=True)
    assert [missed.line[: len(line)] for missed, line in zip(found, lines, strict=True)] == lines
    assert not missed_score("net.tflite", images, before, after, 0.01, over_all=False)


@pytest.mark.parametrize(
    ("after", "count", "allowed", "fails"),
    [(0.75, 4, 0.01, False), (0.5, 4, 0.01, True), (0.5, 4, 0.5, False), (0.75, 5, 0.01, True)],
)
def test_one_image_more_may_be_classified_wrongly(after, count, allowed, fails):
    scores = [{"accuracy": accuracy, "f1": 1 - accuracy} for accuracy in (1.0, after)]
    lines = [
        missed.line
        for missed in missed_score("net.tflite", classified(count), *scores, allowed, over_all=True)
    ]
    assert len(lines) == fails
    for line in lines:
        share = max(allowed, 1 / count)
        assert f"accuracy falls by {1 - after:.4f}, allowed are {share:.4f}; " in line
