"""Profile a file with Silicon Labs MLTK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyseg import presets
from tinyseg.profiling import mltk
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import deployable


def profile(
    model: TfliteModel, accelerator: str | None = None, folder: Path | None = None
) -> tuple[dict[str, Any], list[Path]]:
    """Profile a file; write MLTK's text report, JSON and CSV.

    Args:
        model: parsed file.
        accelerator: ``MVP`` for Silicon Labs' matrix processor.
        folder: where the files go; None for ``build/profile``.

    Returns:
        MLTK's figures, see :func:`tinyseg.profiling.mltk.profile`, and the files written.

    Raises:
        InputError: the file is damaged or TFLM does not run it, or MLTK is missing or refuses it.
    """
    deployable(model)
    record, text = mltk.profile(model, accelerator)
    name = Path(model.path).stem
    return record, mltk.write(record, text, folder or presets.BUILD / "profile", name)
