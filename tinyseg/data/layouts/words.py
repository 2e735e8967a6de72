"""Words in names of folders and files that say whether images or masks are meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

_IMAGES = {
    *("image", "images", "img", "imgs", "jpegimages", "pngimages", "photo", "photos"),
    *("picture", "pictures", "scan", "scans", "frame", "frames", "leftimg8bit"),
}
# They say so only where no plainer word does.
_WEAK_IMAGES = {
    *("data", "raw", "original", "originals", "input", "inputs", "x", "volume", "volumes"),
}
_MASKS = {
    *("mask", "masks", "label", "labels", "gt", "gts", "groundtruth", "truth", "ann", "anns"),
    *("annotation", "annotations", "annot", "annots", "seg", "segs", "lbl", "lbls", "manual"),
    *("segmentation", "segmentations", "segmentationclass", "segmentationobject", "matte"),
    *("segmentationclasspng", "segmentationclassaug", "mattes"),
    *("trimap", "trimaps", "manual1", "manual2"),
}
_WEAK_MASKS = {"output", "outputs", "target", "targets", "lesion", "lesions", "y"}
IMAGE_WORDS = frozenset(_IMAGES | _WEAK_IMAGES)
MASK_WORDS = frozenset(_MASKS | _WEAK_MASKS)
# They tell apart what one thing was marked by twice, or name a kind of file.
_ASIDE = {"1st", "2nd", "1", "2", "fine", "coarse", "png", "jpg", "jpeg", "tif", "tiff"}
_GLUED = re.compile(
    r"(train|val|valid|test)(annot|annots|mask|masks|label|labels|image|images|img|imgs)"
    r"|(images|imgs|labels|masks)(tr|ts|va|vl)"
)
_SPLIT = re.compile(r"[^A-Za-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Said(NamedTuple):
    """What the folders above a file say.

    Attributes:
        role: ``image``, ``mask``, or nothing where no word says it.
        key: what they share with those of the file's counterpart.
        word: that says the role.
    """

    role: Literal["image", "mask", ""]
    key: tuple[str, ...]
    word: str


def said_by(parts: Iterable[str]) -> Said:
    """Return what the names of folders say, the last plain word most of all.

    Args:
        parts: the names, from the top down.
    """
    role: Literal["image", "mask", ""] = ""
    word, plain = "", False
    key: list[str] = []
    for part in parts:
        tokens = _tokens(part)
        words = [token for token in tokens if token in IMAGE_WORDS | MASK_WORDS]
        key += [token for token in tokens if token not in words and token not in _ASIDE]
        for chosen, weight in ((_MASKS, True), (_IMAGES, True), (_WEAK_MASKS, False),
                               (_WEAK_IMAGES, False)):  # fmt: skip
            found = next((token for token in words if token in chosen), "")
            if found and (weight or not plain):
                role, word, plain = ("mask" if found in MASK_WORDS else "image"), found, weight
                break
    return Said(role, tuple(sorted(key)), word)


def _tokens(part: str) -> list[str]:
    joined = re.sub(r"ground[ _-]truth", "groundtruth", part, flags=re.IGNORECASE)
    tokens = []
    for token in filter(None, _SPLIT.split(joined)):
        if token.lower() in IMAGE_WORDS | MASK_WORDS:
            tokens.append(token.lower())
        elif glued := _GLUED.fullmatch(token.lower()):
            tokens += filter(None, glued.groups())
        else:
            tokens += [hump.lower() for hump in _HUMP.split(token)]
    return tokens
