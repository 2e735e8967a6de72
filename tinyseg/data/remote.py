"""Fetch datasets that are packed or lie elsewhere, once, and know what was fetched."""

from __future__ import annotations

import concurrent.futures
import hashlib
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import files
from tinyseg.data import archives
from tinyseg.data.cache import filling
from tinyseg.errors import InputError
from tinyseg.places import cache_folder
from tinyseg.progress import track

if TYPE_CHECKING:
    import fsspec

log = logging.getLogger(__name__)

# Lies beside what is still being uploaded.
UNFINISHED = "unfinished-upload"
_MANIFEST = "source.json"
_CONTENT = "content"
_CURE = "set TINYSEG_CACHE to a writable folder"
_AT_ONCE = 8
# What brings the client of a kind of address.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}


def fetch(place: str, sha256: str = "") -> Path:
    """Return a local folder with what an archive or a URL holds.

    It is fetched once and kept below the cache folder, with a manifest of every file's size and
    of the archive's SHA-256; a copy that lacks a file is fetched again. A URL is not asked again
    whether it changed: remove the folder for that.

    Args:
        place: a local archive; or the URL, as ``fsspec`` takes it, of an archive or folder.
        sha256: that the archive must have; empty for any.

    Raises:
        InputError: nothing is there, the transfer broke, the hash differs, or the archive is
            unsafe or damaged.
    """
    home = cache_folder() / "fetched" / _key(place, sha256)
    if not _whole(home):
        shutil.rmtree(home, ignore_errors=True)
        with filling(home, _CURE) as folder:
            (folder / _CONTENT).mkdir()
            digest = _fill(folder, place, sha256)
            _write_manifest(folder, place, digest)
    return home / _CONTENT


def fetch_files(place: str, hashes: Mapping[str, str], folder: Path) -> None:
    """Fetch files that are known by their SHA-256.

    Args:
        place: folder, or the URL of one as ``fsspec`` takes it.
        hashes: SHA-256 of each file by its path below the folder.
        folder: where they go, by the same paths.

    Raises:
        InputError: a file is missing or has another SHA-256, or the transfer broke.
    """
    system, start = open_url(place)
    for name, digest in hashes.items():
        target, source = archives.inside(folder, name, place), f"{start.rstrip('/')}/{name}"
        shown = f"{place.rstrip('/')}/{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_file(system, source, target, _asked(shown, system.info, source), shown)
        found = files.sha256(target)
        if found != digest:
            raise InputError(
                f"{shown}: its SHA-256 is {found}, not {digest}; put the right one there"
            )


def _key(place: str, sha256: str) -> str:
    identity = place
    if "://" not in place:
        state = os.stat(place)
        identity = f"{Path(place).resolve()} {state.st_size} {state.st_mtime_ns}"
    return hashlib.sha256(f"{identity} {sha256.lower()}".encode()).hexdigest()[:32]


def _whole(home: Path) -> bool:
    """Return whether a fetched copy still holds every file at its size."""
    try:
        manifest = files.read_json(home / _MANIFEST)
        sizes = manifest["files"].items()
        return all((home / _CONTENT / name).stat().st_size == size for name, size in sizes)
    except (InputError, OSError, LookupError, TypeError, AttributeError):
        return False


def _write_manifest(folder: Path, place: str, digest: str) -> None:
    content = folder / _CONTENT
    sizes = {
        path.relative_to(content).as_posix(): path.stat().st_size
        for path in sorted(content.rglob("*"))
        if path.is_file()
    }
    manifest = {"source": place, "sha256": digest, "files": sizes}
    files.write_json(folder / _MANIFEST, manifest)


def _fill(folder: Path, place: str, sha256: str) -> str:
    """Fetch into the content folder; return the SHA-256 of the archive, empty for a folder."""
    if "://" not in place:
        if not archives.is_archive(place):
            kinds = ", ".join(archives.ARCHIVE_SUFFIXES)
            raise InputError(f"{place}: is a file; give a folder or an archive ({kinds})")
        digest = _checked(place, Path(place), sha256)
        archives.unpack_archive(Path(place), folder / _CONTENT)
        return digest
    log.info("fetching %s", place)
    system, path = open_url(place)
    if not archives.is_archive(path.partition("?")[0]):
        if sha256:
            raise InputError(f"{place}: is no archive, so that sha256= says nothing; leave it out")
        _fetch_folder(system, path, place, folder / _CONTENT)
        return ""
    packed = folder / "packed"
    info = _asked(place, system.info, path)
    _fetch_file(system, path, packed, info, place)
    digest = _checked(place, packed, sha256)
    try:
        archives.unpack_archive(packed, folder / _CONTENT)
    except InputError as error:
        raise InputError(str(error).replace(str(packed), place)) from None
    packed.unlink()
    return digest


def _checked(place: str, path: Path, sha256: str) -> str:
    digest = files.sha256(path)
    if sha256 and digest != sha256.lower():
        raise InputError(
            f"{place}: its SHA-256 is {digest}, not {sha256}; fetch it again or correct sha256="
        )
    return digest


def open_url(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of a URL and the path there.

    Raises:
        InputError: an unknown kind of address, or one that needs an extra.
    """
    import fsspec

    options: dict[str, Any] = {}
    if url.startswith(("http://", "https://")):
        import aiohttp

        # By default a download is cut off after five minutes in all.
        options["client_kwargs"] = {"timeout": aiohttp.ClientTimeout(None, sock_read=60)}
    try:
        return fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        extra = _EXTRAS.get(url.partition("://")[0])
        cure = f"pip install 'tinyseg[{extra}]'" if extra else str(error)
        raise InputError(f"{url}: needs a client; {cure}") from None
    except ValueError as error:
        raise InputError(f"{url}: unknown kind of address ({error})") from None


def _asked(place: str, ask: Any, *arguments: Any, **options: Any) -> Any:
    """Ask a remote file system for something and turn whatever goes wrong into one line."""
    try:
        return ask(*arguments, **options)
    except Exception as error:  # Each kind of storage raises errors of its own.
        cause: BaseException = error
        if isinstance(error, FileNotFoundError):
            if error.__cause__ is None:
                raise InputError(f"{place}: no such file or folder") from None
            # So fsspec reports whatever a web server answers.
            cause = error.__cause__
        reason = str(cause).partition("\n")[0] or type(cause).__name__
        raise InputError(f"{place}: cannot be fetched ({reason}); try again") from None


def _fetch_folder(system: fsspec.AbstractFileSystem, path: str, place: str, folder: Path) -> None:
    found: Mapping[str, Mapping[str, Any]] = _asked(place, system.find, path, detail=True)
    start = path.rstrip("/") + "/"
    if f"{start}{UNFINISHED}" in found:
        raise InputError(f"{place}: its upload has not ended; wait, or upload it again")
    jobs = [
        (name, archives.inside(folder, name.removeprefix(start), place), info)
        for name, info in found.items()
        if name.startswith(start)
    ]
    if not jobs:
        raise InputError(f"{place}: no such folder, or it is empty")

    def work(job: tuple[str, Path, Mapping[str, Any]]) -> None:
        name, target, info = job
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_file(system, name, target, info, f"{place.rstrip('/')}/{name.removeprefix(start)}")

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in track(pool.map(work, jobs), "fetching", len(jobs)):
            pass


def _fetch_file(
    system: fsspec.AbstractFileSystem, path: str, target: Path, info: Mapping[str, Any], place: str
) -> None:
    size = info.get("size")
    if size and size > (free := shutil.disk_usage(target.parent).free):
        raise InputError(f"{place}: has {size} bytes but the disk only {free}; make room for it")
    _asked(place, system.get_file, path, str(target))
    got = target.stat().st_size
    if size is not None and got != size:
        raise InputError(f"{place}: only {got} of {size} bytes came; try again")
