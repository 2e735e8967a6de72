"""Marks beside integer files that missed a gate, or whose gates were not all checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.errors import InputError

FILE_NAME = "missed.json"
UNCHECKED = "was interrupted before its gates were checked"


def mark(file: Path, lines: Sequence[str]) -> None:
    """Write down which gates a file missed; without any, take an older mark away.

    Args:
        file: the ``.tflite`` file.
        lines: one for each gate.
    """
    if not lines:
        (file.parent / FILE_NAME).unlink(missing_ok=True)
        return
    record = {"file": file.name, "sha256": files.sha256(file), "missed": list(lines)}
    files.write_json(file.parent / FILE_NAME, record)


def missed_by(file: str | Path) -> list[str]:
    """Return the lines that a file is marked with; none if it passed, or nobody checked it."""
    path = Path(file)
    place = path.parent / FILE_NAME
    if not place.is_file() or not path.is_file():
        return []
    record: Any = files.read_json(place)
    same = record["file"] == path.name and record["sha256"] == files.sha256(path)
    return list(record["missed"]) if same else []


def need_passed(file: str | Path) -> None:
    """Refuse a file that is marked.

    Raises:
        InputError: it missed a gate, or its gates were not checked; the first one is named.
    """
    lines = missed_by(file)
    if lines:
        reason = lines[0].removeprefix(f"{file}: ")
        # No other gate has a bar that users set.
        only_falls = all(" falls by " in line for line in lines)
        cure = ", or with a --max-drop that you accept" if only_falls else " once that is mended"
        raise InputError(
            f"{file}: did not pass 'tinyseg quantize' ({reason}); quantize it anew{cure}"
        )
