"""Images and masks: find them, check them, divide them, feed them to a network."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tinyseg.data import brats_h5, brats_nifti, class_folders
from tinyseg.data.brain_mri import is_brain_mri, open_brain_mri
from tinyseg.data.busi import is_busi, scan_busi
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.dic1 import is_dic1, scan_dic1
from tinyseg.data.dsb2018 import is_dsb2018, scan_dsb2018
from tinyseg.data.em_stack import is_em_stack, scan_em_stack
from tinyseg.data.folder import is_folder, scan_folder
from tinyseg.data.isic2018 import is_isic2018, scan_isic2018
from tinyseg.data.phantom import load_phantom
from tinyseg.data.slices import share
from tinyseg.errors import InputError

__all__ = ["Dataset", "Layout", "Sample", "find", "load", "scan"]

Scan = Callable[[Path], tuple[list[Sample], list[str]]]


class Layout(NamedTuple):
    """A way in which datasets lie in folders.

    Attributes:
        matches: tells from a folder whether it is laid out so.
        open: returns the dataset, without what does not pair up, and a line for each of those.
        location: where the dataset lies below ``$TINYSEG_DATA``, if it can be named.
        options: by name, what turns the text of an option into an argument of ``open``; it
            raises ValueError that says what the option takes.
    """

    matches: Callable[[Path], bool]
    open: Callable[..., tuple[Dataset, list[str]]]
    location: str = ""
    options: Mapping[str, Callable[[str], Any]] = {}


def _pictures(scan: Scan, name: str = "") -> Callable[[Path], tuple[Dataset, list[str]]]:
    """Return what opens image files with mask files; the folder's own name if none is given."""

    def open_pictures(root: Path) -> tuple[Dataset, list[str]]:
        samples, problems = scan(root)
        return Dataset(name or root.resolve().name, tuple(samples), root), problems

    return open_pictures


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    return text == "1"


# The first that matches is taken, so those that ask for less stand below.
LAYOUTS = {
    "busi": Layout(is_busi, _pictures(scan_busi, "busi"), "busi/Dataset_BUSI_with_GT"),
    "folder": Layout(is_folder, _pictures(scan_folder)),
    "dsb2018": Layout(is_dsb2018, _pictures(scan_dsb2018, "dsb2018"), "dsb2018"),
    "em_isbi2012": Layout(is_em_stack, _pictures(scan_em_stack, "em_isbi2012"), "em_isbi2012"),
    "brats2020": Layout(
        brats_h5.is_brats_h5, brats_h5.open_brats_h5, "brats2020", {"slices": share}
    ),
    "brats_nifti": Layout(
        brats_nifti.is_brats_nifti,
        brats_nifti.open_brats_nifti,
        "brats2015_nifti",
        {"slices": share},
    ),
    "isic2018": Layout(is_isic2018, _pictures(scan_isic2018, "isic2018"), "isic2018"),
    "dic1": Layout(is_dic1, _pictures(scan_dic1, "dic1"), "dic1"),
    "brain_mri": Layout(is_brain_mri, open_brain_mri, "brain_mri_cls", {"crop": _switch}),
    "classes": Layout(class_folders.is_class_folders, class_folders.open_class_folders),
}
_TASKS = ("segmentation", "classification")
_OPTIONS = re.compile(r"(?P<place>.+?):(?P<options>\w+=[^,=/]*(,\w+=[^,=/]*)*)")


def load(name_or_path: str | os.PathLike[str]) -> Dataset:
    """Open a dataset.

    Args:
        name_or_path: ``phantom``, a name in :data:`LAYOUTS` that has a location, for the copy
            below ``$TINYSEG_DATA``, or a folder, a ``.zip`` or ``.tar.gz`` archive or a URL of
            either that ``fsspec`` knows, in the layout of one of these. Options follow a colon:
            ``phantom:count=48,size=128,seed=3``, ``brats2020:slices=0.25``,
            ``brain_mri:crop=0``, ``busi:task=classification``,
            ``https://host/busi.zip:sha256=...``.

    Returns:
        The dataset; no image has been opened yet.

    Raises:
        InputError: nothing usable is there, or images and masks do not pair up.
    """
    dataset, problems = scan(name_or_path)
    if problems:
        raise InputError(problems[0])
    if not dataset.samples:
        raise InputError(f"{dataset.root}: holds no images; expected png, jpg, bmp or tif files")
    return dataset


def scan(name_or_path: str | os.PathLike[str]) -> tuple[Dataset, list[str]]:
    """Open what pairs up in a dataset and list what does not.

    Args:
        name_or_path: as for :func:`load`.

    Returns:
        The dataset, perhaps empty, and one line for each file without its partner.

    Raises:
        InputError: no such folder, an unknown layout, or options that it does not take.
    """
    text = os.fspath(name_or_path)
    place, options = _split(text)
    task = options.pop("task", "")
    if task not in ("", *_TASKS):
        raise InputError(f"{text}: task= takes {' or '.join(_TASKS)}")
    problems: list[str] = []
    if place == "phantom":
        dataset = _phantom(text, options)
    else:
        root, layout = find(place, options.pop("sha256", ""))
        dataset, problems = layout.open(root, **_arguments(text, layout, options))
    if task == "classification" and not dataset.classes and dataset.samples:
        dataset = dataset.classified()
    elif task == "segmentation" and dataset.classes:
        raise InputError(f"{text}: holds no masks; leave task=segmentation out")
    return dataset, problems


def _split(text: str) -> tuple[str, dict[str, str]]:
    """Part a place from its options; a path that exists as it stands has none."""
    match = _OPTIONS.fullmatch(text)
    if text.startswith("phantom:"):
        options = text.removeprefix("phantom:")
    elif match and not Path(text).exists():
        options = match["options"]
    else:
        return text, {}
    place = text[: -len(options) - 1]
    items = [item.partition("=") for item in options.split(",") if item]
    return place, {key: value for key, _, value in items}


def _arguments(text: str, layout: Layout, options: Mapping[str, str]) -> dict[str, Any]:
    arguments = {}
    for key, value in options.items():
        if key not in layout.options:
            known = ", ".join(f"{name}=" for name in ("task", *layout.options))
            raise InputError(f"{text}: no option '{key}' here; there are {known}")
        try:
            arguments[key] = layout.options[key](value)
        except ValueError as error:
            raise InputError(f"{text}: {key}= takes {error}") from None
    return arguments


def find(name_or_path: str, sha256: str = "") -> tuple[Path, Layout]:
    """Return the folder and layout that a name, path or URL stands for.

    Args:
        name_or_path: as for :func:`load`, without options.
        sha256: that a downloaded archive must have, if not empty.

    Raises:
        InputError: no such folder, its layout is unknown, or it cannot be fetched.
    """
    named = LAYOUTS.get(name_or_path)
    if named and named.location and not Path(name_or_path).exists():
        if not os.environ.get("TINYSEG_DATA"):
            raise InputError(f"{name_or_path}: set TINYSEG_DATA to the folder that holds it")
        roots = [Path(os.environ["TINYSEG_DATA"]) / named.location]
    else:
        roots = _roots(name_or_path, sha256)
    if not roots[0].is_dir():
        raise InputError(
            f"{roots[0]}: no such folder; give a folder of images and masks, or 'phantom'"
        )
    for root in roots:
        for layout in LAYOUTS.values():
            if layout.matches(root):
                return root, layout
    # What was fetched lies in the cache, whose name says nothing.
    shown = roots[0] if named or Path(name_or_path).is_dir() else name_or_path
    raise InputError(
        f"{shown}: no images and masks found; expected images/ and masks/, or BUSI's layout "
        "(benign/, malignant/, normal/ with NAME.png and NAME_mask.png), or "
        "stage1_train/ID/images/ID.png with ID/masks/*.png, or volume_N_slice_N.h5, or a folder "
        "of .nii.gz a patient, or ISIC_N.jpg and ISIC_N_segmentation.png, or NAME.tif and "
        "NAME_mask.tif, or one folder of images a class, or data/membrane/train/ with "
        "image/N.png and label/N.png"
    )


def _roots(place: str, sha256: str) -> list[Path]:
    """Return the folders to look at: for what was packed also those that wrap the images."""
    path = Path(place)
    if "://" not in place and not path.is_file():
        return [path]
    from tinyseg.data import remote

    roots = [remote.fetch(place, sha256)]
    while len(below := [p for p in roots[-1].iterdir() if p.is_dir()]) == 1:
        roots.append(below[0])
    return roots


def _phantom(text: str, options: Mapping[str, str]) -> Dataset:
    for key, value in options.items():
        if key not in ("count", "size", "seed") or not value.isdecimal():
            raise InputError(f"{text}: phantom takes count=, size= and seed= with whole numbers")
    try:
        return load_phantom(**{key: int(value) for key, value in options.items()})
    except ValueError as error:
        raise InputError(f"{text}: {error}") from None
