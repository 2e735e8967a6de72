"""Images and masks: find them, check them, divide them, feed them to a network."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyseg.data import layouts, stacks, tree, unread
from tinyseg.data.dataset import Dataset, Sample
from tinyseg.data.layouts.layout import Layout
from tinyseg.data.phantom import load_phantom
from tinyseg.errors import InputError, meant

__all__ = ["Dataset", "Sample", "find", "load", "names", "need_source", "scan"]

_TASKS = ("segmentation", "classification")
_DEEPEST = 8
NO_IMAGES = "holds no images; expected png, jpg, bmp, tif, gif or dcm files"
_OPTIONS = re.compile(r"(?P<place>.+?):(?P<options>\w+=[^,=/]*(,\w+=[^,=/]*)*)")


def load(name_or_path: str | os.PathLike[str]) -> Dataset:
    """Open a dataset.

    Args:
        name_or_path: ``phantom``, a name of :func:`tinyseg.data.layouts.known` that has a
            location, for the copy below ``$TINYSEG_DATA``, or a folder, a ``.zip`` or ``.tar.gz``
            archive or a URL of either that ``fsspec`` knows, in the layout of one of these. Options
            follow a colon:
            ``phantom:count=48,size=128,seed=3``, ``brats2020:slices=0.25``,
            ``brain_mri:crop=0``, ``busi:task=classification``,
            ``path/to/images:labels=lesion:1;cyst:2`` (see :func:`tinyseg.data.labels.parse`),
            ``https://host/busi.zip:sha256=...``.

    Returns:
        The dataset; no image has been decoded yet.

    Raises:
        InputError: nothing usable is there, or images and masks do not pair up.
    """
    dataset, problems = scan(name_or_path)
    if problems:
        raise InputError(problems[0])
    if not dataset.samples:
        raise InputError(f"{dataset.root}: {NO_IMAGES}")
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
    labelled = options.pop("labels", None)
    problems: list[str] = []
    if place == "phantom":
        dataset = _phantom(text, options)
    else:
        root, layout = find(place, options.pop("sha256", ""))
        dataset, problems = layout.open(root, **_arguments(text, layout, options))
        samples, more = stacks.expand(dataset.samples)
        dataset = dataclasses.replace(dataset, samples=tuple(samples))
        problems = unread.explain(root, [*problems, *more])
    if labelled is not None:
        dataset = dataset.labelled(labelled)
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


def with_option(source: str, key: str, value: str) -> str:
    """Return a data source with one more option; commas and equals signs are written ; and :."""
    safe = value.replace(",", ";").replace("=", ":")
    return f"{source}{',' if _split(source)[1] else ':'}{key}={safe}"


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
    known = layouts.known()
    named = known.get(name_or_path)
    if named and named.location and not Path(name_or_path).exists():
        if not os.environ.get("TINYSEG_DATA"):
            raise InputError(f"{name_or_path}: set TINYSEG_DATA to the folder that holds it")
        roots = [Path(os.environ["TINYSEG_DATA"]) / named.location]
    else:
        roots = _roots(name_or_path, sha256)
    if not roots[0].is_dir():
        raise _nothing_there(roots[0], name_or_path)
    for root in roots:  # A folder above the images does as well.
        for layout in known.values():
            if layout.matches(root):
                return root, layout
    # What was fetched lies in the cache, whose name says nothing.
    shown = roots[0] if named or Path(name_or_path).is_dir() else name_or_path
    if found := unread.only(roots[0]) or unread.foreign_annotations(roots[0]):
        raise InputError(found)
    raise InputError(
        f"{shown}: no images and masks found; expected images/ and masks/, or BUSI's layout "
        "(benign/, malignant/, normal/ with NAME.png and NAME_mask.png), or "
        "stage1_train/ID/images/ID.png with ID/masks/*.png, or volume_N_slice_N.h5, or a folder "
        "of .nii.gz a patient, or ISIC_N.jpg and ISIC_N_segmentation.png, or NAME.png and "
        "NAME_mask.png, or two folders with equal names such as JPEGImages/ and "
        "SegmentationClass/, or COCO's or LabelMe's JSON, or one folder of images a class, or "
        "data/membrane/train/ with image/N.png and label/N.png"
    )


def need_source(name_or_path: str) -> None:
    """Refuse at once what :func:`load` will find nothing by, without looking into it.

    Raises:
        InputError: it is no name, address, file or folder.
    """
    place, options = _split(name_or_path)
    if place == "phantom":
        _phantom(name_or_path, {k: v for k, v in options.items() if k not in ("task", "labels")})
    elif place not in names() and "://" not in place and not Path(place).exists():
        raise _nothing_there(place, place)


def names() -> list[str]:
    """Return the names of data sets: what :func:`load` takes beside places."""
    return ["phantom", *(name for name, layout in layouts.known().items() if layout.location)]


def _nothing_there(place: str | Path, named: str) -> InputError:
    hint = meant(named, ["phantom", *layouts.known()])
    return InputError(
        f"{place}: no such folder; give a folder of images and masks, or 'phantom'{hint}"
    )


def _roots(place: str, sha256: str) -> list[Path]:
    """Return the folders to look at: that which is named and those that wrap the images."""
    path = Path(place)
    roots = [path]
    if "://" in place or path.is_file():
        from tinyseg.data import remote

        roots = [remote.fetch(place, sha256)]
    while len(roots) < _DEEPEST and len(below := tree.folders(roots[-1])) == 1:
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
