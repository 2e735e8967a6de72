"""Unpack archives from strangers: nothing lands outside, no links, no bombs, nothing half done."""

from __future__ import annotations

import contextlib
import functools
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from tinyseg.errors import InputError
from tinyseg.progress import track

ARCHIVE_SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
# Images hardly shrink when packed; what grows beyond both bounds was made to fill the disk.
MOST_TIMES = 100
ALWAYS_ALLOWED = 256 << 20
MOST_FILES = 1_000_000
_DAMAGES = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, NotImplementedError),
)
_LITTER = re.compile(r"(^|/)(__MACOSX/|\._|(\.DS_Store|Thumbs\.db|desktop\.ini)$)", re.IGNORECASE)


class _Member(NamedTuple):
    name: str
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(name: str) -> bool:
    """Return, by its name, whether a file is an archive that can be unpacked."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack a ``.zip``, ``.tar`` or ``.tar.gz`` file.

    Args:
        archive: distinguished by content, not by name.
        folder: an empty folder, to be thrown away if this raises.

    Raises:
        InputError: the archive is damaged, encrypted, would fill the disk, or holds links, devices
            or names that lead out of the folder.
    """
    free = shutil.disk_usage(folder).free
    allowed = min(max(ALWAYS_ALLOWED, MOST_TIMES * archive.stat().st_size), free)
    total = 0
    try:
        with _members(archive) as members:
            for number, member in enumerate(track(members, f"unpacking {archive.name}")):
                if _LITTER.search(member.name):
                    continue
                total += member.size
                if total > allowed or number >= MOST_FILES:
                    reason = "more than the disk holds" if allowed == free else "like a bomb"
                    raise InputError(
                        f"{archive}: unpacks to {total >> 20} MiB or more in {number + 1} files, "
                        f"{reason}; unpack it by hand if you trust it"
                    )
                target = inside(folder, member.name, str(archive))
                if target.exists():
                    raise InputError(
                        f"{archive}: holds '{member.name}' twice, or once in capitals; pack it anew"
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                with member.open() as source, target.open("xb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
    except _DAMAGES as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{archive}: cannot be unpacked ({reason}); fetch it again") from None


def inside(folder: Path, name: str, origin: str) -> Path:
    """Return the path of a packed or remote file below a folder.

    Args:
        folder: where files go.
        name: as it stands in the archive or listing.
        origin: named in errors.

    Raises:
        InputError: the name is absolute, leads upwards, or is none on some system.
    """
    path = PurePosixPath(name)
    bad = not path.parts or path.is_absolute() or ".." in path.parts
    if bad or "\\" in name or "\0" in name or ":" in path.parts[0]:
        raise InputError(f"{origin}: holds '{name}', which leads out of its folder; do not use it")
    return folder.joinpath(*path.parts)


@contextlib.contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    """Open an archive and yield its files in the order in which they lie."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(archive, opened)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as opened:
            yield _tar_members(archive, opened)
    else:
        what = "is empty" if archive.stat().st_size == 0 else "is truncated or no zip or tar file"
        raise InputError(f"{archive}: {what}; fetch it again")


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _link(archive, info.filename)
        if info.flag_bits & 1:
            raise InputError(f"{archive}: is encrypted; unpack it and give the folder")
        # Some packers of Windows write its own separator.
        name = info.filename.replace("\\", "/")
        if not name.endswith("/"):
            yield _Member(name, info.file_size, functools.partial(opened.open, info))


def _tar_members(archive: Path, opened: tarfile.TarFile) -> Iterator[_Member]:
    for info in opened:
        if not (info.isreg() or info.isdir()):
            raise _link(archive, info.name)
        if not info.isdir():
            yield _Member(info.name, info.size, functools.partial(_extracted, opened, info))


def _extracted(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(info)
    assert content is not None  # A link's or device's would be.
    return content


def _link(archive: Path, name: str) -> InputError:
    return InputError(f"{archive}: '{name}' is a link or device; pack plain files only")
