"""Files of kinds that are not read, named with the cure instead of being passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tinyseg.data import dicom, tree
from tinyseg.data.images import UNREAD_SUFFIXES, is_image

_LACKS_PARTNER = re.compile(r": (image|mask|label) without ")


def explain(root: Path, problems: list[str]) -> list[str]:
    """Return problems, those of a missing partner replaced where it is there but not read.

    Args:
        root: of the data set.
        problems: one line each, beginning with the file.
    """
    if not any(map(_LACKS_PARTNER.search, problems)):
        return problems
    others: dict[str, Path] = {}
    for path in _unread(root):
        others.setdefault(_bare(path.name), path)
    return [_explained(line, others) for line in problems] if others else problems


def _explained(line: str, others: dict[str, Path]) -> str:
    match = _LACKS_PARTNER.search(line)
    if match is None:
        return line
    stem = Path(line[: match.start()]).stem
    partner = next((others[name] for name in (stem, _bare(stem)) if name in others), None)
    return line if partner is None else _message(partner)


def only(root: Path) -> str:
    """Return a line about a folder all whose pictures are of kinds that are not read, if so."""
    first = next(_unread(root), None)
    if first is None or any(map(is_image, tree.files_below(root))):
        return ""
    return _message(first)


def foreign_annotations(root: Path) -> str:
    """Return a line about annotations of a kind that is not read, named as images are; or none."""
    stems = {path.stem for path in tree.files_below(root) if is_image(path)}
    for suffix, what in ((".txt", "YOLO's text"), (".xml", "XML")):
        for path in tree.files_below(root, f"*{suffix}"):
            if path.stem in stems:
                return f"{path}: {what} annotations are not read; export COCO's JSON, or masks"
    return ""


def _message(path: Path) -> str:
    if not path.suffix:
        return f"{path}: is DICOM without .dcm in its name; rename it"
    return f"{path}: {path.suffix[1:].lower()} is not read; convert it to png"


def _unread(root: Path) -> Iterator[Path]:
    for path in tree.files_below(root):
        named = path.suffix.lower() in UNREAD_SUFFIXES or path.name.lower().endswith(".nii.gz")
        if named or (not path.suffix and _holds_dicom(path)):
            yield path


def _holds_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return dicom.is_dicom(stream, path)
    except OSError:
        return False


def _bare(name: str) -> str:
    """Return the name of a file without its type and without what marks a mask."""
    stem = re.sub(r"(\.nii)?\.[A-Za-z0-9]+$", "", name)
    return re.sub(r"_(mask|segmentation|label|gt)(_?\d+)?$", "", stem, flags=re.IGNORECASE)
