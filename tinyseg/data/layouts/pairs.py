"""Any two folders whose files pair up by name, one of images, one of masks.

``JPEGImages/`` and ``SegmentationClass/`` of PASCAL VOC, ``imgs/`` and ``masks/``, ``train/`` and
``train_masks/``, with ``train``, ``val`` and ``test`` above these folders or below. Parts are read
as one dataset: tinyseg divides it anew.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tinyseg.data import tree
from tinyseg.data.dataset import Sample, natural_order
from tinyseg.data.images import is_image
from tinyseg.data.layouts.layout import Layout, pictures
from tinyseg.data.layouts.pairing import collect
from tinyseg.data.layouts.words import IMAGE_WORDS, MASK_WORDS, Said, said_by
from tinyseg.data.masks import levels, open_mask
from tinyseg.errors import InputError

log = logging.getLogger(__name__)

# Of several folders of masks these are meant: VOC marks objects too, DRIVE the field of view.
_PREFERRED = ("segmentationclass", "manual")
_PARTLY_MARKED = "jpegimages"
_DEEPEST = 5
_TRIED = 5
# Of the maps that Cityscapes has of each image.
_LABELS = "_labelIds"
_SUFFIX = re.compile(r"_(mask|segmentation|label|gt)(_?\d+)?$", re.IGNORECASE)


class _Place(NamedTuple):
    """A folder that holds images, and what its path below the data set says."""

    folder: Path
    said: Said


# Files' names without what tells images from masks.
_Keys = Callable[[Path], str]
_Match = tuple[_Place, _Place, list[_Place]]


def is_pairs(root: Path) -> bool:
    """Return whether a folder of images has a counterpart of masks with a file of equal name."""
    if all((root / name).is_dir() for name in ("train", "train_images", "train_masks")):
        # What ``data stage`` writes: classes, with the masks of their images beside them.
        return False
    return any(_share_names(images, masks) for images, masks, _ in _counterparts(root))


def scan_pairs(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair the files of each folder of images with those of its folder of masks.

    Names are equal, but for words such as ``image`` and ``mask`` in them, or for what all images
    begin or end with and all masks.

    Returns:
        The samples, and one line for each image without mask, each mask without image and each
        second file of one name.
    """
    samples: list[Sample] = []
    problems: list[str] = []
    matched = _counterparts(root)
    for images, masks, others in matched:
        if others:
            problems.append(
                f"{others[0].folder}: a second folder of masks beside '{masks.folder.name}'; move "
                "one of them away"
            )
            continue
        found, more = _pair(root, images, masks)
        samples += found
        problems += more
    used = {images.folder for images, _, _ in matched}
    for place in _places(root):
        if place.said.role == "image" and place.folder not in used:
            log.info("%s: images without a folder of masks are left out", place.folder)
    return sorted(samples, key=lambda sample: natural_order(sample.name)), problems


def _pair(root: Path, images: _Place, masks: _Place) -> tuple[list[Sample], list[str]]:
    key_of_image, key_of_mask = _keys(images, masks)
    pictures_of, twice = collect(_files(images), key_of_image)
    masks_of, masks_twice = collect(_files(masks), key_of_mask)
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
        elif images.said.word == _PARTLY_MARKED:
            unmarked += 1
        else:
            cure = f"add '{masks.folder.relative_to(root).as_posix()}/{image.stem}.png'"
            problems.append(f"{image}: image without mask; {cure} or remove it")
    if unmarked:
        log.info("%s: %d images without masks are left out", images.folder, unmarked)
    return samples, problems


def _keys(images: _Place, masks: _Place) -> tuple[_Keys, _Keys]:
    """Return what brings names together: the strictest way in which any two are equal."""
    ways: tuple[Callable[[_Place], _Keys], ...] = (_stem, _without_words, _without_ends)
    for way in ways:
        both = way(images), way(masks)
        one, other = (
            set(map(key, _files(each))) for key, each in zip(both, (images, masks), strict=True)
        )
        if one & other:
            return both
    return _stem(images), _stem(masks)


def _stem(place: _Place) -> _Keys:
    return lambda path: _SUFFIX.sub("", path.stem)


def _without_words(place: _Place) -> _Keys:
    """Leave out the words that name images and masks."""

    def key(path: Path) -> str:
        stem = _SUFFIX.sub("", path.stem)
        parts = re.split(r"([^A-Za-z]+)", stem)
        kept = [part for part in parts if part.lower() not in IMAGE_WORDS | MASK_WORDS]
        return "".join(kept).strip("_- .") or stem

    return key


def _without_ends(place: _Place) -> _Keys:
    """Leave out what all names of a folder begin and end with, up to a separator."""
    stems = [path.stem for path in _files(place)]
    if len(stems) < 2:
        return _stem(place)
    start, end = _common(stems), _common([stem[::-1] for stem in stems])
    return lambda path: path.stem[start : len(path.stem) - end]


def _common(names: list[str]) -> int:
    """Return how long the beginning of all names is, the last separator in it included."""
    pairs = zip(min(names), max(names), strict=False)
    shared = "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return max(shared.rfind(separator) for separator in "_-. ") + 1


def _share_names(images: _Place, masks: _Place) -> bool:
    key_of_image, key_of_mask = _keys(images, masks)
    return bool(set(map(key_of_image, _files(images))) & set(map(key_of_mask, _files(masks))))


def _stems(place: _Place) -> set[str]:
    return set(map(_stem(place), _files(place)))


def _files(place: _Place) -> list[Path]:
    found = [path for path in tree.entries(place.folder) if is_image(path)]
    return [path for path in found if path.stem.endswith(_LABELS)] or found


def _counterparts(root: Path) -> list[_Match]:
    """Return each folder of images with its folder of masks, and others that may be just that."""
    places = list(_places(root))
    by_key: dict[tuple[str, ...], list[_Place]] = {}
    for place in places:
        if place.said.role == "mask":
            by_key.setdefault(place.said.key, []).append(place)
    found = []
    for images in places:
        masks = by_key.get(images.said.key, [])
        if images.said.role == "mask" or not masks:
            continue
        preferred = [
            place
            for place in masks
            if place.said.word in _PREFERRED and _share_names(images, place)
        ]
        if images.folder != root or masks[0].folder.parent == root:
            found.append((images, (preferred or masks)[0], [] if preferred else masks[1:]))
    meant = {masks.said.word for _, masks, _ in found} & set(_PREFERRED)
    if meant:  # What other folders are called masks of is something else.
        found = [each for each in found if each[1].said.word in meant]
    named = [each for each in found if each[0].said.role]
    return named or found or _only_two(places)


def _only_two(places: list[_Place]) -> list[_Match]:
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
        if images.said.role != "mask" and masks.said.role != "image"
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
            yield _Place(folder, said_by(folder.relative_to(root).parts))


LAYOUT = Layout(is_pairs, pictures(scan_pairs))
