"""Nuclei of the 2018 Data Science Bowl (Caicedo et al., Nature Methods 16, 2019, 1247-1253)."""

from __future__ import annotations

from pathlib import Path

from tinyseg.data import tree
from tinyseg.data.dataset import Sample
from tinyseg.data.images import image_files
from tinyseg.data.layouts.layout import Layout, pictures


def is_dsb2018(root: Path) -> bool:
    """Return whether a folder, or ``stage1_train`` in it, holds ``ID/images/ID.*``.

    The equal names distinguish it from ``train/images`` and the like, where one folder
    holds many images and uniting all its masks would be wrong.
    """
    return any(
        path.stem == folder.name
        for folder in tree.folders(_train_folder(root))
        for path in tree.entries(folder / "images")
    )


def scan_dsb2018(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair ``ID/images/ID.*`` with all files of ``ID/masks``, one a nucleus, without opening them.

    Names are the IDs, wherever the root is, so that a split fits both.

    Returns:
        The samples, and one line for each image without masks, each folder of masks without
        image, and each image that is not the one of its folder.
    """
    samples, problems = [], []
    for folder in tree.folders(_train_folder(root)):
        images, masks = image_files(folder / "images"), image_files(folder / "masks")
        own = [path for path in images if path.stem == folder.name]
        problems += [
            f"{path}: not named after its folder; name it '{folder.name}{path.suffix}' or remove it"
            for path in images
            if path not in own
        ]
        problems += [
            f"{path}: same name as {own[0].name}; remove one of the images" for path in own[1:]
        ]
        if own and masks:
            samples.append(Sample(folder.name, "", own[0], tuple(masks)))
        elif own:
            problems.append(
                f"{own[0]}: image without masks; add files to '{folder.name}/masks' or remove it"
            )
        elif masks and not images:
            problems.append(
                f"{masks[0]}: mask without image; add the image to '{folder.name}/images' "
                "or remove the folder"
            )
    return samples, problems


def _train_folder(root: Path) -> Path:
    below = root / "stage1_train"
    return below if below.is_dir() else root


LAYOUT = Layout(is_dsb2018, pictures(scan_dsb2018, "dsb2018"), "dsb2018")
