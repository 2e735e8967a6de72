"""Cells in differential interference contrast, laid out as DIC-1 (C. Zhang, BLU-Net, 2022).

``img_000001_1.tif`` has its mask beside it, ``img_000001_1_mask.tif``; weight maps,
``img_000001_1_weights.npy``, are not used.
"""

from __future__ import annotations

from pathlib import Path

from tinyseg.data import tree
from tinyseg.data.dataset import Sample
from tinyseg.data.images import image_files
from tinyseg.data.layouts.layout import Layout, pictures
from tinyseg.data.layouts.pairing import collect, pair

_END = "_mask"


def is_dic1(root: Path) -> bool:
    """Return whether TIFF files and their ``*_mask.tif`` lie in a folder itself."""
    stems = {path.stem for path in tree.entries(root) if path.suffix.lower() in (".tif", ".tiff")}
    return any(stem.endswith(_END) for stem in stems)


def scan_dic1(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair images and masks of one folder without opening them.

    Returns:
        The samples, and one line for each image without mask, each mask without image and each
        second file of one name.
    """
    found = image_files(root)
    images, twice = collect((p for p in found if not p.stem.endswith(_END)), lambda p: p.stem)
    masks, mask_twice = collect(
        (p for p in found if p.stem.endswith(_END)), lambda p: p.stem.removesuffix(_END)
    )
    samples, problems = pair(images, masks, f"{_END}.tif")
    return samples, twice + mask_twice + problems


LAYOUT = Layout(is_dic1, pictures(scan_dic1, "dic1"), "dic1")
