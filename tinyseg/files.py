"""Writing files whole or not at all, and naming their content by hash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyseg.errors import InputError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block succeeds.

    If the block raises (Ctrl-C included) the temporary file is removed and whatever stood
    at ``path`` stays as it was.

    Args:
        path: the file to write; its folder is made if needed.

    Yields:
        A path in the same folder with the same suffix.

    Raises:
        InputError: the folder cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise InputError(
            f"{path.parent}: cannot write here ({error.strerror}); choose another folder with -o"
        ) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the mode an ordinary open() would.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def need_room(folder: str | os.PathLike[str], size: int, then: str = "") -> None:
    """Refuse to go on where a disk has less room than is needed.

    Args:
        folder: where something is to be written; it need not be there yet.
        size: bytes.
        then: what to do once there is room.

    Raises:
        InputError: there is less.
    """
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < size:
        after = f", then {then}" if then else ""
        raise InputError(
            f"{folder}: the disk is full, {size:,} bytes are needed and {free:,} are free; make "
            f"room{after}"
        )


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write ``content`` to ``path`` whole or not at all and return the path."""
    with replacing(path) as temporary:
        try:
            temporary.write_bytes(content)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    return Path(path)


def write_text(path: str | os.PathLike[str], content: str) -> Path:
    """Write ``content`` as UTF-8 to ``path`` whole or not at all and return the path."""
    return write_bytes(path, content.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Write ``value`` as indented JSON to ``path`` whole or not at all and return the path."""
    return write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); restore or regenerate it") from None


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
