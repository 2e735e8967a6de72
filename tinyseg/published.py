"""Published networks that an installation does not hold: fetched once, known by their SHA-256."""

from __future__ import annotations

import os
from pathlib import Path

from tinyseg import files, places
from tinyseg.errors import InputError

_VARIABLE = "TINYSEG_MODELS"


def listed(model: str) -> dict[str, dict[str, str]]:
    """Return a network's published files, whether or not they came with the package.

    Returns:
        SHA-256 by file name, by data source. Empty in a checkout, which holds all of them.
    """
    found: dict[str, dict[str, str]] = {}
    path = places.models_list()
    lines = path.read_text().splitlines() if path.is_file() else []
    for line in lines:
        digest, name = line.split(maxsplit=1)
        network, source, file = name.split("/")
        if network == model:
            found.setdefault(source, {})[file] = digest
    return found


def fetched_folder() -> Path:
    """Return where fetched networks lie, as ``MODEL/DATA``: another one for each release."""
    path = places.models_list()
    release = files.sha256(path)[:16] if path.is_file() else "none"
    return places.cache_folder() / places.MODELS / release


def fetch(model: str, source: str) -> Path:
    """Fetch the files of a listed network from ``$TINYSEG_MODELS``, a folder or URL.

    Args:
        model: name in the zoo.
        source: name of the data that it was trained on.

    Returns:
        The folder that holds them.

    Raises:
        InputError: the variable is not set, or what it names lacks the files.
    """
    folder = fetched_folder() / model / source
    if folder.is_dir():
        return folder
    place = os.environ.get(_VARIABLE)
    if not place:
        raise InputError(
            f"{model}: its published files do not come with the package; set {_VARIABLE} to a "
            f"folder or URL that holds {model}/{source}, such as models/ of a checkout, or make "
            f"your own with 'tinyseg train {model}'"
        )
    # Opening remote places takes a while to import.
    from tinyseg.data.cache import filling
    from tinyseg.data.remote import fetch_files

    with filling(folder, "set TINYSEG_CACHE to a writable folder") as temporary:
        fetch_files(f"{place.rstrip('/')}/{model}/{source}", listed(model)[source], temporary)
    return folder
