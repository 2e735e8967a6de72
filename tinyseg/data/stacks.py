"""Files of several pages: TIFF stacks, animations, multi-frame DICOM; each page is a sample."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tinyseg.data import dicom
from tinyseg.data.dataset import Sample

_SUFFIXES = (".tif", ".tiff", ".gif", *dicom.SUFFIXES)
# Of fewer stacks the pages are divided, for a part each would be left empty.
_FEWEST_STACKS = 3
_MOST_PAGES = 100_000


def expand(samples: Sequence[Sample]) -> tuple[list[Sample], list[str]]:
    """Return a sample for each page of a stack whose masks are stacks too, the others as they are.

    Pages of one file share a group. An image of several pages whose mask has one stays one sample.

    Args:
        samples: as a layout lists them; only headers of files that may hold pages are read.

    Returns:
        The samples, and one line for each stack whose mask has another number of pages.
    """
    paths = {path for sample in samples for path in sample.files if _may_hold_pages(path)}
    if not paths:
        return list(samples), []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(paths, pool.map(pages, paths), strict=True))
    expanded, problems = [], []
    stacks = sum(_depth(sample, counts) > 1 for sample in samples)
    for sample in samples:
        depth = _depth(sample, counts)
        others = {path: counts.get(path, 1) for path in sample.masks}
        if depth == 1 or set(others.values()) == {1}:
            expanded.append(sample)
            continue
        if wrong := [path for path, count in others.items() if count != depth]:
            problems.append(
                f"{wrong[0]}: mask has {others[wrong[0]]} pages but {sample.path.name} {depth}; "
                "save a mask for each page"
            )
            continue
        group = sample.group or (sample.name if stacks >= _FEWEST_STACKS else "")
        expanded += [
            dataclasses.replace(
                sample, name=f"{sample.name}/page_{page:04d}", page=page, group=group
            )
            for page in range(depth)
        ]
    return expanded, problems


def _may_hold_pages(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES


def _depth(sample: Sample, counts: dict[Path, int]) -> int:
    return counts.get(sample.image, 1) if sample.image else 1


def pages(path: Path) -> int:
    """Return the number of pages of one size in a file, 1 where that is not known."""
    try:
        with path.open("rb") as stream:
            if dicom.is_dicom(stream, path):
                return dicom.pages(path)
            with Image.open(stream) as image:
                count = min(getattr(image, "n_frames", 1), _MOST_PAGES)
                size = image.size
                for page in range(1, count):
                    image.seek(page)
                    if image.size != size:  # Smaller copies of the same picture.
                        return 1
                return count
    except Exception:  # What is wrong with the file is said when it is decoded.
        return 1
