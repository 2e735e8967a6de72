"""BUSI, the breast ultrasound images of Al-Dhabyani et al. (Data in Brief 28, 2020, 104863)."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from tinyseg.data import tree
from tinyseg.data.dataset import Sample, natural_order
from tinyseg.data.images import image_files
from tinyseg.data.layouts.layout import Layout, pictures

LABELS = ("benign", "malignant", "normal")
MASK = re.compile(r"(?P<stem>.*)_mask(_\d+)?", re.DOTALL)


def is_busi(root: Path) -> bool:
    """Return whether a folder is laid out as BUSI: classes with ``*_mask.png`` beside images."""
    return any((root / label).is_dir() for label in LABELS) and any(
        fnmatch.fnmatchcase(path.name, "*_mask.*")
        for folder in tree.folders(root)
        for path in tree.entries(folder)
    )


def scan_busi(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair images and masks without opening them.

    Returns:
        The samples, and one line for each image without mask and each mask without image.
    """
    samples, problems = [], []
    for folder in tree.folders(root):
        images: dict[str, Path] = {}
        masks: dict[str, list[Path]] = {}
        for path in image_files(folder):
            match = MASK.fullmatch(path.stem)
            if match:
                masks.setdefault(match["stem"], []).append(path)
            elif path.stem in images:
                other = images[path.stem].name
                problems.append(f"{path}: same name as {other}; rename one of the images")
            else:
                images[path.stem] = path
        for stem in sorted(images.keys() | masks.keys(), key=natural_order):
            if stem not in images:
                problems.append(f"{masks[stem][0]}: mask without image; add the image or remove it")
            elif stem not in masks:
                problems.append(
                    f"{images[stem]}: image without mask; add '{stem}_mask.png' or remove it"
                )
            else:
                name = f"{folder.name}/{stem}"
                samples.append(Sample(name, folder.name, images[stem], tuple(masks[stem])))
    return samples, problems


LAYOUT = Layout(is_busi, pictures(scan_busi, "busi"), "busi/Dataset_BUSI_with_GT")
