"""What tinyseg knows of a way in which datasets lie in folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tinyseg.data.dataset import Dataset, Sample

# Folders that divide a dataset; tinyseg divides it anew.
PARTS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})

Scan = Callable[[Path], tuple[list[Sample], list[str]]]


class Layout(NamedTuple):
    """A way in which datasets lie in folders.

    Attributes:
        matches: returns of a folder whether it is laid out so.
        open: returns the dataset, without what does not pair up, and a line for each of those.
        location: where the dataset lies below ``$TINYSEG_DATA``, if it can be named.
        options: by name, what turns the text of an option into an argument of ``open``; it
            raises ValueError that says what the option takes.
    """

    matches: Callable[[Path], bool]
    open: Callable[..., tuple[Dataset, list[str]]]
    location: str = ""
    options: Mapping[str, Callable[[str], Any]] = {}


def pictures(scan: Scan, name: str = "") -> Callable[[Path], tuple[Dataset, list[str]]]:
    """Return what opens image files with mask files.

    Args:
        scan: pairs them.
        name: of the dataset; the folder's own if none is given.
    """

    def open_pictures(root: Path) -> tuple[Dataset, list[str]]:
        samples, problems = scan(root)
        return Dataset(name or root.resolve().name, tuple(samples), root), problems

    return open_pictures
