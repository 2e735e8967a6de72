"""Folders that are filled whole or not at all, kept between runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tinyseg.errors import InputError


@contextlib.contextmanager
def filling(folder: Path, cure: str) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder`` that takes its place when the block succeeds.

    If the block raises (Ctrl-C included) nothing is left.

    Args:
        folder: absent before; if another process fills it meanwhile, that is as good.
        cure: what to do if nothing can be written there.

    Yields:
        An empty folder.

    Raises:
        InputError: nothing can be written beside ``folder``.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".filling-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder.parent}: cannot write here ({error.strerror}); {cure}") from None
    try:
        yield temporary
        # mkdtemp makes the folder private; give it the mode an ordinary mkdir() would.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        try:
            temporary.replace(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
