"""Fetch a large file over HTTP; what broke off goes on where it did."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from tinyseg import files, progress
from tinyseg.errors import InputError

_BLOCK = 1 << 20
_SECONDS = 60
_PARTIAL, _ENDED = 206, 416


def fetch(url: str, target: Path) -> Path:
    """Fetch a file unless it is there; what came of it before is kept as ``NAME.part``.

    Args:
        url: ``http`` or ``https``.
        target: where it goes.

    Raises:
        InputError: nothing is there, the transfer broke, or the disk is full.
    """
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    done = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            _store(answer, part, done if answer.status == _PARTIAL else 0)
    except urllib.error.HTTPError as error:
        if error.code != _ENDED:  # All of it had come.
            raise InputError(f"{url}: cannot be fetched ({error.code} {error.reason})") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        came = part.stat().st_size if part.is_file() else 0
        raise InputError(
            f"{url}: broke off after {came:,} bytes ({reason}); the same command goes on there"
        ) from None
    return part.replace(target)


def _store(answer: http.client.HTTPResponse, part: Path, done: int) -> None:
    """Append what a server sends to what came before."""
    length = answer.headers.get("Content-Length")
    left = int(length) if length else 0
    files.need_room(part.parent, left)
    blocks = -(-left // _BLOCK)
    with part.open("ab" if done else "wb") as stream, progress.counter(part.name, blocks) as step:
        while block := answer.read(_BLOCK):
            stream.write(block)
            step()
        came = stream.tell()
    if length and came < done + left:
        raise http.client.IncompleteRead(b"", done + left - came)
