"""Any folder that holds ``images/`` and ``masks/``."""

from __future__ import annotations

import re
from pathlib import Path

from tinyseg.data.dataset import Sample
from tinyseg.data.images import images_below
from tinyseg.data.layouts.layout import PARTS, Layout, pictures

# The suffixes that data sets in use add to an image's name to name its masks.
_MASK_SUFFIX = re.compile(r"_(mask|segmentation|label|gt)(_?\d+)?$", re.IGNORECASE)


def is_folder(root: Path) -> bool:
    """Return whether a folder has the generic layout."""
    return (root / "images").is_dir() and (root / "masks").is_dir()


def scan_folder(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair ``images/[label/]NAME.*`` with ``masks/[label/]NAME[_mask[_1]].*`` without opening them.

    Folders such as ``train`` and ``val`` are no labels, for tinyseg divides the images anew.

    Returns:
        The samples, and one line for each image without mask and each mask without image.
    """
    images = images_below(root / "images")
    names = {path.relative_to(root / "images").with_suffix("").as_posix() for path in images}
    masks: dict[str, list[Path]] = {}
    for path in images_below(root / "masks"):
        key = path.relative_to(root / "masks").with_suffix("").as_posix()
        masks.setdefault(key if key in names else _MASK_SUFFIX.sub("", key), []).append(path)
    samples, problems = [], []
    seen: dict[str, Path] = {}
    for path in images:
        name = path.relative_to(root / "images").with_suffix("")
        key = name.as_posix()
        if key in seen:
            problems.append(f"{path}: same name as {seen[key].name}; rename one of the images")
            continue
        seen[key] = path
        if key not in masks:
            problems.append(f"{path}: image without mask; add 'masks/{key}.png' or remove it")
            continue
        label = "/".join(part for part in name.parent.parts if part.lower() not in PARTS)
        samples.append(Sample(key, label, path, tuple(masks[key])))
    problems += [
        f"{paths[0]}: mask without image; add 'images/{key}.png' or remove it"
        for key, paths in sorted(masks.items())
        if key not in seen
    ]
    return samples, problems


LAYOUT = Layout(is_folder, pictures(scan_folder))
