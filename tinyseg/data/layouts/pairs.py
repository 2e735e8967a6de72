"""Any two folders whose files pair up by name, one of images, one of masks.

``JPEGImages/`` and ``SegmentationClass/`` of PASCAL VOC, ``imgs/`` and ``masks/``, ``train/`` and
``train_masks/``, with ``train``, ``val`` and ``test`` above these folders or below. Parts are read
as one dataset: tinyseg divides it anew.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tinyseg.data import tree
from tinyseg.data.dataset import Sample, natural_order
from tinyseg.data.images import is_image
from tinyseg.data.layouts.layout import Layout, pictures
from tinyseg.data.layouts.pairing import collect
from tinyseg.data.masks import levels, open_mask
from tinyseg.errors import InputError

log = logging.getLogger(__name__)

_IMAGE_WORDS = {
    *("image", "images", "img", "imgs", "jpegimages", "pngimages", "input", "inputs", "photo"),
    *("photos", "picture", "pictures", "scan", "scans", "frame", "frames", "original"),
    *("originals", "raw", "leftimg8bit", "data", "x"),
}
_MASK_WORDS = {
    *("mask", "masks", "label", "labels", "gt", "gts", "groundtruth", "truth", "annotation"),
    *("annotations", "annot", "annots", "seg", "segs", "segmentation", "segmentations"),
    *("segmentationclass", "segmentationobject", "segmentationclasspng", "target", "targets"),
    *("trimap", "trimaps", "manual", "manual1", "lesion", "lesions", "outputs", "output", "y"),
}
_ORDINALS = {"1st", "2nd", "1", "2"}
# PASCAL VOC marks objects too, and only some of its photographs.
_PREFERRED = "segmentationclass"
_GLUED = re.compile(r"(train|val|valid|test)(annot|annots|mask|masks|label|labels)")
_PARTLY_MARKED = "jpegimages"
_DEEPEST = 5
_TRIED = 5
_SPLIT = re.compile(r"[^a-z0-9]+")


class _Place(NamedTuple):
    """A folder that holds images.

    Attributes:
        folder: its path.
        role: ``image``, ``mask``, or nothing where no word says it.
        key: what its path shares with that of its counterpart.
        word: that names the role.
    """

    folder: Path
    role: str
    key: tuple[str, ...]
    word: str


def is_pairs(root: Path) -> bool:
    """Return whether a folder of images has a counterpart of masks with a file of equal name."""
    if all((root / name).is_dir() for name in ("train", "train_images", "train_masks")):
        # What ``data stage`` writes: classes, with the masks of their images beside them.
        return False
    return any(_share_names(images, masks) for images, masks, _ in _counterparts(root))


def scan_pairs(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair the files of each folder of images with those of its folder of masks.

    Names are equal, but for words such as ``image`` and ``mask`` in them.

    Returns:
        The samples, and one line for each image without mask, each mask without image and each
        second file of one name.
    """
    samples: list[Sample] = []
    problems: list[str] = []
    for images, masks, others in _counterparts(root):
        if others:
            problems.append(
                f"{others[0].folder}: a second folder of masks beside '{masks.folder.name}'; move "
                "one of them away"
            )
            continue
        found, more = _pair(root, images, masks)
        samples += found
        problems += more
    return sorted(samples, key=lambda sample: natural_order(sample.name)), problems


def _pair(root: Path, images: _Place, masks: _Place) -> tuple[list[Sample], list[str]]:
    exact = bool(_stems(images) & _stems(masks))
    pictures_of, twice = collect(_files(images), lambda path: _key(path, exact))
    masks_of, masks_twice = collect(_files(masks), lambda path: _key(path, exact))
    problems: list[str] = [*twice, *masks_twice]
    samples: list[Sample] = []
    unmarked = 0
    for key in sorted(pictures_of.keys() | masks_of.keys(), key=natural_order):
        image, mask = pictures_of.get(key), masks_of.get(key)
        if image is None:
            problems.append(f"{mask}: mask without image; add the image or remove it")
        elif mask is not None:
            name = image.relative_to(root).with_suffix("").as_posix()
            samples.append(Sample(name, "", image, (mask,)))
        elif images.word == _PARTLY_MARKED:
            unmarked += 1
        else:
            cure = f"add '{masks.folder.relative_to(root).as_posix()}/{image.stem}.png'"
            problems.append(f"{image}: image without mask; {cure} or remove it")
    if unmarked:
        log.info("%s: %d images without masks are left out", images.folder, unmarked)
    return samples, problems


def _key(path: Path, exact: bool) -> str:
    """Return a file's name without the words that name images and masks."""
    stem = re.sub(r"_(mask|segmentation|label|gt)(_?\d+)?$", "", path.stem, flags=re.IGNORECASE)
    if exact:
        return stem
    parts = re.split(r"([^A-Za-z]+)", stem)
    words = _IMAGE_WORDS | _MASK_WORDS
    kept = [part for part in parts if part.lower() not in words]
    return "".join(kept).strip("_- .") or stem


def _share_names(images: _Place, masks: _Place) -> bool:
    for exact in (True, False):
        one, other = ({_key(path, exact) for path in _files(each)} for each in (images, masks))
        if one & other:
            return True
    return False


def _stems(place: _Place) -> set[str]:
    return {_key(path, True) for path in _files(place)}


def _files(place: _Place) -> list[Path]:
    return [path for path in tree.entries(place.folder) if is_image(path)]


def _counterparts(root: Path) -> list[tuple[_Place, _Place, list[_Place]]]:
    """Return each folder of images with its folder of masks, and others that may be just that."""
    places = list(_places(root))
    by_key: dict[tuple[str, ...], list[_Place]] = {}
    for place in places:
        if place.role == "mask":
            by_key.setdefault(place.key, []).append(place)
    found = []
    for images in places:
        masks = by_key.get(images.key, [])
        if images.role == "mask" or not masks:
            continue
        preferred = [place for place in masks if place.word == _PREFERRED]
        if images.folder != root or masks[0].folder.parent == root:
            found.append((images, (preferred or masks)[0], [] if preferred else masks[1:]))
    named = [each for each in found if each[0].role]
    return named or found or _only_two(places)


def _only_two(places: list[_Place]) -> list[tuple[_Place, _Place, list[_Place]]]:
    """Pair two folders of equal names, whatever they are called, if one holds masks."""
    if len(places) != 2:
        return []
    one, other = places
    common = len(_stems(one) & _stems(other))
    if 2 * common < max(len(_files(one)), len(_files(other))):
        return []
    pairs = ((one, other), (other, one))
    marks = {place.folder: _look_like_masks(place) for place in places}
    return [
        (images, masks, [])
        for images, masks in pairs
        if images.role != "mask" and masks.role != "image"
        if marks[masks.folder] and not marks[images.folder]
    ]


def _look_like_masks(place: _Place) -> bool:
    """Return whether the first files of a folder hold a few values that fill areas."""
    try:
        for path in _files(place)[:_TRIED]:
            held = levels(open_mask(path), path)
            if (held.form == "shades" and (held.plateau or not held.lossy)) or not held.zero:
                return False
    except InputError:
        return False
    return True


def _places(root: Path) -> Iterable[_Place]:
    """Yield the folders that hold images themselves, down to a few levels."""
    folders = [(root, 0)]
    while folders:
        folder, depth = folders.pop(0)
        if depth < _DEEPEST:
            folders += [(below, depth + 1) for below in tree.folders(folder)]
        if any(map(is_image, tree.entries(folder))):
            yield _place(root, folder)


def _place(root: Path, folder: Path) -> _Place:
    key: list[str] = []
    role = word = ""
    for part in folder.relative_to(root).parts:
        name = _GLUED.sub(r"\1_\2", part.lower())
        for token in filter(None, _SPLIT.split(name.replace("ground_truth", "groundtruth"))):
            if not role and token in _IMAGE_WORDS | _MASK_WORDS:
                role, word = ("mask" if token in _MASK_WORDS else "image"), token
            elif token not in _ORDINALS:
                key.append(token)
    return _Place(folder, role, tuple(sorted(key)), word)


LAYOUT = Layout(is_pairs, pictures(scan_pairs))
