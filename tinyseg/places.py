"""Where things lie: firmware, published models, caches, results, MLTK's environment.

A wheel holds firmware and the small published models in the package's own folder. In a checkout,
also one that is installed editable, they lie beside the package.
"""

from __future__ import annotations

import os
from pathlib import Path

import tinyseg
from tinyseg.errors import InputError

# Below the current folder.
BUILD = Path("build")
MODELS = "models"
_MLTK = ".venv-mltk"


def firmware_folder() -> Path:
    """Return the folder with the firmware's C++.

    Raises:
        InputError: this installation lacks it.
    """
    folder = firmware_place()
    if not (folder / "CMakeLists.txt").is_file():
        raise InputError(
            f"{folder}: no firmware there; install tinyseg from a checkout or from its wheel"
        )
    return folder


def firmware_place() -> Path:
    """Return where the firmware's C++ lies, or would lie in a checkout."""
    return next((path for path in _coming_with("firmware") if path.is_dir()), _checkout("firmware"))


def models_folders() -> list[Path]:
    """Return where published models may lie, as ``MODEL/DATA``: the current folder's come first."""
    return list(dict.fromkeys((Path.cwd() / MODELS, *_coming_with(MODELS))))


def models_list() -> Path:
    """Return the list of all published files with their SHA-256; only a wheel has one."""
    return _package() / MODELS / "SHA256SUMS"


def cache_folder() -> Path:
    """Return where decoded and fetched files go: ``$TINYSEG_CACHE`` or ``~/.cache/tinyseg``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TINYSEG_CACHE") or Path(base) / "tinyseg")


def mltk_places() -> list[Path]:
    """Return the interpreters that may have MLTK, in the order in which to try them.

    ``$TINYSEG_MLTK_PYTHON``; then that of ``.venv-mltk`` in the current folder, in a checkout and
    in the cache folder.
    """
    named = os.environ.get("TINYSEG_MLTK_PYTHON")
    folders = (Path.cwd(), _checkout("."), cache_folder())
    found = [folder / _MLTK / "bin" / "python" for folder in folders]
    return [Path(named), *found] if named else found


def mltk_folder() -> Path:
    """Return where an environment for MLTK serves every folder that tinyseg is run in."""
    return cache_folder() / _MLTK


def _coming_with(name: str) -> tuple[Path, Path]:
    return _package() / name, _checkout(name)


def _package() -> Path:
    return Path(tinyseg.__file__).parent


def _checkout(name: str) -> Path:
    return _package().parent / name
