"""The table of what a file had to clear."""

import pytest

from tinyseg.reporting.gates import gates


def run(before, after, **changes):
    """Figures of a run, with the Dice of the images that have a lesion."""
    part = {"images": 10, "dice": 0.9}
    return {
        "task": "segmentation",
        "recipe": "static_wi8_ai8",
        "test": {
            "float": {**part, "with_lesion": {"images": 8, "dice": before}},
            "integer": {**part, "dice": 0.1, "with_lesion": {"images": 8, "dice": after}},
            "background": {**part, "with_lesion": {"images": 8, "dice": 0.0}},
        },
        "verification": {
            "unsupported_ops": [],
            "differing_bytes": 0,
            "bit_exact": True,
            "images": ["a", "b"],
            "device": None,
            **changes,
        },
    }


def test_images_with_a_lesion_decide():
    score, nothing, operators, values = gates(run(0.75, 0.745), 0.01)["rows"]
    assert score == [
        "Dice on the 8 held-out images with a lesion",
        "falls by at most 0.0100 from float32 to static_wi8_ai8",
        "0.7500 to 0.7450, falls by 0.0050",
        "passed",
    ]
    assert nothing[1:] == ["above 0.0000, that of predicting nothing", "0.7450", "passed"]
    assert operators[1:] == ["none", "none", "passed"]
    assert values[1:] == ["none", "0 on 2 images", "passed"]


@pytest.mark.parametrize(
    ("after", "allowed", "found", "verdict"),
    [
        (0.76, 0.01, "rises by 0.0100", "passed"),
        (0.73, 0.01, "falls by 0.0200", "missed"),
        (0.73, 0.03, "falls by 0.0200", "passed"),
    ],
)
def test_verdict_on_the_drop(after, allowed, found, verdict):
    row = gates(run(0.75, after), allowed)["rows"][0]
    assert row[2].endswith(found)
    assert row[3] == verdict


@pytest.mark.parametrize(
    ("after", "images", "allowed", "verdict"),
    [
        (0.88, 200, "0.0100", "missed"),
        (0.895, 200, "0.0100", "passed"),
        (0.8, 10, "0.1000", "passed"),
    ],
)
def test_images_without_a_lesion_count_too(after, images, allowed, verdict):
    """One of them more or less is chance."""
    made = run(0.75, 0.75)
    for part in made["test"].values():
        part["images"] = images
    made["test"]["integer"]["dice"] = after
    # Where a threshold alone decides, one pixel of an image does.
    alone = gates(made, 0.01)["rows"]
    made["operating_point"] = {"blank_below": 0.5}
    rows = gates(made, 0.01)["rows"]
    row = rows.pop(1)
    assert rows == alone
    assert row[0] == f"Dice on all {images} held-out images"
    assert row[1].startswith(f"falls by at most {allowed} ")
    assert row[2:] == [f"0.9000 to {after:.4f}, falls by {0.9 - after:.4f}", verdict]


def test_what_tflm_and_a_board_make_of_it():
    device = {"board": "mps2_an505", "differing_bytes": 3, "bit_exact": False}
    changes = {"unsupported_ops": ["EXP"], "differing_bytes": 2000, "bit_exact": False}
    rows = gates(run(0.75, 0.0, **changes, device=device), 0.01)["rows"]
    assert [row[2:] for row in rows[1:]] == [
        ["0.0000", "missed"],
        ["EXP", "missed"],
        ["2,000 on 2 images", "missed"],
        ["3 on 2 images", "missed"],
    ]
    assert "mps2_an505" in rows[-1][0]


def test_classes_may_lose_one_image():
    values = run(0, 0)
    values |= {
        "task": "classification",
        "test": {
            "float": {"images": 20, "accuracy": 0.95},
            "integer": {"images": 20, "accuracy": 0.9},
        },
    }
    score, *others = gates(values, 0.01)["rows"]
    assert score[:2] == [
        "accuracy on the 20 held-out images",
        "falls by at most 0.0500 from float32 to static_wi8_ai8",
    ]
    assert score[3] == "passed"
    assert len(others) == 2
