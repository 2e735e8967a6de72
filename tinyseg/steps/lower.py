"""Rewrite a file so that it needs less memory and work, with the same output bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyseg import files, presets
from tinyseg.boards.firmware import OWN, TFLM
from tinyseg.errors import InputError
from tinyseg.progress import counter
from tinyseg.steps.marks import need_passed
from tinyseg.tflite import TfliteModel, lowering
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.lowering import Lowered
from tinyseg.tflite.raising import raised


def lower(
    model: TfliteModel,
    file: Path | None = None,
    *,
    without: Sequence[str] = (),
    patches: bool = False,
    max_work: float = 1.6,
    engine: str = TFLM,
) -> tuple[Lowered, Path]:
    """Lower a file for an engine and write it.

    Args:
        model: parsed file.
        file: to write; None for one of the same name in ``build/lowered``.
        without: passes to leave out.
        patches: cut the network into strips too: less memory, more work.
        max_work: multiply-accumulates that strips may take, times those of the file.
        engine: ``tflm``, or ``tinyseg`` for our own: passes that help TFLM alone are left out, and
            undone where a file was lowered with them.

    Returns:
        The lowered file with what each pass did, and where it was written.

    Raises:
        InputError: the file is damaged or of a kind that cannot be used, or no such pass.
    """
    need_passed(model.path)
    deployable(model)
    if engine == OWN:
        if patches:
            raise InputError("--patches are for tflm; tinyseg's engine takes --max-work instead")
        lowered = lowering.lower(raised(model), without=(*without, *lowering.TFLM_ONLY))
        return lowered, _write(lowered, model, file)
    with counter("searching schedules") as progress:
        lowered = lowering.lower(
            model, without=without, patches=patches, max_work=max_work, progress=progress
        )
    return lowered, _write(lowered, model, file)


def _write(lowered: Lowered, model: TfliteModel, file: Path | None) -> Path:
    target = file or presets.BUILD / "lowered" / Path(model.path).name
    return files.write_bytes(target, lowered.model.content)
