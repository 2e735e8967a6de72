"""Images with their masks beside them, told by a word: ``NAME.png`` and ``NAME_mask.png``.

Also ``NAME_img.png`` and ``NAME_seg.png``, ``img_N.png`` and ``mask_N.png``, ``train-volume.tif``
and ``train-labels.tif``, in one folder or in each of several.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tinyseg.data import tree
from tinyseg.data.dataset import Sample, natural_order
from tinyseg.data.images import image_files, images_below
from tinyseg.data.layouts.layout import Layout, pictures
from tinyseg.data.layouts.words import IMAGE_WORDS, MASK_WORDS

log = logging.getLogger(__name__)

_MASK = "|".join(sorted(MASK_WORDS - {"y"}, key=len, reverse=True))
_IMAGE = "|".join(sorted(IMAGE_WORDS - {"x"}, key=len, reverse=True))
_GAP = r"[_\-. ]+"
# The word stands at the end, before a number of several masks of one image, or at the beginning.
_WAYS = tuple(
    tuple(re.compile(text, re.IGNORECASE | re.DOTALL) for text in pair)
    for pair in (
        (rf"(?P<name>.+?){_GAP}({_MASK})(_?\d+)?", rf"(?P<name>.+?)({_GAP}({_IMAGE}))?"),
        (rf"({_MASK})[_\-. ]*(?P<name>.+)", rf"(({_IMAGE})[_\-. ]*)?(?P<name>.+)"),
    )
)
_Key = tuple[Path, str]


class _Found(NamedTuple):
    """Files by folder and name without the word."""

    images: dict[_Key, list[Path]]
    masks: dict[_Key, list[Path]]

    @property
    def pairs(self) -> int:
        """How many names have both."""
        return len(self.images.keys() & self.masks.keys())


def is_beside(root: Path) -> bool:
    """Return whether most files below a folder that are called masks have an image beside them."""
    if len(tree.folders(root)) == 1 and not image_files(root):
        return False  # The folder in it is looked at next, by all layouts.
    found = _find(images_below(root))
    return found.pairs > 0 and 2 * found.pairs >= len(found.masks)


def scan_beside(root: Path) -> tuple[list[Sample], list[str]]:
    """Pair images and masks of each folder without opening them.

    Returns:
        The samples, and one line for each image without mask, each mask without image and each
        second image of one name.
    """
    found = _find(images_below(root))
    samples, problems, tests = [], [], 0
    for key in sorted(
        found.images | found.masks, key=lambda key: natural_order(str(key[0] / key[1]))
    ):
        images, masks = found.images.get(key, []), found.masks.get(key, [])
        problems += [
            f"{path}: same name as {images[0].name}; rename or remove one of them"
            for path in images[1:]
        ]
        if not images:
            problems.append(f"{masks[0]}: mask without image; add the image or remove it")
        elif masks:
            name = (key[0] / key[1]).relative_to(root).as_posix()
            samples.append(Sample(name, "", images[0], tuple(masks)))
        elif re.match(r"test\b", key[1], re.IGNORECASE):
            tests += 1
        else:
            cure = f"add '{key[1]}_mask.png' or remove it"
            problems.append(f"{images[0]}: image without mask; {cure}")
    if tests:
        log.info("%s: %d test images without masks are left out", root, tests)
    return samples, problems


def _find(paths: Iterable[Path]) -> _Found:
    """Divide files into images and masks in the way that brings more of them together."""
    listed = list(paths)
    return max((_divide(listed, *way) for way in _WAYS), key=lambda found: found.pairs)


def _divide(paths: list[Path], mask: re.Pattern[str], image: re.Pattern[str]) -> _Found:
    found = _Found({}, {})
    for path in paths:
        if match := mask.fullmatch(path.stem):
            found.masks.setdefault((path.parent, match["name"]), []).append(path)
        elif match := image.fullmatch(path.stem):
            found.images.setdefault((path.parent, match["name"]), []).append(path)
    return found


LAYOUT = Layout(is_beside, pictures(scan_beside))
