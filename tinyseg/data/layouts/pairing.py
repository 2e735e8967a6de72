"""Bring images and masks together by a key that their names share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tinyseg.data.dataset import Sample, natural_order


def collect(
    paths: Iterable[Path], key: Callable[[Path], str | None]
) -> tuple[dict[str, Path], list[str]]:
    """Index files by key; None leaves a file out.

    Returns:
        The files, and one line for each second file of one key.
    """
    found: dict[str, Path] = {}
    problems = []
    for path in paths:
        if (name := key(path)) is None:
            continue
        other = found.setdefault(name, path)
        if other != path:
            problems.append(f"{path}: same name as {other.name}; rename or remove one of them")
    return found, problems


def pair(
    images: dict[str, Path], masks: dict[str, Path], suffix: str
) -> tuple[list[Sample], list[str]]:
    """Return a sample for each key that has both, and one line for each that has not.

    Args:
        images, masks: files by key.
        suffix: follows the key in the name of a mask, file type included, for the cure.
    """
    samples, problems = [], []
    for key in sorted(images.keys() | masks.keys(), key=natural_order):
        if key not in images:
            problems.append(f"{masks[key]}: mask without image; add the image or remove it")
        elif key not in masks:
            problems.append(f"{images[key]}: image without mask; add '{key}{suffix}' or remove it")
        else:
            samples.append(Sample(key, "", images[key], (masks[key],)))
    return samples, problems
