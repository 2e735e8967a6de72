"""Skin lesions of ISIC 2018, task 1 (Codella et al., arXiv:1902.03368), and of earlier years.

Images are called ``ISIC_N.jpg``, masks ``ISIC_N_segmentation.png`` or, in copies, ``ISIC_N.png``
in a folder of masks; in which folders they lie does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tinyseg.data import tree
from tinyseg.data.dataset import Sample
from tinyseg.data.images import is_image
from tinyseg.data.layouts.layout import Layout, pictures
from tinyseg.data.layouts.pairing import collect, pair

_NAME = re.compile(r"(?P<id>ISIC_\d+)(?P<mask>_segmentation)?")
_MASK_FOLDER = re.compile(r"mask|groundtruth", re.IGNORECASE)


def is_isic2018(root: Path) -> bool:
    """Return whether any file below a folder bears an ISIC number."""
    return any(True for _ in _files(root))


def scan_isic2018(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair images and masks by ISIC number, from all folders, without opening them.

    Returns:
        The samples, and one line for each image without mask, each mask without image and each
        second file of one number.
    """
    found = sorted(_files(root))
    images, twice = collect((path for path in found if not _is_mask(path)), _number)
    masks, mask_twice = collect(filter(_is_mask, found), _number)
    samples, problems = pair(images, masks, "_segmentation.png")
    return samples, twice + mask_twice + problems


def _files(root: Path) -> Iterator[Path]:
    return (p for p in tree.files_below(root, "ISIC_*") if is_image(p) and _number(p))


def _number(path: Path) -> str | None:
    """Return ``ISIC_N``; None for superpixels and other files beside the images."""
    match = _NAME.fullmatch(path.stem)
    return match["id"] if match else None


def _is_mask(path: Path) -> bool:
    named = _NAME.fullmatch(path.stem)
    return bool((named and named["mask"]) or _MASK_FOLDER.search(path.parent.name))


LAYOUT = Layout(is_isic2018, pictures(scan_isic2018, "isic2018"), "isic2018")
