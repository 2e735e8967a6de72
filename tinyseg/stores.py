"""Folders in stores such as S3: worked on in a local one, and uploaded whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyseg.data.archives import unpack_archive
from tinyseg.data.cache import filling
from tinyseg.data.remote import UNFINISHED, open_url
from tinyseg.errors import InputError, TinysegError
from tinyseg.places import cache_folder

STATE = "state.tar"
_CURE = "set TINYSEG_CACHE to a writable folder"


def is_remote(place: object) -> bool:
    """Return whether a place is a URL, not a path."""
    return "://" in str(place)


class Store:
    """A folder at a URL, as ``fsspec`` takes it.

    Args:
        url: of the folder; it need not be there.

    Raises:
        InputError: an unknown kind of address, or one that needs an extra.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._system, path = open_url(self.url)
        self._root = path.rstrip("/")

    def need_empty(self) -> None:
        """Refuse a folder that holds anything but the rest of an upload that broke off.

        Raises:
            InputError: it does, or it cannot be read.
        """
        if (names := self._names()) and UNFINISHED not in names:
            raise InputError(f"{self.url}: exists already; remove it or choose another folder")

    def upload(self, folder: Path) -> None:
        """Make the folder at the URL the same as a local one.

        While it lasts an object ``unfinished-upload`` lies there, so that readers refuse what
        is not whole; if it breaks off, what came is removed again as far as that is possible.

        Raises:
            InputError: it cannot be written.
        """
        old = self._names()
        sent: list[str] = []
        try:
            self._put_bytes(UNFINISHED, b"")
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                name = path.relative_to(folder).as_posix()
                sent.append(name)
                self._do(self._system.put_file, str(path), self._at(name))
            self._remove(old - set(sent) - {UNFINISHED})
            self._remove({UNFINISHED})
        except BaseException:
            if not old - {UNFINISHED}:
                with contextlib.suppress(InputError):
                    self._remove({*sent, UNFINISHED} & self._names())
            raise

    def save_state(self, folder: Path) -> None:
        """Keep all of a local folder in one object, which replaces the last one at once.

        Raises:
            InputError: it cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="tinyseg-state-") as scratch:
            packed = Path(scratch, STATE)
            with tarfile.open(packed, "w") as archive:
                for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                    archive.add(path, path.relative_to(folder).as_posix())
            self._do(self._system.put_file, str(packed), self._at(STATE))

    def restore(self, folder: Path) -> bool:
        """Fill a local folder from :meth:`save_state`, else from what was uploaded.

        Args:
            folder: is replaced; it stays if the URL holds nothing.

        Returns:
            Whether there was anything.

        Raises:
            InputError: it cannot be read.
        """
        names = self._names()
        if not names - {UNFINISHED}:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        with filling(folder, _CURE) as fresh:
            if STATE in names:
                with tempfile.TemporaryDirectory(prefix="tinyseg-state-") as scratch:
                    packed = Path(scratch, STATE)
                    self._do(self._system.get_file, self._at(STATE), str(packed))
                    unpack_archive(packed, fresh)
                return True
            if UNFINISHED in names:
                raise InputError(f"{self.url}: an upload broke off; remove it and upload again")
            for name in sorted(names):
                target = fresh / name
                target.parent.mkdir(parents=True, exist_ok=True)
                self._do(self._system.get_file, self._at(name), str(target))
        return True

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _names(self) -> set[str]:
        """Return the paths of all that lies in the folder."""
        self._system.invalidate_cache()
        try:
            found = self._do(self._system.find, self._root)
        except FileNotFoundError:
            return set()
        start = f"{self._root}/"
        return {path.removeprefix(start) for path in found if path.startswith(start)}

    def _put_bytes(self, name: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="tinyseg-") as scratch:
            path = Path(scratch, "object")
            path.write_bytes(content)
            # Local folders and the like have to be made.
            with contextlib.suppress(Exception):
                self._system.makedirs(self._root, exist_ok=True)
            self._do(self._system.put_file, str(path), self._at(name))

    def _remove(self, names: set[str]) -> None:
        for name in sorted(names):
            self._do(self._system.rm_file, self._at(name))

    def _do(self, call: Any, *arguments: Any) -> Any:
        """Call a store and turn whatever goes wrong into one line; each has errors of its own."""
        try:
            return call(*arguments)
        except FileNotFoundError as error:
            if call == self._system.find:
                raise
            raise InputError(f"{self.url}: {error}; no such bucket or folder") from None
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise InputError(f"{self.url}: cannot be reached ({reason}); try again") from None


@contextlib.contextmanager
def new_folder(place: str | Path) -> Iterator[Path]:
    """Yield a folder for results that become the place's when the block succeeds.

    Args:
        place: a path, which is yielded itself; or the URL of a folder that is empty.

    Raises:
        InputError: something is there already, or the store cannot be reached.
    """
    if not is_remote(place):
        yield Path(place)
        return
    store = Store(str(place))
    store.need_empty()
    with tempfile.TemporaryDirectory(prefix="tinyseg-upload-") as scratch:
        folder = Path(scratch, "folder")
        yield folder
        store.upload(folder)


@contextlib.contextmanager
def run_folder(place: str | Path | None) -> Iterator[tuple[Path | None, Store | None]]:
    """Yield the local folder of a run that may be interrupted and go on elsewhere.

    Args:
        place: a path, or None, which are yielded themselves; or the URL of a folder, whose state
            is restored first, kept when the block fails in an expected way, and replaced by
            the whole run when it succeeds.

    Yields:
        The folder, and the store to keep states in; no store for paths.

    Raises:
        InputError: the store cannot be reached.
    """
    if place is None or not is_remote(place):
        yield (None if place is None else Path(place)), None
        return
    store = Store(str(place))
    name = hashlib.sha256(store.url.encode()).hexdigest()[:32]
    folder = cache_folder() / "runs" / name
    if not store.restore(folder):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder, store
    except (TinysegError, KeyboardInterrupt):
        if folder.is_dir() and any(folder.rglob("*")):
            store.save_state(folder)
        raise
    store.upload(folder)
    shutil.rmtree(folder, ignore_errors=True)
