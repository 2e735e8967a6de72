"""Images and masks: find them, check them, divide them, feed them to a network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tinyseg.data.busi import is_busi, load_busi, scan_busi
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.dsb2018 import is_dsb2018, load_dsb2018, scan_dsb2018
from tinyseg.data.em_stack import is_em_stack, load_em_stack, scan_em_stack
from tinyseg.data.folder import is_folder, load_folder, scan_folder
from tinyseg.data.phantom import load_phantom
from tinyseg.errors import InputError

__all__ = ["Dataset", "Layout", "Sample", "find", "load"]


class Layout(NamedTuple):
    """A way in which datasets lie in folders.

    Attributes:
        matches: tells from a folder whether it is laid out so.
        scan: lists samples and pairing problems.
        load: returns the dataset or raises.
        location: where the dataset lies below ``$TINYSEG_DATA``, if it can be named.
    """

    matches: Callable[[Path], bool]
    scan: Callable[[Path], tuple[list[Sample], list[str]]]
    load: Callable[[Path], Dataset]
    location: str = ""


LAYOUTS = {
    "busi": Layout(is_busi, scan_busi, load_busi, "busi/Dataset_BUSI_with_GT"),
    "folder": Layout(is_folder, scan_folder, load_folder),
    "dsb2018": Layout(is_dsb2018, scan_dsb2018, load_dsb2018, "dsb2018"),
    "em_isbi2012": Layout(is_em_stack, scan_em_stack, load_em_stack, "em_isbi2012"),
}


def load(name_or_path: str | os.PathLike[str]) -> Dataset:
    """Open a dataset.

    Args:
        name_or_path: ``phantom``, or with arguments ``phantom:count=48,size=128,seed=3``;
            ``busi``, ``dsb2018`` or ``em_isbi2012`` for the copy below ``$TINYSEG_DATA``; or
            a folder in the layout of one of these or with ``images/`` and ``masks/``.

    Returns:
        The dataset; no image has been opened yet.

    Raises:
        InputError: nothing usable is there, or images and masks do not pair up.
    """
    text = os.fspath(name_or_path)
    if text == "phantom" or text.startswith("phantom:"):
        return _phantom(text)
    root, layout = find(text)
    dataset = layout.load(root)
    if not dataset.samples:
        raise InputError(f"{root}: holds no images; expected png, jpg, bmp or tif files")
    return dataset


def find(name_or_path: str) -> tuple[Path, Layout]:
    """Return the folder and layout that a name or path stands for.

    Raises:
        InputError: no such folder, or its layout is unknown.
    """
    layout = LAYOUTS.get(name_or_path)
    if layout and layout.location and not Path(name_or_path).exists():
        if not os.environ.get("TINYSEG_DATA"):
            raise InputError(f"{name_or_path}: set TINYSEG_DATA to the folder that holds it")
        root = Path(os.environ["TINYSEG_DATA"]) / layout.location
    else:
        root = Path(name_or_path)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give a folder of images and masks, or 'phantom'")
    for layout in LAYOUTS.values():
        if layout.matches(root):
            return root, layout
    raise InputError(
        f"{root}: no images and masks found; expected images/ and masks/, or BUSI's layout "
        "(benign/, malignant/, normal/ with NAME.png and NAME_mask.png), or "
        "stage1_train/ID/images/ID.png with ID/masks/*.png, or data/membrane/train/ with "
        "image/N.png and label/N.png"
    )


def _phantom(text: str) -> Dataset:
    arguments = {}
    for item in filter(None, text.partition(":")[2].split(",")):
        key, _, value = item.partition("=")
        if key not in ("count", "size", "seed") or not value.isdecimal():
            raise InputError(f"{text}: phantom takes count=, size= and seed= with whole numbers")
        arguments[key] = int(value)
    try:
        return load_phantom(**arguments)
    except ValueError as error:
        raise InputError(f"{text}: {error}") from None
