"""Any folder that holds one folder of images for each class, divided into parts or not."""

from __future__ import annotations

from pathlib import Path

from tinyseg.data import tree
from tinyseg.data.dataset import Dataset, Sample, natural_order
from tinyseg.data.images import image_files
from tinyseg.data.layouts.busi import MASK
from tinyseg.data.layouts.layout import PARTS, Layout
from tinyseg.data.layouts.words import said_by

# Folders of that name hold a half of pairs, whose other half is missing.
_NOT_CLASSES = {
    *("image", "images", "img", "imgs", "mask", "masks", "label", "labels"),
    *("gt", "groundtruth", "ground_truth", "seg", "annotations"),
}


def places(root: Path) -> list[Path]:
    """Return the folders in which class folders lie: ``Training`` and the like, or the root."""
    return [path for path in _folders(root) if path.name.lower() in PARTS] or [root]


def is_class_folders(root: Path) -> bool:
    """Return whether two class folders or more hold images, and none of them masks."""
    folders = [folder for place in places(root) for folder in _folders(place)]
    filled = {folder.name for folder in folders if image_files(folder)}
    masks = any(MASK.fullmatch(path.stem) for folder in folders for path in image_files(folder))
    halves = {"image", "mask"} <= {said_by([name]).role for name in filled}
    named = _NOT_CLASSES & {name.lower() for name in filled}
    return len(filled) >= 2 and not masks and not named and not halves


def scan_class_folders(root: Path) -> tuple[list[Sample], list[str]]:
    """List ``[part/]class/NAME.*`` without opening a file.

    Parts are read as one dataset: tinyseg divides it anew, with equal images in one part.

    Returns:
        The samples, the class being their label, and one line for each class without images and
        each second image of one name.
    """
    samples, problems, empty = [], [], {}
    for folder in (folder for place in places(root) for folder in _folders(place)):
        found: dict[str, Path] = {}
        for path in image_files(folder):
            other = found.setdefault(path.stem, path)
            if other != path:
                problems.append(f"{path}: same name as {other.name}; rename one of the images")
        prefix = folder.relative_to(root).as_posix()
        samples += [
            Sample(f"{prefix}/{stem}", folder.name, found[stem])
            for stem in sorted(found, key=natural_order)
        ]
        if not found:
            empty[folder.name] = folder
    labels = {sample.label for sample in samples}
    problems += [
        f"{folder}: class without images; add some or remove the folder"
        for name, folder in empty.items()
        if name not in labels
    ]
    return samples, problems


def open_class_folders(root: Path) -> tuple[Dataset, list[str]]:
    """Return the images, to be classified by their folder, and what is wrong with the folders."""
    samples, problems = scan_class_folders(root)
    classes = tuple(sorted({sample.label for sample in samples}))
    name = root.resolve().name
    return Dataset(name, tuple(samples), root, regions=(), classes=classes), problems


def _folders(root: Path) -> list[Path]:
    return [path for path in tree.folders(root) if not path.name.startswith("__")]


LAYOUT = Layout(is_class_folders, open_class_folders)
