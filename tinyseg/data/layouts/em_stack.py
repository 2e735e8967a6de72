"""Electron microscopy of the ISBI 2012 challenge, laid out as in github.com/zhixuhao/unet.

The images are those of Cardona et al. (PLoS Biology 8, 2010, e1000502), free for
non-commercial segmentation software; publications must cite TrakEM2 and that paper.
"""

from __future__ import annotations

from pathlib import Path

from tinyseg.data.dataset import Sample, natural_order
from tinyseg.data.images import image_files
from tinyseg.data.layouts.layout import Layout, pictures

# Where the slices lie below the folders that a user may name.
_PLACES = ("data/membrane/train", "membrane/train", "train", ".")


def is_em_stack(root: Path) -> bool:
    """Return whether ``image/`` and ``label/`` lie in a folder or where that stack has them."""
    train = _train_folder(root)
    return (train / "image").is_dir() and (train / "label").is_dir()


def scan_em_stack(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair ``image/N.*`` with ``label/N.*`` without opening them, slices in numerical order.

    Names are the slice numbers, wherever the root is, so that a split fits all.

    Returns:
        The samples, and one line for each image without label, each label without image and
        each second file of one name.
    """
    train, problems = _train_folder(root), []
    slices: dict[str, dict[str, Path]] = {"image": {}, "label": {}}
    for kind, found in slices.items():
        for path in image_files(train / kind):
            other = found.setdefault(path.stem, path)
            # Labels mark cells, so that uniting two of them would wipe out membranes.
            if other != path:
                problems.append(f"{path}: same name as {other.name}; rename or remove one of them")
    images, labels = slices.values()
    samples = []
    for stem in sorted(images.keys() | labels.keys(), key=natural_order):
        if stem not in images:
            problems.append(
                f"{labels[stem]}: label without image; add 'image/{stem}.png' or remove it"
            )
        elif stem not in labels:
            problems.append(
                f"{images[stem]}: image without label; add 'label/{stem}.png' or remove it"
            )
        else:
            samples.append(Sample(stem, "", images[stem], (labels[stem],)))
    return samples, problems


def _train_folder(root: Path) -> Path:
    places = (root / place for place in _PLACES)
    return next((place for place in places if (place / "image").is_dir()), root)


LAYOUT = Layout(is_em_stack, pictures(scan_em_stack, "em_isbi2012"), "em_isbi2012")
