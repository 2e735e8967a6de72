"""What the network of the experiment ``busi_clinic`` gets wrong, drawn without the images.

The images are of patients; outlines of lesions tell where it fails and show nobody.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg import files
from tinyseg.reporting.calibration_report import draw_free_response
from tinyseg.reporting.pictures import encode_drawing, error_map, plt
from tinyseg.runtime.views import outputs_at
from tinyseg.scoring.detection import free_response
from tinyseg.steps.session import Session

FAILURES, CURVE = "failures.png", "free_response.png"
_COLUMNS = 8


def find_failures(session: Session, part: str = "test") -> tuple[dict[str, Any], list[np.ndarray]]:
    """Return what a network misses and marks in vain, and pictures of these images.

    Args:
        session: a network or file with masks of one region.
        part: of its images.

    Returns:
        Names of images whose lesion no marked pixel touches (``missed``) and of healthy ones in
        which something is marked (``false_alarms``), and the ``free_response`` curve; and of each
        of these images, in this order, float ``(height, width, 3)``: red is marked in vain, blue
        is missed.
    """
    images = session.images.part(part)
    inputs, reading = images.inputs(session.preprocessing), session.reading
    outputs = outputs_at(session.preprocessing, session.runner(), inputs, reading)
    maps = session.reading.marking(images.masks.shape[-1]).regions_of(outputs)
    marked, true = session.reading.masks(outputs, session.preprocessing), images.masks.astype(bool)
    ill, touched = true.any((1, 2, 3)), (marked & true).any((1, 2, 3))
    missed = np.flatnonzero(ill & ~touched)
    alarms = np.flatnonzero(~ill & marked.any((1, 2, 3)))
    dark = np.zeros(true.shape[1:3])
    pictures = [
        error_map(dark, true[row, ..., 0], marked[row, ..., 0]) for row in (*missed, *alarms)
    ]
    found = {
        "missed": [images.names[row] for row in missed],
        "false_alarms": [images.names[row] for row in alarms],
        "free_response": dataclasses.asdict(free_response(maps, true)),
    }
    return found, pictures


def draw_failures(names: Sequence[str], pictures: Sequence[np.ndarray]) -> bytes:
    """Draw pictures of :func:`find_failures` under their names, as PNG."""
    lines = max(1, -(-len(pictures) // _COLUMNS))
    figure, axes = plt.subplots(
        lines, _COLUMNS, figsize=(1.5 * _COLUMNS, 1.7 * lines), squeeze=False, layout="tight"
    )
    for axis, name, picture in zip(axes.flat, names, pictures, strict=False):
        axis.imshow(picture)
        axis.set_title(Path(name).name, fontsize=7)
    for axis in axes.flat:
        axis.set_axis_off()
    return encode_drawing(figure)


def show_failures(file: str, folder: str) -> dict[str, Any]:
    """Write both pictures of a file's test images into a folder; return what they show."""
    found, pictures = find_failures(Session.open(file))
    names = [*found["missed"], *found["false_alarms"]]
    files.write_bytes(Path(folder, FAILURES), draw_failures(names, pictures))
    files.write_bytes(Path(folder, CURVE), draw_free_response(found["free_response"]))
    return found
