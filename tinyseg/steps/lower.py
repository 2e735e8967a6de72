"""Rewrite a file so that it needs less memory and work, with the same output bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyseg import files, presets
from tinyseg.progress import counter
from tinyseg.tflite import TfliteModel, lowering
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.lowering import Lowered


def lower(
    model: TfliteModel,
    file: Path | None = None,
    *,
    without: Sequence[str] = (),
    patches: bool = False,
    max_work: float = 1.6,
) -> tuple[Lowered, Path]:
    """Lower a file and write it.

    Args:
        model: parsed file.
        file: to write; None for one of the same name in ``build/lowered``.
        without: passes to leave out.
        patches: cut the network into strips too: less memory, more work.
        max_work: multiply-accumulates that strips may take, times those of the file.

    Returns:
        The lowered file with what each pass did, and where it was written.

    Raises:
        InputError: the file is damaged or of a kind that cannot be used, or no such pass.
    """
    deployable(model)
    with counter("searching schedules") as progress:
        lowered = lowering.lower(
            model, without=without, patches=patches, max_work=max_work, progress=progress
        )
    target = file or presets.BUILD / "lowered" / Path(model.path).name
    return lowered, files.write_bytes(target, lowered.model.content)
