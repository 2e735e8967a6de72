"""Profile a file: with Silicon Labs MLTK, or by the cost model of our own engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyseg import presets
from tinyseg.engine import cost
from tinyseg.engine.compiled import compiled
from tinyseg.engine.cores import core_of
from tinyseg.profiling import mltk
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import deployable
from tinyseg.tflite.ops.registry import cost as cost_of


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


def profile_engine(model: TfliteModel, core: str, max_work: float = 1.0) -> dict[str, Any]:
    """Estimate what a file takes on our own engine, without an emulator.

    Args:
        model: parsed file.
        core: of :data:`tinyseg.engine.cost.PROCESSORS`.
        max_work: see :func:`tinyseg.engine.compiled.compiled`.

    Returns:
        ``instructions`` of an inference in all, ``border_instructions`` of them for rows of inputs
        and outputs, ``ram_bytes`` (all but the stack), ``program_bytes`` in flash, ``macs``, and
        ``operators`` with ``index``, ``opcode``, ``layer``, ``macs``, ``instructions`` and
        ``unknown``:
        whether a kernel of it was never measured, so that instructions are missing.

    Raises:
        InputError: the file is damaged, or the engine cannot run it.
    """
    deployable(model)
    processor = cost.PROCESSORS[core]
    made = compiled(model, None, max_work, core_of(processor))
    counted = cost.estimate(made.placement.schedule, core_of(processor))
    operators: list[dict[str, Any]] = [
        {
            "index": index,
            "opcode": operator.opcode,
            "layer": operator.outputs[0].layer,
            "macs": cost_of(operator).macs,
            "instructions": 0,
            "unknown": False,
        }
        for index, operator in enumerate(made.integer.operators)
    ]
    border = 0.0
    for node, found in zip(made.program.nodes, counted, strict=True):
        if node.kernel is None:
            border += found.instructions or 0.0
        elif found.instructions is None:
            operators[node.op]["unknown"] = True
        else:
            operators[node.op]["instructions"] += round(found.instructions)
    return {
        "file": model.path,
        "processor": processor,
        "instructions": round(sum(found.instructions or 0.0 for found in counted)),
        "border_instructions": round(border),
        "ram_bytes": made.ram,
        "program_bytes": len(made.content),
        "file_bytes": len(model.content),
        "macs": made.macs,
        "operators": operators,
    }
