"""What the mean over an image and its mirror image is worth, on the validation images of a fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyseg.experiments.clinic_plans import (
    LIMIT,
    NORMALIZED,
    START,
    teacher_role,
    trial_role,
    weights,
)
from tinyseg.experiments.jobs import Jobs
from tinyseg.experiments.rounds import markdown_table
from tinyseg.operating_point import OperatingPoint
from tinyseg.reporting.numbers import score
from tinyseg.runtime.views import outputs_at
from tinyseg.scoring.calibration import candidates
from tinyseg.steps.calibrate import parse_wish
from tinyseg.steps.session import Session

# Networks by what the page calls them; each saw the training images of the fold alone.
NETWORKS: Mapping[str, str] = {
    "first student": "student",
    START: trial_role(START),
    NORMALIZED: trial_role(NORMALIZED),
    "fifth student": "fifth_student",
    "sixth student": "sixth_student",
    "seventh student": "seventh_student",
    "teacher, mixed": teacher_role("mixed"),
    "teacher, plain": teacher_role("plain"),
}


def judge(maps: np.ndarray, masks: np.ndarray, base: OperatingPoint) -> dict[str, Any]:
    """Return what probabilities reach at the point that serves the limit best.

    Args:
        maps: probabilities float32 ``(n, height, width, 1)``.
        masks: what is true, 0 and 1 of the same shape.
        base: see :func:`tinyseg.scoring.calibration.candidates`.
    """
    best = parse_wish(LIMIT).best(candidates(maps, masks, base))
    assert best is not None  # A point that blanks every image is among them.
    return best.as_dict()


def compare(role: str) -> dict[str, Any]:
    """Judge a network on images, and the mean of that and of what it says of mirror images."""
    session = Session.open(weights(role))
    images, settings = session.images.part("validation"), session.preprocessing
    inputs, reading = images.inputs(settings), session.reading.marking(1)
    found = {}
    for name, mirrored in (("alone", False), ("mean", True)):
        point = OperatingPoint(share=settings.share, mirrored=mirrored)
        maps = reading.regions_of(outputs_at(point, session.runner(), inputs, reading))
        found[name] = judge(maps, images.masks, point)
    return found


def run(jobs: Jobs) -> dict[str, Any]:
    """Judge all of ``NETWORKS``; return what :func:`compare` does of each."""
    rows = jobs.run({f"mirror {name}": (compare, (role,)) for name, role in NETWORKS.items()})
    return {name: rows[f"mirror {name}"] for name in NETWORKS}


def section(rows: Mapping[str, Any]) -> list[str]:
    """Return the part of the page."""
    table = [
        [
            name if way == "alone" else "with its mirror image",
            score(row[way]["lesion_dice"]),
            score(row[way]["dice"]),
            str(row[way]["missed_lesions"]),
            f"{row[way]['false_alarms']} of {row[way]['healthy_images']}",
        ]
        for name, row in rows.items()
        for way in ("alone", "mean")
    ]
    header = [
        "network", "Dice with a lesion", "Dice of all", "lesions missed",
        "healthy marked",
    ]  # fmt: skip
    return [
        "## Seen twice\n\nFold 0, float32: probabilities of an image alone, and their mean with "
        "those of its mirror image, which costs a second run. Each at the point with most Dice "
        "with a lesion that marks at most a quarter of the healthy images; `tinyseg calibrate "
        "--mirrored` chooses such a one.",
        "",
        markdown_table(header, table),
    ]
