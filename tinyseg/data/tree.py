"""What of a folder a user sees: neither hidden files nor the litter of operating systems."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path

# .ipynb_checkpoints, ._x and .DS_Store begin with a dot.
_LITTER = re.compile(r"\..*|__MACOSX|Thumbs\.db|ehthumbs\.db|desktop\.ini|@eaDir", re.IGNORECASE)


def is_litter(name: str) -> bool:
    """Return whether a file or folder of that name is hidden or an operating system's."""
    return _LITTER.fullmatch(name) is not None


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted; nothing if there is no such folder."""
    try:
        return sorted(path for path in folder.iterdir() if not is_litter(path.name))
    except OSError:
        return []


def folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted."""
    return [path for path in entries(folder) if path.is_dir()]


def files_below(root: Path, pattern: str = "*") -> Iterator[Path]:
    """Yield the files below a folder whose names match, at any depth, folder by folder.

    Links to folders are not followed, as they may lead in a circle.
    """
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not is_litter(name))
        for file in sorted(files):
            if fnmatch.fnmatchcase(file, pattern) and not is_litter(file):
                yield Path(folder, file)
